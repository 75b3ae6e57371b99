// The state of hearing on a link to a peer: whether frames come at all, and
// whether the peer has told its positions.
//
//          full positions            a frame after a silence
//   kNew ------------------> kTold ---------------------------> kBack
//                              ^                                  |
//                              +------------ positions -----------+
//
//   kNew   the link is up; the peer has not told its positions
//   kTold  the peer has told them, and is heard
//   kBack  the peer was silent and is heard again, but has told no positions
//          since: the next ones are news, as on a new link
//
// Beats travel on every link. A link without beats is *silent*, open or not,
// and nothing is pulled over it.
#ifndef MUSTER_NODE_CORE_STREAM_LINK_HEARING_H_
#define MUSTER_NODE_CORE_STREAM_LINK_HEARING_H_

#include <cstdint>

#include "absl/time/time.h"
#include "node/core/time.h"

namespace muster::core {

class LinkHearing {
 public:
  enum class State : uint8_t { kNew, kTold, kBack };
  static constexpr absl::Duration kSilent = absl::Seconds(1);

  LinkHearing() = default;
  // The link is up.
  explicit LinkHearing(Instant now) : heard_(now) {}

  State state() const { return state_; }
  // Whether the peer has ever told the positions of all its streams.
  bool told() const { return state_ != State::kNew; }
  bool silent(Instant now) const { return now - heard_ > kSilent; }

  // A frame has come, of any kind.
  void Heard(Instant now) {
    if (state_ == State::kTold && silent(now)) state_ = State::kBack;
    heard_ = now;
  }
  // Positions have come, of all streams if they are `full`. True: they are the
  // first since the link came up, or since a silence.
  bool Told(bool full) {
    const bool news = state_ != State::kTold;
    if (full || state_ == State::kBack) state_ = State::kTold;
    return news;
  }

 private:
  State state_ = State::kNew;
  Instant heard_{0};
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_STREAM_LINK_HEARING_H_
