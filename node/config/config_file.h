// Reads a config file: TOML, flat, one key for each option of the table.
//
//   node = "a"
//   join = ["10.0.0.2:7400", "10.0.0.3:7400"]
//   beat_interval_ms = 250
//
// Errors: NOT_FOUND if there is no such file; INVALID_ARGUMENT, with file,
// line, key, value and rule, for a fault in it. After an error `*config` must
// not be used.
// Limits: kMaxConfigFileBytes.
#ifndef MUSTER_NODE_CONFIG_CONFIG_FILE_H_
#define MUSTER_NODE_CONFIG_CONFIG_FILE_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "node/config/config.h"

namespace muster {

inline constexpr size_t kMaxConfigFileBytes = 1 << 20;

// The whole of a small file. Errors: NOT_FOUND, or INVALID_ARGUMENT if it has
// more than kMaxConfigFileBytes.
absl::StatusOr<std::string> ReadSmallFile(const std::string& path);

absl::Status ApplyConfigFile(const std::string& path, Config* config);
// `name` stands for the file in errors.
absl::Status ApplyConfigText(absl::string_view text, absl::string_view name,
                             Config* config);

}  // namespace muster

#endif  // MUSTER_NODE_CONFIG_CONFIG_FILE_H_
