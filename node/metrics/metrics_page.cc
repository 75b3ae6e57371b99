// docs/metrics.md, from the table.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "node/metrics/metric_table.h"

namespace muster::metrics {
namespace {

constexpr char kIntroduction[] = R"(# Metrics

<!-- Made by `muster metrics-doc` from node/metrics/. -->

A node started with `--metrics-listen HOST:PORT` serves its metrics to
Prometheus at `http://HOST:PORT/metrics`, in the text format. It is off by
default, and takes a loopback address only: `--metrics-insecure` allows any
other, where whoever reaches the port reads names of nodes and all figures
below. With port 0 a free port is taken; the node's first line names it:

```
$ muster serve --node a --metrics-listen 127.0.0.1:9464
ready node=a grpc=127.0.0.1:7400 metrics=127.0.0.1:9464
```

```yaml
scrape_configs:
  - job_name: muster
    static_configs:
      - targets: ["127.0.0.1:9464"]
rule_files:
  - /usr/local/share/muster/prometheus/muster.rules.yml
```

The alert rules are in `ops/prometheus/muster.rules.yml`, a Grafana dashboard is
in `ops/grafana/muster.json`; both are installed under `share/muster/`.

The event loop counts in plain variables and takes no lock for it. A scrape asks
the loop for a copy, which costs it about as much as `muster status`, and waits
for a second at most: if the loop does not answer, the scrape shows the last copy
and `muster_scrape_fresh` is 0.

Where the last column is "–", nothing is to be done about the metric by itself;
it explains others. Counters begin at 0 with each start of the node. The HTTP
server counts its own scrapes as `exposer_…`.
)";

std::string Cell(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"|", "\\|"}});
}

std::string UnitOf(const Metric& metric) {
  for (const char* unit : {"seconds", "bytes"}) {
    if (metric.name.find(absl::StrCat("_", unit)) != std::string::npos) {
      return unit;
    }
  }
  return "–";
}

std::string PageRow(const Metric& metric) {
  std::string labels = "–";
  if (!metric.labels.empty()) {
    labels = absl::StrCat("`", absl::StrJoin(metric.labels, "`, `"), "`");
  }
  return absl::StrCat("| `", metric.name, "` | ", TypeName(metric.type), " | ",
                      UnitOf(metric), " | ", labels, " | ", Cell(metric.help),
                      " | ", Cell(metric.act), " |\n");
}

}  // namespace

std::string MetricsPage() {
  std::string page = kIntroduction;
  absl::string_view group;
  for (const Metric& metric : MetricTable()) {
    if (metric.group != group) {
      group = metric.group;
      absl::StrAppend(&page, "\n## ", group,
                      "\n\n| metric | type | unit | labels | meaning | when to "
                      "act |\n|---|---|---|---|---|---|\n");
    }
    absl::StrAppend(&page, PageRow(metric));
  }
  return page;
}

}  // namespace muster::metrics
