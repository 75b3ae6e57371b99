// docs/configuration.md, from the table.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "node/config/config.h"
#include "node/config/config_table.h"

namespace muster {
namespace {

constexpr char kIntroduction[] = R"(# Configuration

<!-- Made by `muster config-doc` from node/config/config_table.cc. -->

`muster serve` takes every value below as a flag, and as a key of a TOML file
that `--config FILE.toml` names. The key is the flag without its dashes, with
`_` for `-`:

```toml
node = "a"
listen = "10.0.0.1:7400"
join = ["10.0.0.2:7400", "10.0.0.3:7400"]
beat_interval_ms = 250
```

A flag wins over the environment, the environment over the file, the file over
the default. A key that is not known, a value of another type and a value out
of its range end the start with exit code 2 and a sentence that names the file,
the line, the key, the value and the rule.

A secret may stand in the environment (`--cluster-secret` as
`MUSTER_CLUSTER_SECRET`) or in a file: `--cluster-secret @/etc/muster/secret`. A
flag is seen by everyone who can list processes.

The commands of a client take `--at HOST:PORT[,HOST:PORT…]`, or `MUSTER_AT` from
the environment, `127.0.0.1:7400` by default. `muster drain`,
`evict` and `forget` take `--admin-token TOKEN` or `@FILE`, or
`MUSTER_ADMIN_TOKEN` from the environment: the token of the node that they ask.
)";

std::string Cell(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"|", "\\|"}});
}

std::string Row(const ConfigOption& option) {
  return absl::StrCat(
      "| `--", option.name, "` | ", option.TypeText(), " | ",
      option.unit.empty() ? "–" : option.unit, " | ", Cell(option.RangeText()),
      " | ", Cell(option.DefaultText()), " | ", Cell(option.meaning), " |\n");
}

}  // namespace

std::string ConfigPage() {
  std::string page = kIntroduction;
  absl::string_view group;
  for (const ConfigOption& option : ConfigTable()) {
    if (option.group != group) {
      group = option.group;
      absl::StrAppend(&page, "\n## ", group,
                      "\n\n| flag | type | unit | range | default | meaning "
                      "|\n|---|---|---|---|---|---|\n");
    }
    absl::StrAppend(&page, Row(option));
  }
  return page;
}

}  // namespace muster
