#include "node/core/stream/peer_positions.h"

#include <algorithm>

#include "crdt/check.h"

namespace muster::core {

using crdt::Seq;

namespace {
constexpr absl::Duration kAgeUnit = absl::Milliseconds(10);
}  // namespace

std::optional<PeerPosition> PeerPositions::Find(const Stream& stream) const {
  const Kind& kind = kinds_[static_cast<size_t>(stream.kind)];
  if (stream.idx >= kind.flags.size()) return std::nullopt;
  const uint8_t flags = kind.flags[stream.idx];
  if ((flags & kKnown) == 0) return std::nullopt;
  return PeerPosition{kind.seqs[stream.idx], (flags & kWanted) != 0,
                      (flags & kRebasing) != 0,
                      kAgeUnit * kind.ages[stream.idx]};
}

bool PeerPositions::Set(const Stream& stream, const PeerPosition& position) {
  const auto at = static_cast<size_t>(stream.kind);
  MUSTER_CHECK(at < kinds_.size());
  Kind& kind = kinds_[at];
  if (stream.idx >= kind.flags.size()) {
    kind.flags.resize(stream.idx + 1);
    kind.seqs.resize(stream.idx + 1);
    kind.ages.resize(stream.idx + 1);
    if (catching_up_) kind.first.resize(stream.idx + 1);
  }
  uint8_t& flags = kind.flags[stream.idx];
  const bool first = (flags & kKnown) == 0;
  flags = kKnown | kNamed;
  if (position.wanted) flags |= kWanted;
  if (position.rebasing) flags |= kRebasing;
  kind.seqs[stream.idx] = position.seq;
  kind.ages[stream.idx] = static_cast<uint16_t>(
      std::clamp<int64_t>(position.age / kAgeUnit, 0, UINT16_MAX));
  if (catching_up_) {
    Seq& lowest = kind.first[stream.idx];
    lowest = first ? position.seq : std::min(lowest, position.seq);
  }
  return first;
}

void PeerPositions::Forget(const Stream& stream) {
  Kind& kind = kinds_[static_cast<size_t>(stream.kind)];
  if (stream.idx < kind.flags.size()) kind.flags[stream.idx] = 0;
}

void PeerPositions::BeginFull() {
  in_full_ = true;
  for (Kind& kind : kinds_) {
    for (uint8_t& flags : kind.flags) flags &= static_cast<uint8_t>(~kNamed);
  }
}

void PeerPositions::EndFull() {
  in_full_ = false;
  for (Kind& kind : kinds_) {
    for (uint8_t& flags : kind.flags) {
      if ((flags & kNamed) == 0) flags = 0;
    }
  }
}

bool PeerPositions::CaughtUp(Here here) const {
  for (size_t at = 0; at < kinds_.size(); ++at) {
    const Kind& kind = kinds_[at];
    for (StreamIdx idx = 0; idx < kind.first.size(); ++idx) {
      const uint8_t both = kKnown | kWanted;
      if ((kind.flags[idx] & both) != both) continue;
      if (here(static_cast<crdt::StreamKind>(at), idx) < kind.first[idx]) {
        return false;
      }
    }
  }
  return true;
}

void PeerPositions::StopCatchingUp() {
  catching_up_ = false;
  for (Kind& kind : kinds_) std::vector<Seq>().swap(kind.first);
}

}  // namespace muster::core
