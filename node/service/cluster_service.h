// muster.v1.Cluster over gRPC. The service answers even if the node does not
// serve presence: an operator asks just then.
//
// Threads: gRPC's. Nothing here blocks.
#ifndef MUSTER_NODE_SERVICE_CLUSTER_SERVICE_H_
#define MUSTER_NODE_SERVICE_CLUSTER_SERVICE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "muster/v1/cluster.grpc.pb.h"
#include "node/service/context.h"
#include "node/service/member_watch.h"
#include "node/service/reactors.h"

namespace muster::service {

using RawCluster = v1::Cluster::WithRawCallbackMethod_Members<
    v1::Cluster::WithRawCallbackMethod_WatchMembers<
        v1::Cluster::WithRawCallbackMethod_Status<
            v1::Cluster::WithRawCallbackMethod_Drain<
                v1::Cluster::WithRawCallbackMethod_Forget<
                    v1::Cluster::Service>>>>>;

// The counters of the services, by name, for `status` and metrics.
std::vector<std::pair<std::string, uint64_t>> ServiceCounters(const Context&);

class ClusterService final : public RawCluster {
 public:
  ClusterService(Context* context, MemberWatches* watches)
      : context_(*context), watches_(*watches) {}

  using Buffer = grpc::ByteBuffer;
  using Call = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  Unary* Members(Call*, const Buffer* request, Buffer* response) override;
  RawWriteReactor* WatchMembers(Call*, const Buffer* request) override;
  Unary* Status(Call*, const Buffer* request, Buffer* response) override;
  Unary* Drain(Call*, const Buffer* request, Buffer* response) override;
  // admin_calls.cc
  Unary* Forget(Call*, const Buffer* request, Buffer* response) override;

 private:
  Context& context_;
  MemberWatches& watches_;
};

// Cluster.Status and nothing else: other calls of that name are unknown.
class StatusService final : public grpc::Service {
 public:
  explicit StatusService(ClusterService* cluster);
};

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_CLUSTER_SERVICE_H_
