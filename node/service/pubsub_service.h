// muster.v1.PubSub over gRPC. All calls are raw; see reactors.h.
//
// Threads: gRPC's. Nothing here blocks.
#ifndef MUSTER_NODE_SERVICE_PUBSUB_SERVICE_H_
#define MUSTER_NODE_SERVICE_PUBSUB_SERVICE_H_

#include "muster/v1/pubsub.grpc.pb.h"
#include "node/service/context.h"
#include "node/service/reactors.h"

namespace muster::service {

using RawPubSub = v1::PubSub::WithRawCallbackMethod_Publish<
    v1::PubSub::WithRawCallbackMethod_Subscribe<
        v1::PubSub::WithRawCallbackMethod_Channels<
            v1::PubSub::WithRawCallbackMethod_NumSub<v1::PubSub::Service>>>>;

class PubSubService final : public RawPubSub {
 public:
  explicit PubSubService(Context* context) : context_(*context) {}

  using Buffer = grpc::ByteBuffer;
  using Call = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  Unary* Publish(Call*, const Buffer* request, Buffer* response) override;
  RawBidiReactor* Subscribe(Call*) override;
  Unary* Channels(Call*, const Buffer* request, Buffer* response) override;
  Unary* NumSub(Call*, const Buffer* request, Buffer* response) override;

 private:
  Context& context_;
};

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_PUBSUB_SERVICE_H_
