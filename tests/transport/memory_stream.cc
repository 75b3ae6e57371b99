#include "tests/transport/memory_stream.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <optional>
#include <utility>

namespace muster::peer {
namespace {

constexpr int kThreads = 3;

}  // namespace

// What both ends of a stream share.
struct MemoryNet::Wire {
  Mutex mutex;
  bool broken ABSL_GUARDED_BY(mutex) = false;
  std::weak_ptr<Stream> ends[2] ABSL_GUARDED_BY(mutex);
};

class MemoryNet::Stream : public FrameStream,
                          public std::enable_shared_from_this<Stream> {
 public:
  Stream(MemoryNet& net, std::shared_ptr<Wire> wire, int side)
      : net_(net), wire_(std::move(wire)), side_(side) {}

  // The dialler's end finds the acceptor when it starts.
  void DialOnStart(const asio::ip::tcp::endpoint& to) { dial_ = to; }

  void Start(std::shared_ptr<FrameStreamHandler> handler) override {
    MutexLock lock(wire_->mutex);
    handler_ = std::move(handler);
    self_ = shared_from_this();
    if (dial_) net_.Later([self = self_] { self->Dial(); });
  }
  void Read() override {
    MutexLock lock(wire_->mutex);
    read_wanted_ = true;
    Pump();
  }
  void Write(codec::EncodedFrame frame, bool) override {
    std::string bytes = frame.head + (frame.payload ? *frame.payload : "");
    MutexLock lock(wire_->mutex);
    bool ok = !wire_->broken && !closing_;
    if (ok) {
      if (std::shared_ptr<Stream> other = Other()) {
        other->Take(std::move(bytes));
      } else {
        early_.push_back(std::move(bytes));
      }
    }
    Call([ok](FrameStreamHandler& h) { h.OnWritten(ok); });
  }
  void MarkEnded() ABSL_EXCLUSIVE_LOCKS_REQUIRED(wire_->mutex) {
    ended_ = true;
    if (std::shared_ptr<Stream> other = Other()) other->TakeEnd();
  }
  void End() override {
    MutexLock lock(wire_->mutex);
    MarkEnded();
    // The acceptor's end is the end of the call.
    if (side_ == 1) {
      closing_ = true;
      Pump();
      MaybeClose();
    } else {
      Call([](FrameStreamHandler& h) { h.OnWritten(true); });
    }
  }
  void Release() override {
    MutexLock lock(wire_->mutex);
    MarkEnded();
    closing_ = true;
    MaybeClose();
  }
  void Cancel() override { Break(); }

  void Break() {
    MutexLock lock(wire_->mutex);
    if (std::exchange(wire_->broken, true)) return;
    for (std::weak_ptr<MemoryNet::Stream>& weak : wire_->ends) {
      std::shared_ptr<MemoryNet::Stream> end = weak.lock();
      if (end != nullptr) end->TakeBreak();
    }
  }

 private:
  friend class MemoryNet;

  void Dial() {
    PeerTransport* transport = net_.At(*dial_);
    if (transport == nullptr) {
      {
        MutexLock lock(wire_->mutex);
        why_ = "connection refused";
      }
      Break();
      return;
    }
    auto acceptor = std::make_shared<MemoryNet::Stream>(net_, wire_, 1);
    {
      MutexLock lock(wire_->mutex);
      wire_->ends[1] = acceptor;
      for (std::string& bytes : early_) acceptor->Take(std::move(bytes));
      early_.clear();
      if (ended_) acceptor->TakeEnd();
    }
    transport->Accept(acceptor, "127.0.0.1:1");
  }

  std::shared_ptr<MemoryNet::Stream> Other()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(wire_->mutex) {
    return wire_->ends[1 - side_].lock();
  }
  void Take(std::string bytes) {
    wire_->mutex.AssertHeld();
    inbox_.push_back(std::move(bytes));
    Pump();
  }
  void TakeEnd() {
    wire_->mutex.AssertHeld();
    over_ = true;
    Pump();
  }
  void TakeBreak() {
    wire_->mutex.AssertHeld();
    over_ = true;
    inbox_.clear();
    if (handler_ == nullptr) return;
    Call([](FrameStreamHandler& h) { h.OnBroken(); });
    Pump();
  }
  // Answers a read, if there is an answer.
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(wire_->mutex) {
    if (!read_wanted_ || handler_ == nullptr) return;
    if (inbox_.empty() && !over_ && !closing_) return;
    read_wanted_ = false;
    if (inbox_.empty() || closing_) {
      Call([](FrameStreamHandler& h) { h.OnRead(nullptr, 0); });
      return;
    }
    std::string bytes = std::move(inbox_.front());
    inbox_.pop_front();
    Call([bytes = std::move(bytes)](FrameStreamHandler& h) {
      google::protobuf::io::ArrayInputStream input(
          bytes.data(), static_cast<int>(bytes.size()));
      h.OnRead(&input, bytes.size());
    });
  }
  void Call(absl::AnyInvocable<void(FrameStreamHandler&)> call)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(wire_->mutex) {
    if (handler_ == nullptr) return;
    ++calls_;
    net_.Later([self = shared_from_this(), handler = handler_,
                call = std::move(call)]() mutable {
      call(*handler);
      MutexLock lock(self->wire_->mutex);
      --self->calls_;
      self->MaybeClose();
    });
  }
  // OnClosed is the last call: when no other is on its way.
  void MaybeClose() ABSL_EXCLUSIVE_LOCKS_REQUIRED(wire_->mutex) {
    if (!closing_ || calls_ > 0 || handler_ == nullptr) return;
    net_.Later([self = std::move(self_), handler = std::move(handler_),
                why = why_] { handler->OnClosed(why); });
    handler_ = nullptr;
  }

  MemoryNet& net_;
  const std::shared_ptr<Wire> wire_;
  const int side_;  // 0: the dialler's.
  std::optional<asio::ip::tcp::endpoint> dial_;
  std::string why_ ABSL_GUARDED_BY(wire_->mutex) = "the peer closed the link";
  std::shared_ptr<MemoryNet::Stream> self_ ABSL_GUARDED_BY(wire_->mutex);
  std::shared_ptr<FrameStreamHandler> handler_ ABSL_GUARDED_BY(wire_->mutex);
  std::deque<std::string> inbox_ ABSL_GUARDED_BY(wire_->mutex);
  // Written before there was another end.
  std::deque<std::string> early_ ABSL_GUARDED_BY(wire_->mutex);
  int calls_ ABSL_GUARDED_BY(wire_->mutex) = 0;
  bool read_wanted_ ABSL_GUARDED_BY(wire_->mutex) = false;
  bool over_ ABSL_GUARDED_BY(wire_->mutex) = false;
  bool ended_ ABSL_GUARDED_BY(wire_->mutex) = false;
  bool closing_ ABSL_GUARDED_BY(wire_->mutex) = false;
};

class MemoryNet::NetConnector : public Connector {
 public:
  explicit NetConnector(MemoryNet& net) : net_(net) {}
  std::shared_ptr<FrameStream> Connect(
      const asio::ip::tcp::endpoint& peer) override {
    auto wire = std::make_shared<Wire>();
    auto end = std::make_shared<Stream>(net_, wire, 0);
    end->DialOnStart(peer);
    {
      MutexLock lock(wire->mutex);
      wire->ends[0] = end;
    }
    std::lock_guard<std::mutex> lock(net_.mutex_);
    net_.wires_.push_back(wire);
    return end;
  }

