// A config file: what is wrong is said with its line, and what is taken is
// within its range.
#include <cstddef>
#include <cstdint>

#include "absl/strings/match.h"
#include "crdt/check.h"
#include "node/config/config_file.h"
#include "node/config/config_option.h"
#include "node/config/config_table.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace muster;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  Config config;
  const absl::Status status = ApplyConfigText(text, "node.toml", &config);
  if (!status.ok()) {
    MUSTER_CHECK(absl::StrContains(status.message(), "node.toml:"));
    return 0;
  }
  for (const ConfigOption& option : ConfigTable()) {
    Config copy = config;
    const ConfigValue value = option.get(config);
    // What is not set has no range to be in.
    if (value == option.get(Config())) continue;
    MUSTER_CHECK(PutValue(option, value, &copy).ok());
  }
  CheckTogether(config).IgnoreError();
  return 0;
}
