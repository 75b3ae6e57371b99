#include "transport/peer/grpc_stream.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/client_callback.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/server_callback.h>

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "muster/v1/peer.grpc.pb.h"
#include "node/mutex.h"

namespace muster::peer {
namespace {

using Bytes = grpc::ByteBuffer;
using codec::EncodedFrame;

// Frames of the core, up to 64 KiB and more, travel in one of HTTP/2 each.
constexpr int kHttpFrameBytes = 1 << 20;

// The payload is shared with the log and with other links, not copied.
Bytes ToBytes(EncodedFrame frame) {
  grpc::Slice slices[2];
  slices[0] = grpc::Slice(frame.head);
  if (frame.payload == nullptr || frame.payload->empty()) {
    return Bytes(slices, 1);
  }
  using Shared = std::shared_ptr<const std::string>;
  auto* keep = new Shared(std::move(frame.payload));
  slices[1] = grpc::Slice(
      const_cast<char*>((*keep)->data()), (*keep)->size(),
      [](void* shared) { delete static_cast<Shared*>(shared); }, keep);
  return Bytes(slices, 2);
}

grpc::WriteOptions WriteOptionsFor(bool more) {
  grpc::WriteOptions options;
  options.set_no_compression();
  if (more) options.set_buffer_hint();
  return options;
}

void Hand(Bytes& bytes, bool ok, FrameStreamHandler& handler) {
  if (!ok) return handler.OnRead(nullptr, 0);
  size_t size = bytes.Length();
  grpc::ProtoBufferReader reader(&bytes);
  handler.OnRead(&reader, size);
}

// ------------------------------------------------------------------ dialler

grpc::ChannelArguments DialArguments() {
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  args.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  // One attempt a channel; the dialer backs off and makes a fresh one.
  // The least back-off is also the limit of a connect, which the dialer sets.
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 16000);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 16000);
  args.SetMaxReceiveMessageSize(core::kMaxFrameBytes);
  args.SetInt(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kHttpFrameBytes);
  return args;
}

class ClientStream final : public FrameStream,
                           public grpc::ClientBidiReactor<Bytes, Bytes>,
                           public std::enable_shared_from_this<ClientStream> {
 public:
  explicit ClientStream(const std::string& target)
      : stub_(grpc::CreateCustomChannel(
            target, grpc::InsecureChannelCredentials(), DialArguments())) {}

  void Start(std::shared_ptr<FrameStreamHandler> handler) override {
    self_ = shared_from_this();
    handler_ = std::move(handler);
    stub_.PrepareBidiStreamingCall(&context_, "/muster.v1.Peer/Link", {}, this);
    // Reads and writes start outside of reactions, until Release.
    AddHold();
    StartCall();
  }
  void Read() override { StartRead(&read_buffer_); }
  void Write(EncodedFrame frame, bool more) override {
    write_buffer_ = ToBytes(std::move(frame));
    StartWrite(&write_buffer_, WriteOptionsFor(more));
  }
  void End() override { StartWritesDone(); }
  void Release() override { RemoveHold(); }
  void Cancel() override { context_.TryCancel(); }

  void OnReadDone(bool ok) override { Hand(read_buffer_, ok, *handler_); }
  void OnWriteDone(bool ok) override { handler_->OnWritten(ok); }
  void OnWritesDoneDone(bool ok) override { handler_->OnWritten(ok); }
  void OnDone(const grpc::Status& status) override {
    std::shared_ptr<ClientStream> self = std::move(self_);
    std::exchange(handler_, nullptr)->OnClosed(Why(status));
  }

 private:
  static std::string Why(const grpc::Status& status) {
    if (status.ok()) return "the peer closed the link";
    // gRPC repeats itself; the last clause is the cause.
    const std::string& text = status.error_message();
    size_t cause = text.rfind("Connection refused");
    if (cause != std::string::npos) return "connection refused";
    // A node that is full, of guests too, closes a connection like that.
    for (absl::string_view hung_up : {"Socket closed", "Connection reset"}) {
      if (absl::StartsWith(text, "failed to connect") &&
          absl::StrContains(text, hung_up)) {
        return "it hung up at once, as a node does that has too many "
               "connections (its log says \"full\")";
      }
    }
    return text;
  }

  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  std::shared_ptr<ClientStream> self_;
  std::shared_ptr<FrameStreamHandler> handler_;
  Bytes read_buffer_;
  Bytes write_buffer_;
};

// gRPC's callback threads end with the last channel or server that uses them,
// and the thread that destroys that one waits for them. A stream may be
// destroyed on a callback thread: if its channel were the last, gRPC would
// abort. So one call, which never starts, keeps the threads for the life of the
// process.
void KeepCallbackThreads() {
  struct Keeper : grpc::ClientBidiReactor<Bytes, Bytes> {
    Keeper()
        : stub(grpc::CreateCustomChannel("ipv4:127.0.0.1:1",
                                         grpc::InsecureChannelCredentials(),
                                         DialArguments())) {
      stub.PrepareBidiStreamingCall(&context, "/muster.v1.Peer/Link", {}, this);
    }
    grpc::GenericStub stub;
    grpc::ClientContext context;
  };
  static Keeper* const keeper = new Keeper();
  static_cast<void>(keeper);
}

