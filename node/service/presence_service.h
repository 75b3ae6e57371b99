// muster.v1.Presence over gRPC. All calls are raw; see reactors.h.
//
// Threads: gRPC's. Nothing here blocks.
#ifndef MUSTER_NODE_SERVICE_PRESENCE_SERVICE_H_
#define MUSTER_NODE_SERVICE_PRESENCE_SERVICE_H_

#include <memory>

#include "muster/v1/presence.grpc.pb.h"
#include "node/codec/client_codec.h"
#include "node/service/context.h"
#include "node/service/reactors.h"

namespace muster::service {

// Each layer makes one method raw.
template <class Base>
using RawSessionCalls = v1::Presence::WithRawCallbackMethod_Session<
    v1::Presence::WithRawCallbackMethod_Sessions<
        v1::Presence::WithRawCallbackMethod_OpenSession<
            v1::Presence::WithRawCallbackMethod_CloseSession<
                v1::Presence::WithRawCallbackMethod_Resume<
                    v1::Presence::WithRawCallbackMethod_Track<
                        v1::Presence::WithRawCallbackMethod_Update<
                            v1::Presence::WithRawCallbackMethod_Untrack<
                                v1::Presence::WithRawCallbackMethod_Heartbeat<
                                    Base>>>>>>>>>;
template <class Base>
using RawReadCalls = v1::Presence::WithRawCallbackMethod_Watch<
    v1::Presence::WithRawCallbackMethod_List<
        v1::Presence::WithRawCallbackMethod_Get<
            v1::Presence::WithRawCallbackMethod_Count<
                v1::Presence::WithRawCallbackMethod_Topics<
                    v1::Presence::WithRawCallbackMethod_TopicsOf<
                        v1::Presence::WithRawCallbackMethod_Explain<
                            v1::Presence::WithRawCallbackMethod_Evict<
                                Base>>>>>>>>;
using RawPresence = RawSessionCalls<RawReadCalls<v1::Presence::Service>>;

class PresenceService final : public RawPresence {
 public:
  explicit PresenceService(Context* context) : context_(*context) {}

  using Buffer = grpc::ByteBuffer;
  using Call = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  // session_calls.cc
  RawBidiReactor* Session(Call*) override;
  RawBidiReactor* Sessions(Call*) override;
  Unary* OpenSession(Call*, const Buffer* request, Buffer* response) override;
  Unary* CloseSession(Call*, const Buffer* request, Buffer* response) override;
  Unary* Resume(Call*, const Buffer* request, Buffer* response) override;
  Unary* Track(Call*, const Buffer* request, Buffer* response) override;
  Unary* Update(Call*, const Buffer* request, Buffer* response) override;
  Unary* Untrack(Call*, const Buffer* request, Buffer* response) override;
  Unary* Heartbeat(Call*, const Buffer* request, Buffer* response) override;

  // read_calls.cc
  RawWriteReactor* Watch(Call*, const Buffer* request) override;
  Unary* List(Call*, const Buffer* request, Buffer* response) override;
  Unary* Get(Call*, const Buffer* request, Buffer* response) override;
  Unary* Count(Call*, const Buffer* request, Buffer* response) override;
  Unary* Topics(Call*, const Buffer* request, Buffer* response) override;
  Unary* TopicsOf(Call*, const Buffer* request, Buffer* response) override;
  Unary* Explain(Call*, const Buffer* request, Buffer* response) override;

  // admin_calls.cc
  Unary* Evict(Call*, const Buffer* request, Buffer* response) override;

 private:
  Context& context_;
};

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_PRESENCE_SERVICE_H_
