#include "node/service/client_services.h"

#include <google/protobuf/stubs/logging.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>

#include <utility>

#include "node/service/cluster_service.h"
#include "node/service/context.h"
#include "node/service/health.h"
#include "node/service/kv_service.h"
#include "node/service/member_watch.h"
#include "node/service/presence_service.h"
#include "node/service/pubsub_service.h"
#include "node/service/sink.h"

namespace muster::service {

struct ClientServices::Parts {
  Parts(ServiceOptions options, int threads, CorePort* core)
      : sink(core, &offload, &health, &members),
        context{std::move(options.node),
                std::move(options.cluster),
                std::move(options.version),
                options.limits,
                *core,
                offload,
                sink,
                AdminPolicy(std::move(options.admin_token))},
        presence(&context),
        cluster(&context, &members),
        pubsub(&context),
        kv(&context),
        status(&cluster),
        health_service(&health, &offload, &context.limits),
        offload(threads) {}

  Health health;
  MemberWatches members;
  Sink sink;
  Context context;
  PresenceService presence;
  ClusterService cluster;
  PubSubService pubsub;
  KvService kv;
  StatusService status;
  HealthService health_service;
  // Last: its tasks use the others.
  Offload offload;
};

ClientServices::ClientServices(ServiceOptions options, CorePort* core)
    : parts_(std::make_unique<Parts>(options, options.threads, core)) {
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  // The client is told of its malformed message; the log is not.
  google::protobuf::SetLogHandler(nullptr);
}

ClientServices::~ClientServices() = default;

std::vector<grpc::Service*> ClientServices::all() {
  return {&parts_->presence, &parts_->cluster, &parts_->pubsub, &parts_->kv,
          &parts_->health_service};
}

std::vector<grpc::Service*> ClientServices::for_guests() {
  return {&parts_->status, &parts_->health_service};
}

ServiceSink* ClientServices::sink() { return &parts_->sink; }

std::vector<std::pair<std::string, uint64_t>> ClientServices::Counters() const {
  return ServiceCounters(parts_->context);
}

ClientServices::Queued ClientServices::queued() const {
  const Offload::Queued queued = parts_->offload.queued();
  return {queued.urgent, queued.bulk};
}

}  // namespace muster::service
