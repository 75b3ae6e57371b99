#include "transport/peer/link.h"

#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "transport/peer/address.h"

namespace muster::peer {

using codec::LinkRole;
using Clock = std::chrono::steady_clock;

Link::Link(Loop& loop, const LinkPolicy& policy, Counters& counters,
           Owner& owner, Config config, std::shared_ptr<Pipe> pipe)
    : loop_(loop),
      policy_(policy),
      counters_(counters),
      owner_(owner),
      config_(std::move(config)),
      pipe_(std::move(pipe)),
      handshake_(policy, config_.role, config_.self, config_.nonce,
                 config_.probe, config_.prove_also),
      timer_(loop.io()) {}

Link::~Link() { pipe_->SetReceiver(nullptr); }

void Link::Start() {
  timer_.expires_after(inbound() ? kAcceptorLimit : kDiallerLimit);
  timer_.async_wait([this, alive = std::weak_ptr<bool>(alive_)](
                        const std::error_code& error) {
    if (error || alive.expired()) return;
    loop_.Step([this] { OnHandshakeTimeout(); });
  });
  if (std::optional<codec::EncodedFrame> first = handshake_.Begin()) {
    pipe_->Send(FrameClass::kControl, *std::move(first));
  }
  pipe_->SetReceiver(this);
}

bool Link::Send(const core::Frame& frame) {
  codec::EncodedFrame encoded = codec::EncodeFrame(frame);
  size_t size = encoded.size();
  if (!pipe_->Send(ClassOf(frame), std::move(encoded))) return false;
  counters_.Add(Counter::kFramesSent);
  counters_.Add(Counter::kBytesSent, size);
  return true;
}

void Link::Hang(std::optional<codec::Refusal> refusal) {
  timer_.cancel();
  pipe_->SetReceiver(nullptr);
  std::optional<codec::EncodedFrame> last;
  if (refusal) last = codec::EncodeRefusal(*refusal);
  pipe_->Close(std::move(last), /*drop_bulk=*/refusal.has_value());
  // The link is deleted before this timer ends; the pipe may not be.
  auto timer = std::make_shared<asio::steady_timer>(loop_.io(), kLinger);
  timer->async_wait(
      [timer, weak = std::weak_ptr<Pipe>(pipe_)](const std::error_code& error) {
        std::shared_ptr<Pipe> pipe = weak.lock();
        if (!error && pipe != nullptr && !pipe->closed()) pipe->Cancel();
      });
}

void Link::Abort() {
  timer_.cancel();
  pipe_->SetReceiver(nullptr);
  pipe_->Cancel();
}

void Link::OnHandshakeTimeout() {
  if (up_) return;
  Abort();
  owner_.OnLinkOver(*this, {.why = "no answer to the hello in time"});
}

void Link::OnPipeMessage(absl::StatusOr<codec::PeerMessage> message,
                         size_t bytes) {
  counters_.Add(Counter::kFramesReceived);
  counters_.Add(Counter::kBytesReceived, bytes);
  if (!message.ok()) {
    counters_.Add(Counter::kBadFrames);
    std::string fault(message.status().message());
    Hang(codec::Refusal{absl::StrCat("a frame makes no sense: ", fault)});
    owner_.OnLinkOver(*this, {.why = absl::StrCat("sent nonsense: ", fault),
                              .refused_here = true,
                              .reason = RefusalReason::kMalformed});
    return;
  }
  if (up_) {
    OnUpMessage(*std::move(message));
  } else {
    OnHandshakeMessage(*message);
  }
}

void Link::OnUpMessage(codec::PeerMessage message) {
  if (auto* frame = std::get_if<core::Frame>(&message)) {
    return owner_.OnLinkFrame(*this, std::move(*frame));
  }
  if (auto* refusal = std::get_if<codec::Refusal>(&message)) {
    return Do(Handshake::Refused{std::move(*refusal)});
  }
  Do(Handshake::Refuse{RefusalReason::kMalformed,
                       {"a second hello or proof on one link", false}});
}

void Link::OnHandshakeMessage(const codec::PeerMessage& message) {
  Handshake::Outcome outcome = handshake_.OnMessage(message);
  std::visit([this](const auto& s) { Do(s); }, outcome);
}

void Link::Do(const Handshake::Continue& step) {
  asked_ = Clock::now();
  if (step.send) pipe_->Send(FrameClass::kControl, *step.send);
  if (!inbound()) owner_.OnLinkAnswered(*this);
}

void Link::Do(const Handshake::Established& step) {
  timer_.cancel();
  up_ = true;
  hello_ = step.hello;
  hello_.dialed = config_.dialed;
  hello_.rtt = absl::FromChrono(Clock::now() - asked_);
  pipe_->SetStreaming(policy_.max_frame_bytes);
  if (step.send) pipe_->Send(FrameClass::kControl, *step.send);
  owner_.OnLinkEstablished(*this);
}

void Link::Do(const Handshake::Refuse& step) {
  Hang(step.refusal);
  owner_.OnLinkOver(*this, {.why = step.refusal.reason,
                            .permanent = step.refusal.permanent,
                            .refused_here = true,
                            .reason = step.reason});
}

void Link::Do(const Handshake::Refused& step) {
  Hang(std::nullopt);
  owner_.OnLinkOver(*this, {.why = step.refusal.reason,
                            .permanent = step.refusal.permanent,
                            .refused_there = true});
}

void Link::Do(const Handshake::Probed& step) {
  Hang(std::nullopt);
  owner_.OnLinkOver(*this, {.why = "probed", .probed = step.life});
}

void Link::OnPipeClosed(const std::string& why) {
  timer_.cancel();
  owner_.OnLinkOver(*this, {.why = why});
}

}  // namespace muster::peer
