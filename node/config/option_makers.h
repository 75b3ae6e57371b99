// Makes options of a node, each tied to a field of Config; for the tables of
// node/config alone.
//
//   Millis("beat-interval-ms", 10, 10'000, "Between two beats of a node.",
//          MUSTER_FIELD(runtime.core.detector.beat_interval))
#ifndef MUSTER_NODE_CONFIG_OPTION_MAKERS_H_
#define MUSTER_NODE_CONFIG_OPTION_MAKERS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "node/config/config.h"
#include "node/config/config_option.h"

namespace muster {

using Options = std::vector<ConfigOption>;

// A pointer to a field of Config, through any number of members.
#define MUSTER_FIELD(path) \
  [](Config & config) -> auto& { return config.path; }

template <typename Field>
using Access = Field& (*)(Config&);

template <typename Field>
const Field& Read(Access<Field> access, const Config& config) {
  return access(const_cast<Config&>(config));
}

inline ConfigOption Named(std::string name, ConfigType type,
                          std::string meaning) {
  ConfigOption option;
  option.name = std::move(name);
  option.type = type;
  option.meaning = std::move(meaning);
  return option;
}

// Ties the option to a field that holds its value as it is.
template <typename Value, typename Field>
ConfigOption Bound(ConfigOption option, Access<Field> access) {
  option.put = [access](Config& config, const ConfigValue& value) {
    access(config) = static_cast<Field>(std::get<Value>(value));
  };
  option.get = [access](const Config& config) -> ConfigValue {
    return static_cast<Value>(Read(access, config));
  };
  return option;
}

inline ConfigOption Millis(std::string name, double min, double max,
                           std::string meaning, Access<absl::Duration> access) {
  ConfigOption option =
      Named(std::move(name), ConfigType::kInteger, std::move(meaning));
  option.unit = "ms";
  option.min = min;
  option.max = max;
  option.put = [access](Config& config, const ConfigValue& value) {
    access(config) = absl::Milliseconds(std::get<int64_t>(value));
  };
  option.get = [access](const Config& config) -> ConfigValue {
    return absl::ToInt64Milliseconds(Read(access, config));
  };
  return option;
}

inline ConfigOption Size(std::string name, std::string unit, double min,
                         double max, std::string meaning,
                         Access<size_t> access) {
  ConfigOption option =
      Named(std::move(name), ConfigType::kInteger, std::move(meaning));
  option.unit = std::move(unit);
  option.min = min;
  option.max = max;
  return Bound<int64_t>(std::move(option), access);
}

inline ConfigOption Number(std::string name, double min, double max,
                           std::string meaning, Access<double> access) {
  ConfigOption option =
      Named(std::move(name), ConfigType::kNumber, std::move(meaning));
  option.min = min;
  option.max = max;
  return Bound<double>(std::move(option), access);
}

inline ConfigOption Switch(std::string name, std::string meaning,
                           Access<bool> access) {
  return Bound<bool>(
      Named(std::move(name), ConfigType::kBool, std::move(meaning)), access);
}

struct TextRule {
  std::string words;
  bool (*allowed)(absl::string_view);
  std::string (*fault)(absl::string_view) = nullptr;
};

inline ConfigOption Text(std::string name, TextRule rule, std::string meaning,
                         Access<std::string> access) {
  ConfigOption option =
      Named(std::move(name), ConfigType::kText, std::move(meaning));
  option.rule = std::move(rule.words);
  option.allowed = rule.allowed;
  option.fault = rule.fault;
  return Bound<std::string>(std::move(option), access);
}

inline ConfigOption List(std::string name, TextRule rule, std::string meaning,
                         Access<std::vector<std::string>> access) {
  ConfigOption option =
      Named(std::move(name), ConfigType::kList, std::move(meaning));
  option.rule = std::move(rule.words);
  option.allowed = rule.allowed;
  option.fault = rule.fault;
  return Bound<std::vector<std::string>>(std::move(option), access);
}

// One of a few words, each of which stands for a value.
template <typename Value>
struct Word {
  const char* word;
  Value value;
};
template <typename Value, size_t n>
ConfigOption Choice(std::string name, const Word<Value> (&words)[n],
                    std::string meaning,
                    std::type_identity_t<Access<Value>> access) {
  const std::vector<Word<Value>> all(words, words + n);
  ConfigOption option =
      Named(std::move(name), ConfigType::kText, std::move(meaning));
  option.rule = all.front().word;
  for (size_t i = 1; i < n; ++i) {
    absl::StrAppend(&option.rule, i + 1 == n ? " or " : ", ", all[i].word);
  }
  option.allowed = [all](absl::string_view text) {
    return std::any_of(all.begin(), all.end(),
                       [&](const auto& word) { return text == word.word; });
  };
  option.put = [all, access](Config& config, const ConfigValue& value) {
    for (const Word<Value>& word : all) {
      if (std::get<std::string>(value) == word.word) {
        access(config) = word.value;
      }
    }
  };
  option.get = [all, access](const Config& config) -> ConfigValue {
    for (const Word<Value>& word : all) {
      if (Read(access, config) == word.value) return std::string(word.word);
    }
    return std::string();
  };
  return option;
}

// ------------------------------------------- groups in files of their own

Options KeyspaceConfigOptions();

}  // namespace muster

#endif  // MUSTER_NODE_CONFIG_OPTION_MAKERS_H_
