#include "bench/loader.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace muster::bench {

Loader::Loader(const std::string& address, const Load& load, size_t connections)
    : load_(load), sent_(load.size(), 0) {
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (size_t i = 0; i < connections; ++i) {
    channels.push_back(Connect(address));
  }
  for (size_t s = 0; s < load.size(); ++s) {
    streams_.push_back(std::make_unique<SessionsStream>(
        channels[s % connections],
        [this, s](const Answer& answer) { OnAnswer(s, answer); }));
  }
}

LoadTimes Loader::Run(size_t window) {
  size_t expected = 0;
  absl::MutexLock lock(&mutex_);
  for (const auto& messages : load_) {
    unanswered_ += messages.size();
    for (const EncodedMessage& message : messages) expected += message.tracks;
  }
  times_.first_send = Clock();
  for (size_t i = 0; i < window; ++i) {
    for (size_t s = 0; s < streams_.size(); ++s) {
      if (i >= load_[s].size()) continue;
      streams_[s]->Send(load_[s][i].bytes);
      sent_[s] = i + 1;
    }
  }
  const auto all_answered = [this] {
    mutex_.AssertReaderHeld();
    return unanswered_ == 0;
  };
  if (!mutex_.AwaitWithTimeout(absl::Condition(&all_answered),
                               absl::Minutes(2))) {
    Die(absl::StrCat("after two minutes ", unanswered_,
                     " messages of the load are not acknowledged"));
  }
  if (times_.tracked != expected) {
    Die(absl::StrCat("tracked ", times_.tracked, " of ", expected));
  }
  return times_;
}

void Loader::OnAnswer(size_t stream, const Answer& answer) {
  const grpc::ByteBuffer* next = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    times_.tracked += answer.tracked;
    size_t& sent = sent_[stream];
    if (sent < load_[stream].size()) next = &load_[stream][sent++].bytes;
    if (--unanswered_ == 0) times_.last_answer = Clock();
  }
  if (next != nullptr) streams_[stream]->Send(*next);
}

void Loader::ForgiveErrors() {
  for (const auto& stream : streams_) stream->ForgiveErrors();
}

}  // namespace muster::bench
