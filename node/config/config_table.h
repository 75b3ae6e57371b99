// Every option of a node, by group, in the order of the help and of
// docs/configuration.md.
#ifndef MUSTER_NODE_CONFIG_CONFIG_TABLE_H_
#define MUSTER_NODE_CONFIG_CONFIG_TABLE_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "node/config/config_option.h"

namespace muster {

const std::vector<ConfigOption>& ConfigTable();

// Null if there is none. Names are as of flags, keys as in the file.
const ConfigOption* FindByName(absl::string_view name);
const ConfigOption* FindByKey(absl::string_view key);

// What no single option can say: how values must stand to each other.
absl::Status CheckTogether(const Config& config);

}  // namespace muster

#endif  // MUSTER_NODE_CONFIG_CONFIG_TABLE_H_
