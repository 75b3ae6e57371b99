#include "node/core/stream/replication.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "crdt/check.h"
#include "crdt/mutant.h"

namespace muster::core {

using crdt::Mutant;
using crdt::Mutated;
using crdt::Seq;
using crdt::StreamId;

namespace {

constexpr absl::Duration kPullAgain = absl::Milliseconds(100);

}  // namespace

Replication::Replication(const Options& options, StreamTable& streams,
                         Membership& membership)
    : options_(options.replication),
      max_streams_(8 * options.max_members),
      streams_(streams),
      membership_(membership) {}

// ------------------------------------------------------------------- links

LinkProgress* Replication::FindLink(LinkId link) {
  auto it = links_.find(link);
  return it == links_.end() ? nullptr : &it->second;
}

void Replication::Send(LinkProgress& link, Output& out, Frame frame) const {
  frame.beat = membership_.BeatOn(link.id);
  out.frames.push_back({link.id, std::move(frame)});
}

void Replication::OnLinked(LinkId id, const crdt::Origin& origin,
                           uint32_t feature_level, Output& out) {
  LinkProgress& link = links_[id];
  link = LinkProgress{};
  link.id = id;
  link.origin = origin;
  link.feature_level = feature_level;
  link.window = FlowWindow(options_.window_bytes);
  link.hearing = LinkHearing(streams_.now().mono);
  if (!catching_up_) link.positions.StopCatchingUp();
  SendFull(link, out);
  if (link.full_news.has_value()) new_links_.insert(id);
}

void Replication::OnUnlinked(LinkId id, Output& out) {
  const auto gone = links_.find(id);
  if (gone == links_.end()) return;
  for (const auto& [stream_id, serving] : gone->second.serving) {
    queue_.Unserve(stream_id, id);
  }
  queue_.Remove(id);
  in_flight_.erase(id);
  again_.erase(id);
  new_links_.erase(id);
  links_.erase(gone);
  for (auto& [stream_id, pulling] : pulling_) {
    if (pulling.source() != id) continue;
    Stream* stream = streams_.Find(stream_id);
    if (stream != nullptr) AbandonRebase(*stream, pulling);
    pulling.LoseSource();
    // A rebase that has arrived completely no longer needs its sender.
    if (stream == nullptr || pulling.sweeping()) continue;
    ChooseSource(*stream, out);
  }
}

void Replication::OnStreamGone(const StreamId& id) {
  StopServing(id);
  pulling_.erase(id);
  rebasing_.erase(id);
  const Stream* stream = streams_.Find(id);
  if (stream == nullptr) return;
  news_.erase(stream->news_number);
  for (auto& [link_id, link] : links_) {
    link.positions.Forget(*stream);
    link.untold.erase(id);
  }
}

void Replication::OnStreamLapsed(const Stream& stream) {
  OnStreamGone(stream.id());
  if (!stream.rebasing) lapsed_[stream.id()] = {stream.vv, stream.advanced};
}

void Replication::StopServing(const StreamId& id) {
  for (auto& [link_id, link] : links_) link.serving.erase(id);
  queue_.Drop(id);
}

bool Replication::IsHalf(const Stream& stream) {
  return stream.rebasing && !Mutated(Mutant::kServesInRebase);
}

bool Replication::MayServe(const Stream& stream) const {
  if (IsHalf(stream) || stream.dropping()) return false;
  return stream.own || streams_.now().mono - stream.advanced <= options_.stale;
}

void Replication::BadPeer(LinkId link, const std::string& what, Output& out) {
  ++counters_.bad_frames;
  out.log.push_back({LogLine::Level::kError,
                     absl::StrCat("a peer breaks the protocol: ", what)});
  out.closes.push_back({link, what, false});
}

// ---------------------------------------------------------------- applying

bool Replication::ApplyRun(Stream& stream, absl::string_view bytes, Seq first,
                           uint32_t count) {
  const Seq end(first.value + count);
  if (first <= stream.vv) {
    const uint64_t known = stream.vv.value - first.value + 1;
    streams_.grammar(stream.kind)
        .skip(bytes, static_cast<uint32_t>(known), crdt::kAnyBytes);
    first = stream.vv.Next();
  }
  absl::string_view fresh = bytes;
  const Seq before = stream.vv;
  const bool good =
      streams_.state(stream.kind).ApplyRun(stream, bytes, first, end);
  fresh.remove_suffix(bytes.size());
  const auto applied = static_cast<uint32_t>(stream.vv.value - before.value);
  streams_.log(stream.kind).Append(stream.idx, fresh, applied);
  counters_.mutations_in += applied;
  return good;
}

void Replication::CountBulk(LinkProgress& link, size_t bytes) {
  link.receipts.Received(bytes);
  queue_.Ready(link.id);
  link.brought = streams_.now().mono;
  counters_.bulk_bytes_in += bytes;
}

void Replication::OnDelta(LinkId id, const DeltaFrame& frame, Output& out) {
  LinkProgress* link = FindLink(id);
  if (link == nullptr) return;
  CountBulk(*link, frame.mutations->size());
  ++counters_.deltas_in;
  Stream* stream = streams_.Find(frame.stream);
  if (stream == nullptr || stream->own || stream->rebasing) return;
  Seq last(frame.first.value + frame.count - 1);
  if (last <= stream->vv) {
    ++counters_.duplicates;
    return;
  }
  PulledStream& pulling = pulling_[frame.stream];
  if (frame.first > stream->vv.Next() && !Mutated(Mutant::kSkipsGap)) {
    ++counters_.gaps;
    if (pulling.source() == id &&
        streams_.now().mono - pulling.last_pull() >= kPullAgain) {
      SendPull(*stream, pulling, id, out);
    }
    return;
  }
  if (!ApplyRun(*stream, *frame.mutations, frame.first, frame.count)) {
    BadPeer(id, "a delta that does not apply", out);
  }
  pulling.Progressed(streams_.now().mono);
}

// Whether deltas from another link, in flight at the pull, have brought the
// stream further than the rebase goes, or away from where it begins.
bool Replication::IsOvertaken(const Stream& stream,
                              const RebaseFrame& begin) const {
  if (stream.rebasing || begin.kind != RebaseFrame::Kind::kBegin) return false;
  return begin.seq < stream.vv ||
         (begin.have != Seq() && begin.have < stream.vv);
}

void Replication::OnRebase(LinkId id, const RebaseFrame& frame, Output& out) {
  LinkProgress* link = FindLink(id);
  if (link == nullptr) return;
  CountBulk(*link, frame.payload->size());
  Stream* stream = streams_.Find(frame.stream);
  if (stream == nullptr || stream->own) return;
  PulledStream& pulling = pulling_[frame.stream];
  if (pulling.source() != id || frame.rebase_id == 0 ||
      pulling.rebase_id() != frame.rebase_id) {
    return;
  }
  if (pulling.rebase() == nullptr) {
    if (!pulling.force && IsOvertaken(*stream, frame)) {
      const LinkId best = BestSource(*stream, 0);
      return SendPull(*stream, pulling, best == 0 ? id : best, out);
    }
    pulling.Begin(
        std::make_unique<RebaseReceiver>(streams_, *stream, frame.rebase_id));
    rebasing_.insert(frame.stream);
    stream->rebasing = true;
    stream->applied = std::max(stream->applied, stream->vv);
    if (IsHalf(*stream)) StopServing(frame.stream);
    ++counters_.rebases_in;
  }
  pulling.Check(*stream);
  if (pulling.sweeping()) return;
  pulling.Progressed(streams_.now().mono);
  OnRebaseStep(*stream, pulling, pulling.rebase()->OnFrame(frame), out);
}

void Replication::OnRebaseStep(Stream& stream, PulledStream& pulling,
                               RebaseReceiver::Outcome outcome, Output& out) {
  pulling.Applied();
  if (outcome != RebaseReceiver::Outcome::kGap &&
      outcome != RebaseReceiver::Outcome::kBad) {
    return;
  }
  // Our state is not the one that the peer expects: rebase again, from 0.
  if (outcome == RebaseReceiver::Outcome::kBad) pulling.force = true;
  if (streams_.now().mono - pulling.last_pull() < kPullAgain) {
    AbandonRebase(stream, pulling);
  } else {
    SendPull(stream, pulling, pulling.source(), out);
  }
}

bool Replication::has_work() const {
  return more_to_send_ ||
         std::any_of(rebasing_.begin(), rebasing_.end(), [this](StreamId id) {
           return pulling_.at(id).rebase()->has_work();
         });
}

bool Replication::RunJob(Output& out) {
  for (const StreamId id : rebasing_) {
    PulledStream& pulling = pulling_.at(id);
    if (!pulling.rebase()->has_work()) continue;
    Stream* stream = streams_.Find(id);
    if (stream == nullptr) continue;
    pulling.Check(*stream);
    if (pulling.rebasing()) {
      pulling.Progressed(streams_.now().mono);
      OnRebaseStep(*stream, pulling, pulling.rebase()->Run(), out);
    } else if (pulling.rebase()->Sweep()) {
      FinishRebase(*stream, pulling, out);
    }
    break;
  }
  return has_work();
}

// Frames that wait to be applied are not acknowledged, so that the flow-control
// window bounds them.
bool Replication::Waits(LinkId link) const {
  return std::any_of(rebasing_.begin(), rebasing_.end(), [&](StreamId id) {
    const PulledStream& pulling = pulling_.at(id);
    return pulling.source() == link && pulling.rebase()->waits();
  });
}

void Replication::FinishRebase(Stream& stream, PulledStream& pulling,
                               Output& out) {
  std::unique_ptr<RebaseReceiver> rebase = pulling.Finish();
  rebasing_.erase(stream.id());
  const uint64_t digest = rebase->final_digest();
  stream.vv = rebase->final_seq();
  stream.applied = stream.vv;
  rebase.reset();
  stream.rebasing = false;
  streams_.Settle(stream);
  streams_.log(stream.kind).Reset(stream.idx, stream.vv);
  bool equal = streams_.state(stream.kind).Digest(stream) == digest;
  bool was_forced = pulling.force;
  pulling.force = !equal && !was_forced;
  if (!equal) {
    ++counters_.digest_mismatches;
    out.log.push_back(
        {LogLine::Level::kError,
         absl::StrCat("digest of the stream of ", stream.origin.node,
                      " differs after a rebase: a bug; repairing from 0")});
  }
  const LinkId best = BestSource(stream, 0);
  if (best != 0) {
    SendPull(stream, pulling, best, out);
  } else if (links_.contains(pulling.source())) {
    SendPull(stream, pulling, pulling.source(), out);
  }
}

void Replication::OnCheckpoint(LinkId id, const CheckpointFrame& frame,
                               Output& out) {
  if (FindLink(id) == nullptr) return;
  Stream* stream = streams_.Find(frame.stream);
  if (stream == nullptr || stream->own || stream->rebasing) return;
  PulledStream& pulling = pulling_[frame.stream];
  if (pulling.source() != id || stream->vv != frame.seq) return;
  pulling.checkpoint = frame;
  queue_.WakeAll(frame.stream);
  Compare(*stream, frame, out);
}

void Replication::Compare(Stream& stream, const CheckpointFrame& frame,
                          Output& out) {
  ++counters_.checkpoints;
  if (streams_.state(stream.kind).Digest(stream) == frame.digest) return;
  ++counters_.digest_mismatches;
  out.log.push_back(
      {LogLine::Level::kError,
       absl::StrCat("digest of the stream of ", stream.origin.node,
                    " differs at seq ", frame.seq.value,
                    ": a bug; repairing by a rebase from 0")});
  PulledStream& pulling = pulling_[stream.id()];
  pulling.force = true;
  SendPull(stream, pulling, pulling.source(), out);
}

// -------------------------------------------------------------------- tick

void Replication::Tick(Output& out) {
  Instant now = streams_.now().mono;
  std::vector<Stream*> streams;
  streams_.ForSome(check_next_, SliceOf(streams_.size()), [&](Stream& stream) {
    if (!stream.own) streams.push_back(&stream);
  });
  for (Stream* stream : streams) CheckProgress(*stream, out);
  TellPositions(now, out);
  for (auto at = in_flight_.begin(); at != in_flight_.end();) {
    FlowWindow& window = links_.at(*at).window;
    membership_.OnBulk(*at, window.Progressed(), streams_.now());
    at = window.idle() ? in_flight_.erase(at) : std::next(at);
  }
}

uint64_t Replication::UnackedBytes(LinkId link) const {
  const auto it = links_.find(link);
  return it == links_.end() ? 0 : it->second.window.in_flight();
}

std::vector<std::pair<std::string, uint64_t>> Replication::Counters() const {
  return {{"deltas_in", counters_.deltas_in},
          {"mutations_in", counters_.mutations_in},
          {"duplicate_deltas", counters_.duplicates},
          {"delta_gaps", counters_.gaps},
          {"deltas_out", counters_.deltas_out},
          {"bulk_bytes_out", counters_.bulk_bytes_out},
          {"bulk_bytes_in", counters_.bulk_bytes_in},
          {"pulls", counters_.pulls},
          {"source_changes", counters_.source_changes},
          {"rebases_in", counters_.rebases_in},
          {"rebases_out", counters_.rebases_out},
          {"rebase_restarts", counters_.rebase_restarts},
          {"checkpoints", counters_.checkpoints},
          {"digest_mismatches", counters_.digest_mismatches},
          {"bad_peer_frames", counters_.bad_frames},
          {"log_bytes", streams_.log_bytes()}};
}

}  // namespace muster::core
