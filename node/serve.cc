#include "node/serve.h"

#include <malloc.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <iostream>
#include <memory>
#include <string>

#include "node/listener/file_limit.h"
#include "node/metrics/collector.h"
#include "node/metrics/metrics_server.h"
#include "node/runtime/runtime.h"
#include "node/service/client_services.h"

namespace muster {
namespace {

using cli::ExitCode;

void SetUpLog(const Config& config) {
  auto logger = spdlog::stderr_color_mt("muster");
  logger->set_pattern(
      "%Y-%m-%dT%H:%M:%S.%eZ %^%-7l%$ " + config.runtime.core.node + ": %v",
      spdlog::pattern_time_type::utc);
  logger->set_level(spdlog::level::from_str(config.log_level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

// Messages of 100 KiB come and go all the time: their memory is kept, not given
// back to the system and faulted in again. Few arenas keep it in few places.
void SetUpMemory() {
  constexpr int kKept = 2 << 20;
  mallopt(M_MMAP_THRESHOLD, kKept);
  mallopt(M_TRIM_THRESHOLD, kKept);
  mallopt(M_ARENA_MAX, 4);
}

// A configuration that cannot be used is bad usage; anything else is a node
// that cannot run.
ExitCode CodeOf(const absl::Status& status) {
  if (status.ok()) return cli::kDone;
  const bool usage =
      absl::IsInvalidArgument(status) || absl::IsNotFound(status);
  return usage ? cli::kBadUsage : cli::kAnswerIsNo;
}

ExitCode Complain(const absl::Status& status) {
  if (!status.ok()) std::cerr << "muster: " << status.message() << std::endl;
  return CodeOf(status);
}

// Null where none are asked for.
absl::StatusOr<std::unique_ptr<metrics::MetricsServer>> StartMetrics(
    const metrics::Options& options) {
  if (options.listen.empty()) return nullptr;
  return metrics::MetricsServer::Start(options);
}

ExitCode RunNode(Config config, std::ostream& out) {
  config.runtime.handle_signals = true;
  service::ServiceOptions options;
  options.node = config.runtime.core.node;
  options.cluster = config.runtime.core.cluster;
  options.version = MUSTER_VERSION;
  options.limits = config.limits;
  options.admin_token = config.admin_token;
  config.runtime.max_message_bytes = config.limits.max_message_bytes;
  // The services need the runtime at their start and must outlive it.
  std::unique_ptr<service::ClientServices> services;
  Runtime runtime(config.runtime);
  services = std::make_unique<service::ClientServices>(options, &runtime);
  // Its threads use both: it ends before them.
  absl::StatusOr<std::unique_ptr<metrics::MetricsServer>> metrics =
      StartMetrics(config.metrics);
  if (!metrics.ok()) return Complain(metrics.status());
  absl::Status status =
      runtime.Start(services->all(), services->sink(), services->for_guests());
  if (!status.ok()) return Complain(status);
  out << "ready node=" << config.runtime.core.node
      << " grpc=" << runtime.listen_address();
  if (*metrics != nullptr) {
    (*metrics)->Serve(std::make_shared<metrics::Collector>(
        metrics::Identity{options.node, options.cluster, options.version},
        &runtime, services.get()));
    out << " metrics=" << (*metrics)->address();
  }
  out << std::endl;
  status = runtime.Wait();
  if (status.ok()) return cli::kDone;
  std::cerr << "muster: " << status.message() << std::endl;
  return cli::kAnswerIsNo;
}

}  // namespace

ExitCode RunServe(const ConfigSources& sources, std::ostream& out) {
  absl::StatusOr<Config> config = LoadConfig(sources);
  if (!config.ok()) return Complain(config.status());
  SetUpMemory();
  // A client that hangs up is an error of its own call, not of the process.
  std::signal(SIGPIPE, SIG_IGN);
  SetUpLog(*config);
  // What could not be opened would be refused without a reason.
  config->runtime.max_connections =
      ClientPlaces(config->runtime.max_connections, RaiseFileLimit(),
                   config->runtime.core.max_members);
  return RunNode(*std::move(config), out);
}

}  // namespace muster
