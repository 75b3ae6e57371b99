// The seam between a streaming call of gRPC and its handler: messages as bytes,
// and the rules of a call in one place. Handlers know nothing of gRPC, so tests
// run them without it.
//
//   gRPC reactor --OnRead, OnReadsDone, OnWritten, OnCancelled--> StreamHandler
//   StreamHandler --Read, Write, Finish--> ByteStream (the reactor)
//
// Rules for the handler
//   1. At most one Read and one Write are pending.
//   2. The handler calls Finish exactly once, and nothing after it. The
//      ByteStream lives until then, and may be gone at any moment afterwards.
// Rules for the stream
//   1. OnRead or OnReadsDone follows each Read, OnWritten each Write, unless
//      Finish came first. No such call comes from within a call of the handler.
//   2. After OnCancelled the client is gone; Finish is still due.
//   3. The handler is kept alive until the call is over.
#ifndef MUSTER_NODE_SERVICE_BYTE_STREAM_H_
#define MUSTER_NODE_SERVICE_BYTE_STREAM_H_

#include <memory>
#include <string>

#include "absl/status/status.h"

namespace muster::service {

// A message to be sent: `body` (may be null) follows `head`. The body may be
// shared with other streams.
struct Outgoing {
  std::string head;
  std::shared_ptr<const std::string> body;
};

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  virtual void Read() = 0;
  virtual void Write(Outgoing message) = 0;
  virtual void Finish(const absl::Status& status) = 0;
};

class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  // Once, before any other call. `stream` is valid until Finish.
  virtual void Start(ByteStream* stream) = 0;
  virtual void OnRead(std::string bytes) = 0;
  // The client sends no more.
  virtual void OnReadsDone() = 0;
  // False: the message may not have been sent, and no other will be.
  virtual void OnWritten(bool ok) = 0;
  virtual void OnCancelled() = 0;
};

// A unary call. Its handler calls exactly one of the two, once; then the call
// may be gone.
class ByteReply {
 public:
  virtual ~ByteReply() = default;
  virtual void Send(std::string bytes) = 0;
  virtual void Fail(const absl::Status& status) = 0;
};

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_BYTE_STREAM_H_
