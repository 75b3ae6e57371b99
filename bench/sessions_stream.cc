#include "bench/sessions_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace muster::bench {
namespace {

constexpr char kMethod[] = "/muster.v1.Presence/Sessions";

}  // namespace

std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, 64 << 20);
  // As muster::client does.
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, 1 << 20);
  auto channel = grpc::CreateCustomChannel(
      address, grpc::InsecureChannelCredentials(), arguments);
  const auto deadline =
      std::chrono::system_clock::now() + std::chrono::seconds(10);
  if (!channel->WaitForConnected(deadline)) {
    Die(absl::StrCat("cannot connect to ", address));
  }
  return channel;
}

SessionsStream::SessionsStream(const std::shared_ptr<grpc::Channel>& channel,
                               OnAnswer on_answer)
    : stub_(channel), on_answer_(std::move(on_answer)) {
  stub_.PrepareBidiStreamingCall(&context_, kMethod, grpc::StubOptions(), this);
  AddHold();
  StartRead(&read_);
  StartCall();
}

SessionsStream::~SessionsStream() {
  ForgiveErrors();
  context_.TryCancel();
  RemoveHold();
  done_.WaitForNotification();
}

void SessionsStream::Send(const grpc::ByteBuffer& message) {
  absl::MutexLock lock(&mutex_);
  queue_.push_back(message);
  if (writing_) return;
  writing_ = true;
  StartWrite(&queue_.front());
}

void SessionsStream::ForgiveErrors() {
  absl::MutexLock lock(&mutex_);
  forgiving_ = true;
}

void SessionsStream::OnReadDone(bool ok) {
  if (!ok) return;
  Answer answer;
  if (!ReadAnswer(read_, answer)) Die("a node sent a malformed answer");
  if (answer.errors > 0) {
    absl::MutexLock lock(&mutex_);
    if (!forgiving_) {
      Die(absl::StrCat("a node refused: ", FirstError(read_)));
    }
  }
  // Before the next read: its reaction may come on another thread, at once.
  if (answer.number != 0) on_answer_(answer);
  StartRead(&read_);
}

void SessionsStream::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mutex_);
  queue_.pop_front();
  writing_ = ok && !queue_.empty();
  if (writing_) StartWrite(&queue_.front());
}

void SessionsStream::OnDone(const grpc::Status& status) {
  {
    absl::MutexLock lock(&mutex_);
    if (!forgiving_) {
      Die(absl::StrCat("a Sessions stream ended: ", status.error_message()));
    }
  }
  done_.Notify();
}

}  // namespace muster::bench