class GrpcConnector final : public Connector {
 public:
  GrpcConnector() { KeepCallbackThreads(); }
  std::shared_ptr<FrameStream> Connect(
      const asio::ip::tcp::endpoint& peer) override {
    std::string host = peer.address().to_string();
    if (peer.address().is_v4()) {
      return std::make_shared<ClientStream>(
          absl::StrCat("ipv4:", host, ":", peer.port()));
    }
    return std::make_shared<ClientStream>(
        absl::StrCat("ipv6:[", host, "]:", peer.port()));
  }
};

// ----------------------------------------------------------------- acceptor

class ServerStream final : public FrameStream,
                           public grpc::ServerBidiReactor<Bytes, Bytes> {
 public:
  explicit ServerStream(grpc::CallbackServerContext* context)
      : context_(context) {}

  // gRPC's hold on the reactor, until OnDone.
  void KeepAlive(std::shared_ptr<ServerStream> self) {
    self_ = std::move(self);
  }

  void Start(std::shared_ptr<FrameStreamHandler> handler) override
      ABSL_LOCKS_EXCLUDED(mutex_) {
    bool broken;
    {
      MutexLock lock(mutex_);
      handler_ = handler;
      broken = broken_;
    }
    if (broken) handler->OnBroken();
  }
  void Read() override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (!finished_) StartRead(&read_buffer_);
  }
  void Write(EncodedFrame frame, bool more) override
      ABSL_LOCKS_EXCLUDED(mutex_) {
    write_buffer_ = ToBytes(std::move(frame));
    MutexLock lock(mutex_);
    if (!finished_) StartWrite(&write_buffer_, WriteOptionsFor(more));
  }
  void End() override ABSL_LOCKS_EXCLUDED(mutex_) { FinishOnce(); }
  void Release() override ABSL_LOCKS_EXCLUDED(mutex_) { FinishOnce(); }
  void Cancel() override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (context_ != nullptr) context_->TryCancel();
  }

  void OnReadDone(bool ok) override { Hand(read_buffer_, ok, *Handler()); }
  void OnWriteDone(bool ok) override { Handler()->OnWritten(ok); }
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_) {
    std::shared_ptr<FrameStreamHandler> handler;
    {
      MutexLock lock(mutex_);
      broken_ = true;
      handler = handler_;
    }
    if (handler != nullptr) return handler->OnBroken();
    // The stream was never started, so nobody else will finish the call.
    FinishOnce();
  }
  void OnDone() override ABSL_LOCKS_EXCLUDED(mutex_) {
    std::shared_ptr<ServerStream> self = std::move(self_);
    std::shared_ptr<FrameStreamHandler> handler;
    {
      MutexLock lock(mutex_);
      context_ = nullptr;
      handler.swap(handler_);
    }
    if (handler != nullptr) handler->OnClosed("the peer closed the link");
  }

 private:
  std::shared_ptr<FrameStreamHandler> Handler() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return handler_;
  }
  void FinishOnce() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (!std::exchange(finished_, true)) Finish(grpc::Status::OK);
  }

  Mutex mutex_;
  grpc::CallbackServerContext* context_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<FrameStreamHandler> handler_ ABSL_GUARDED_BY(mutex_);
  // No operation may start any more.
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<ServerStream> self_;
  Bytes read_buffer_;
  Bytes write_buffer_;
};

class PeerService final
    : public v1::Peer::WithRawCallbackMethod_Link<v1::Peer::Service> {
 public:
  explicit PeerService(AcceptStream accept) : accept_(std::move(accept)) {}

  grpc::ServerBidiReactor<Bytes, Bytes>* Link(
      grpc::CallbackServerContext* context) override {
    auto stream = std::make_shared<ServerStream>(context);
    stream->KeepAlive(stream);
    accept_(stream, RemoteAddress(context->peer()));
    return stream.get();
  }

 private:
  const AcceptStream accept_;
};

}  // namespace

std::string RemoteAddress(const std::string& peer) {
  absl::string_view text = peer;
  if (absl::ConsumePrefix(&text, "ipv4:")) return std::string(text);
  if (!absl::ConsumePrefix(&text, "ipv6:")) return peer;
  if (!absl::ConsumePrefix(&text, "%5B")) return std::string(text);
  size_t end = text.find("%5D");
  if (end == absl::string_view::npos) return std::string(text);
  return absl::StrCat("[", text.substr(0, end), "]", text.substr(end + 3));
}

std::unique_ptr<Connector> MakeGrpcConnector() {
  return std::make_unique<GrpcConnector>();
}

std::unique_ptr<grpc::Service> MakeGrpcPeerService(AcceptStream accept) {
  return std::make_unique<PeerService>(std::move(accept));
}

}  // namespace muster::peer
