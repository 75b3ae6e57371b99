// muster.v1.Kv over gRPC. All calls are raw; see reactors.h. Typed calls are
// the rows of a table: kv_typed.h.
//
//   gRPC thread   decode, check
//   loop thread   KvCalls::Ask; KvCalls::Withdraw when the client is gone
//   encoder       encode, answer
//
// Threads: gRPC's. Nothing here blocks.
#ifndef MUSTER_NODE_SERVICE_KV_SERVICE_H_
#define MUSTER_NODE_SERVICE_KV_SERVICE_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "muster/v1/kv.grpc.pb.h"
#include "node/service/context.h"
#include "node/service/kv_requests.h"
#include "node/service/kv_typed.h"
#include "node/service/reactors.h"

namespace muster::service {

class KvService final : public grpc::Service {
 public:
  explicit KvService(Context* context);

 private:
  using Buffer = grpc::ByteBuffer;
  using Unary = grpc::ServerUnaryReactor;
  using Handler =
      std::function<Unary*(const Buffer& request, Buffer* response)>;
  // The bytes of an answer, or what the client is told instead.
  using Encode =
      std::function<absl::StatusOr<std::string>(const core::KvAnswer&)>;

  // `method` is kept.
  void AddUnary(const char* method, Handler handler);
  void AddStream(const char* method);

  Unary* Execute(const Buffer& request, Buffer* response);
  Unary* Typed(const KvTypedCall& typed, const Buffer& request,
               Buffer* response);
  Unary* Versions(const Buffer& request, Buffer* response);
  Unary* Explain(const Buffer& request, Buffer* response);
  Unary* Run(absl::StatusOr<KvPlan> plan, Buffer* response, Encode encode);

  Context& context_;
  int methods_ = 0;
};

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_KV_SERVICE_H_