 private:
  MemoryNet& net_;
};

MemoryNet::MemoryNet() {
  for (int i = 0; i < kThreads; ++i) {
    threads_.emplace_back([this] { Work(); });
  }
}

MemoryNet::~MemoryNet() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void MemoryNet::Listen(const asio::ip::tcp::endpoint& at,
                       PeerTransport* transport) {
  std::lock_guard<std::mutex> lock(mutex_);
  listening_[at] = transport;
}

std::unique_ptr<Connector> MemoryNet::MakeConnector() {
  return std::make_unique<NetConnector>(*this);
}

PeerTransport* MemoryNet::At(const asio::ip::tcp::endpoint& endpoint) {
  std::lock_guard<std::mutex> lock(mutex_);
  ++dials_[endpoint];
  auto it = listening_.find(endpoint);
  return it == listening_.end() ? nullptr : it->second;
}

size_t MemoryNet::Dials(const asio::ip::tcp::endpoint& endpoint) {
  std::lock_guard<std::mutex> lock(mutex_);
  return dials_[endpoint];
}

void MemoryNet::BreakAll() {
  std::vector<std::weak_ptr<Wire>> wires;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    wires.swap(wires_);
  }
  for (const std::weak_ptr<Wire>& weak : wires) {
    std::shared_ptr<Wire> wire = weak.lock();
    if (wire == nullptr) continue;
    std::shared_ptr<Stream> end;
    {
      MutexLock lock(wire->mutex);
      end = wire->ends[0].lock();
    }
    if (end != nullptr) end->Break();
  }
}

void MemoryNet::Later(absl::AnyInvocable<void()> call) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    calls_.push_back(std::move(call));
  }
  wake_.notify_one();
}

void MemoryNet::Work() {
  while (true) {
    absl::AnyInvocable<void()> call;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !calls_.empty(); });
      if (calls_.empty()) return;
      call = std::move(calls_.front());
      calls_.pop_front();
    }
    call();
  }
}

}  // namespace muster::peer
