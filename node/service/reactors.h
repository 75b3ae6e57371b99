// gRPC's callback reactors behind the seam of byte_stream.h. All methods are
// raw: requests arrive and answers leave as bytes. So a malformed request gets
// an answer that says why, and an answer to many clients is encoded once.
//
// A reactor deletes itself when gRPC says that the call is over, and keeps its
// handler alive until then.
#ifndef MUSTER_NODE_SERVICE_REACTORS_H_
#define MUSTER_NODE_SERVICE_REACTORS_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>

#include "node/service/byte_stream.h"

namespace muster::service {

std::string ToString(const grpc::ByteBuffer& buffer);
// Does not copy.
grpc::ByteBuffer ToByteBuffer(std::string bytes);
grpc::ByteBuffer ToByteBuffer(Outgoing message);

using RawBidiReactor =
    grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;
using RawWriteReactor = grpc::ServerWriteReactor<grpc::ByteBuffer>;

RawBidiReactor* ServeBidi(std::shared_ptr<StreamHandler> handler);
// The handler never reads.
RawWriteReactor* ServeWrites(std::shared_ptr<StreamHandler> handler);

// A unary call and the right to answer it. If nobody answers, the call fails
// with UNAVAILABLE when the reply is destroyed: no client waits for ever.
struct AnswerOnce {
  void operator()(ByteReply* reply) const;
};
using UnaryReply = std::unique_ptr<ByteReply, AnswerOnce>;
struct UnaryCall {
  grpc::ServerUnaryReactor* reactor;
  UnaryReply reply;
};
UnaryCall ServeUnary(grpc::ByteBuffer* response);
// The same; `on_cancel` is run at most once, when the client is gone or its
// deadline is over, maybe after the answer. The call is still to be answered.
UnaryCall ServeUnary(grpc::ByteBuffer* response,
                     std::function<void()> on_cancel);
// Answer and give up the right.
void Send(UnaryReply reply, std::string bytes);
void Fail(UnaryReply reply, const absl::Status& status);

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_REACTORS_H_
