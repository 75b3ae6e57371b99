#include "node/service/reactors.h"

#include <utility>
#include <vector>

#include "node/service/grpc_status.h"

namespace muster::service {
namespace {

// Messages below this are cheaper to copy than to share.
constexpr size_t kCopyBytes = 256;

grpc::Slice ToSlice(std::string bytes) {
  if (bytes.size() < kCopyBytes) return grpc::Slice(bytes);
  auto* held = new std::string(std::move(bytes));
  return grpc::Slice(
      held->data(), held->size(),
      [](void* held) { delete static_cast<std::string*>(held); }, held);
}

grpc::Slice ToSlice(std::shared_ptr<const std::string> bytes) {
  if (bytes->size() < kCopyBytes) return grpc::Slice(*bytes);
  using Shared = std::shared_ptr<const std::string>;
  auto* held = new Shared(std::move(bytes));
  return grpc::Slice(
      const_cast<char*>((*held)->data()), (*held)->size(),
      [](void* held) { delete static_cast<Shared*>(held); }, held);
}

// The reactions that both kinds of streams have.
template <class Reactor>
class StreamReactor : public Reactor, public ByteStream {
 public:
  explicit StreamReactor(std::shared_ptr<StreamHandler> handler)
      : handler_(std::move(handler)) {}

  void Write(Outgoing message) override {
    out_ = ToByteBuffer(std::move(message));
    Reactor::StartWrite(&out_);
  }
  void Finish(const absl::Status& status) override {
    Reactor::Finish(ToGrpc(status));
  }
  void OnWriteDone(bool ok) override {
    out_.Clear();
    handler_->OnWritten(ok);
  }
  void OnCancel() override { handler_->OnCancelled(); }
  void OnDone() override { delete this; }

 protected:
  StreamHandler& handler() { return *handler_; }

 private:
  const std::shared_ptr<StreamHandler> handler_;
  grpc::ByteBuffer out_;
};

class BidiReactor final : public StreamReactor<RawBidiReactor> {
 public:
  using StreamReactor::StreamReactor;
  void Start() { handler().Start(this); }
  void Read() override { RawBidiReactor::StartRead(&in_); }
  void OnReadDone(bool ok) override {
    if (!ok) {
      handler().OnReadsDone();
      return;
    }
    std::string bytes = ToString(in_);
    in_.Clear();
    handler().OnRead(std::move(bytes));
  }

 private:
  grpc::ByteBuffer in_;
};

class WriteReactor final : public StreamReactor<RawWriteReactor> {
 public:
  using StreamReactor::StreamReactor;
  void Start() { handler().Start(this); }
  void Read() override {}
};

class UnaryReactor final : public grpc::ServerUnaryReactor, public ByteReply {
 public:
  UnaryReactor(grpc::ByteBuffer* response, std::function<void()> on_cancel)
      : response_(response), on_cancel_(std::move(on_cancel)) {}
  void Send(std::string bytes) override {
    *response_ = ToByteBuffer(std::move(bytes));
    Finish(grpc::Status::OK);
  }
  void Fail(const absl::Status& status) override { Finish(ToGrpc(status)); }
  void OnCancel() override {
    if (on_cancel_) on_cancel_();
  }
  void OnDone() override { delete this; }

 private:
  grpc::ByteBuffer* const response_;
  const std::function<void()> on_cancel_;
};

}  // namespace

std::string ToString(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  bytes.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

grpc::ByteBuffer ToByteBuffer(std::string bytes) {
  const grpc::Slice slice = ToSlice(std::move(bytes));
  return grpc::ByteBuffer(&slice, 1);
}

grpc::ByteBuffer ToByteBuffer(Outgoing message) {
  if (message.body == nullptr) return ToByteBuffer(std::move(message.head));
  const grpc::Slice slices[] = {ToSlice(std::move(message.head)),
                                ToSlice(std::move(message.body))};
  return grpc::ByteBuffer(slices, 2);
}

RawBidiReactor* ServeBidi(std::shared_ptr<StreamHandler> handler) {
  auto* reactor = new BidiReactor(std::move(handler));
  reactor->Start();
  return reactor;
}

RawWriteReactor* ServeWrites(std::shared_ptr<StreamHandler> handler) {
  auto* reactor = new WriteReactor(std::move(handler));
  reactor->Start();
  return reactor;
}

UnaryCall ServeUnary(grpc::ByteBuffer* response) {
  return ServeUnary(response, nullptr);
}

UnaryCall ServeUnary(grpc::ByteBuffer* response,
                     std::function<void()> on_cancel) {
  auto* reactor = new UnaryReactor(response, std::move(on_cancel));
  return {reactor, UnaryReply(reactor)};
}

void AnswerOnce::operator()(ByteReply* reply) const {
  reply->Fail(absl::UnavailableError("the node is shutting down"));
}

void Send(UnaryReply reply, std::string bytes) {
  reply.release()->Send(std::move(bytes));
}

void Fail(UnaryReply reply, const absl::Status& status) {
  reply.release()->Fail(status);
}

}  // namespace muster::service
