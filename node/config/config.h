// The configuration of a node: the values of all flags and config keys.
//
// The table in node/config/config_table.cc names each value once; the flags of
// `muster serve`, the keys of the file, the help text and
// docs/configuration.md are made from it.
//
// Precedence: default < config file < environment < flag.
#ifndef MUSTER_NODE_CONFIG_CONFIG_H_
#define MUSTER_NODE_CONFIG_CONFIG_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "node/metrics/options.h"
#include "node/runtime/runtime.h"
#include "node/service/limits.h"

namespace muster {

inline constexpr char kDefaultAddress[] = "127.0.0.1:7400";
inline constexpr char kSecretVariable[] = "MUSTER_CLUSTER_SECRET";
inline constexpr char kAdminTokenVariable[] = "MUSTER_ADMIN_TOKEN";

struct Config {
  Config() { runtime.listen = kDefaultAddress; }

  RuntimeOptions runtime;  // With core::Options.
  service::Limits limits;
  // Administrative calls must show it; empty: they are allowed from loopback
  // alone.
  std::string admin_token;
  metrics::Options metrics;
  std::string log_level = "info";
};

// The parts of a command line: the path of the config file, or "", and the
// flags, as names without dashes with their text, in order.
struct ConfigSources {
  std::string file;
  std::vector<std::pair<std::string, std::string>> flags;
  // The same from the environment: values of ConfigOption::variable.
  std::vector<std::pair<std::string, std::string>> variables;
};

// The values in force. Errors are INVALID_ARGUMENT, or NOT_FOUND for a missing
// file, and say where: "node.toml:7: beat_interval_ms = 5: must be …".
absl::StatusOr<Config> LoadConfig(const ConfigSources& sources);

// The value of the secret called `name`: `text`, or for "@FILE" the contents of
// the file, without white space at the end. Errors name it: "admin-token: …".
absl::StatusOr<std::string> ReadSecret(absl::string_view name,
                                       const std::string& text);

// Whether a text can be sent as `Bearer …`: 1 to 1024 printable characters of
// ASCII without a space.
bool IsBearerToken(absl::string_view text);

// The page docs/configuration.md.
std::string ConfigPage();

}  // namespace muster

#endif  // MUSTER_NODE_CONFIG_CONFIG_H_
