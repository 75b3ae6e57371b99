// One option of a node: its name, type, unit, range, default and meaning, and
// how to put its value into a Config.
//
//   Millis("beat-interval-ms", 10, 10'000, "…", field)
//     --beat-interval-ms 250        a flag
//     beat_interval_ms = 250        a key of the config file
//
// Invariants: names are unique, in kebab case, with the unit last; the default
// lies in the range. (Both are tested over the whole table.)
#ifndef MUSTER_NODE_CONFIG_CONFIG_OPTION_H_
#define MUSTER_NODE_CONFIG_CONFIG_OPTION_H_

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "node/config/config.h"

namespace muster {

// bool: a switch; int64_t: an integer; double: a number; string; list.
using ConfigValue =
    std::variant<bool, int64_t, double, std::string, std::vector<std::string>>;

enum class ConfigType { kBool, kInteger, kNumber, kText, kList };

struct ConfigOption {
  std::string name;   // As a flag, without the dashes.
  std::string group;  // Heading in the help and on the page.
  ConfigType type = ConfigType::kText;
  std::string unit;  // "ms", "bytes", or empty.
  // For numbers, both included.
  double min = 0;
  double max = 0;
  // For a text and each text of a list: the rule in words, and the test of it.
  std::string rule;
  std::function<bool(absl::string_view)> allowed;
  // Says what is wrong with a text that breaks the rule; may be unset.
  std::function<std::string(absl::string_view)> fault;
  // The text is never shown, and "@FILE" stands for the contents of the file.
  bool secret = false;
  std::string variable;      // Of the environment, or empty.
  std::string default_text;  // Shown where the default is not a fixed value.
  std::string meaning;       // A sentence or more.
  std::function<void(Config&, const ConfigValue&)> put;
  std::function<ConfigValue(const Config&)> get;

  // The name as a key of the config file.
  std::string Key() const;
  std::string TypeText() const;
  std::string RangeText() const;
  std::string DefaultText() const;
};

// Checks `value` against the type and the range. Errors: INVALID_ARGUMENT
// "must be an integer, 10 to 10000 (ms)", and for texts with a `fault` what is
// wrong: "must be HOST:PORT, …: the port is missing; write h:7400".
absl::Status PutValue(const ConfigOption& option, const ConfigValue& value,
                      Config* config);
// The same for the text of a flag.
absl::Status PutText(const ConfigOption& option, absl::string_view text,
                     Config* config);

// The value as it would stand in the config file.
std::string ValueText(const ConfigValue& value);

}  // namespace muster

#endif  // MUSTER_NODE_CONFIG_CONFIG_OPTION_H_
