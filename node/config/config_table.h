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

// Null if there is no such option. A name is that of a flag, a key that of the
// file.
const ConfigOption* FindByName(absl::string_view name);
const ConfigOption* FindByKey(absl::string_view key);

// Checks the rules between options, which no single option can state.
absl::Status CheckTogether(const Config& config);

}  // namespace muster

#endif  // MUSTER_NODE_CONFIG_CONFIG_TABLE_H_
