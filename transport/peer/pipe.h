// One end of a link between threads: what the loop sends goes into a queue and
// out by the stream's threads; what the stream reads is decoded there and comes
// to the loop in batches.
//
//   loop --Send--> [SendQueue] --Write, OnWritten--> stream
//   loop <--Receiver-- [inbox] <--decode-- OnRead --- stream
//
// The first write of an idle link is issued by the loop itself, at once; those
// that follow by the thread that finished the one before. Reading stops while
// the inbox is full (kMaxInboxBytes: back-pressure), and, until SetStreaming,
// while a message waits for the loop: a stranger can make this node do no more
// work than that.
//
// Life: Start, any number of Sends, then Close (orderly) or Cancel, or the peer
// ends it; Receiver::OnPipeClosed is the last call. The stream holds the pipe
// until then, so that nothing needs the loop to come to an end.
//
// Threads. Public methods and Receiver calls: the loop thread, except Start.
// The handler methods: any.
#ifndef MUSTER_TRANSPORT_PEER_PIPE_H_
#define MUSTER_TRANSPORT_PEER_PIPE_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "node/codec/peer_codec.h"
#include "node/mutex.h"
#include "node/runtime/loop.h"
#include "transport/peer/frame_stream.h"
#include "transport/peer/send_queue.h"

namespace muster::peer {

class Pipe final : public FrameStreamHandler,
                   public std::enable_shared_from_this<Pipe> {
 public:
  class Receiver {
   public:
    virtual ~Receiver() = default;
    // An error is a message that made no sense; none follows it.
    virtual void OnPipeMessage(absl::StatusOr<codec::PeerMessage> message,
                               size_t bytes) = 0;
    virtual void OnPipeClosed(const std::string& why) = 0;
  };

  static constexpr size_t kMaxInboxBytes = 4 << 20;

  Pipe(std::shared_ptr<Loop> loop, std::shared_ptr<FrameStream> stream);
  ~Pipe() override;

  void Start();
  // Null: what comes from now on is discarded. Until the first receiver is
  // set, messages wait.
  void SetReceiver(Receiver* receiver);
  // The handshake is over: frames of up to `max_frame_bytes` may follow each
  // other.
  void SetStreaming(size_t max_frame_bytes) ABSL_LOCKS_EXCLUDED(mutex_);

  // False if the queue is full; the link should be closed then.
  bool Send(FrameClass frame_class, codec::EncodedFrame frame)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Sends what is queued (with `drop_bulk` only what is control), then `last`,
  // then the end.
  void Close(std::optional<codec::EncodedFrame> last, bool drop_bulk)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Cancel() ABSL_LOCKS_EXCLUDED(mutex_);
  bool closed() const { return closed_; }

  // FrameStreamHandler
  void OnRead(google::protobuf::io::ZeroCopyInputStream* message,
              size_t size) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWritten(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnBroken() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnClosed(const std::string& why) override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Inbound {
    absl::StatusOr<codec::PeerMessage> message;
    size_t bytes;
  };
  // What to ask of the stream, decided under the mutex and done outside it.
  struct Next {
    bool read = false;
    bool end = false;
    bool release = false;
    std::optional<codec::EncodedFrame> write;
    bool more = false;
  };

  absl::StatusOr<codec::PeerMessage> Decode(
      google::protobuf::io::ZeroCopyInputStream& message, size_t size)
      ABSL_LOCKS_EXCLUDED(mutex_);
  Next TakeNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool WantsRead() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether a delivery must be posted.
  bool ScheduleDelivery() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Do(Next next);
  void PostDelivery();
  // On the loop: hands over what the inbox holds, for half a millisecond.
  void Deliver() ABSL_LOCKS_EXCLUDED(mutex_);
  size_t DeliverBatch();

  const std::shared_ptr<Loop> loop_;
  const std::shared_ptr<FrameStream> stream_;

  Mutex mutex_;
  SendQueue queue_ ABSL_GUARDED_BY(mutex_);
  std::vector<Inbound> inbox_ ABSL_GUARDED_BY(mutex_);
  // Bytes of messages that the loop has not handled yet.
  size_t inbox_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<std::string> closed_why_ ABSL_GUARDED_BY(mutex_);
  bool delivery_scheduled_ ABSL_GUARDED_BY(mutex_) = false;
  // The stream knows this pipe; before that, nothing may be asked of it.
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  bool streaming_ ABSL_GUARDED_BY(mutex_) = false;
  size_t max_message_bytes_ ABSL_GUARDED_BY(mutex_) = codec::kMaxHandshakeBytes;
  // A message made no sense, or nobody wants what comes: it is not kept.
  bool discarding_ ABSL_GUARDED_BY(mutex_) = false;
  // The stream is broken: what is left in it is read without waiting.
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  bool read_pending_ ABSL_GUARDED_BY(mutex_) = false;
  bool write_pending_ ABSL_GUARDED_BY(mutex_) = false;
  bool writes_broken_ ABSL_GUARDED_BY(mutex_) = false;
  bool reads_over_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  bool end_sent_ ABSL_GUARDED_BY(mutex_) = false;
  bool released_ ABSL_GUARDED_BY(mutex_) = false;

  // The loop thread's own.
  Receiver* receiver_ = nullptr;
  bool receiver_known_ = false;
  bool closed_ = false;
  std::deque<Inbound> batch_;
};

}  // namespace muster::peer

#endif  // MUSTER_TRANSPORT_PEER_PIPE_H_
