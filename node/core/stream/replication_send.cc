// The sending half of replication: serving streams within the windows.
#include <algorithm>
#include <utility>

#include "crdt/mutant.h"
#include "node/core/stream/replication.h"

namespace muster::core {

using crdt::Mutant;
using crdt::Mutated;
using crdt::Seq;

namespace {

// While a link waits for an acknowledgement, fewer mutations than this wait
// with it, for at most kMaxWait.
constexpr uint64_t kWorthSending = 128;
constexpr absl::Duration kMaxWait = absl::Milliseconds(3);
// With more links than kFewLinks they wait on idle links, too, for kPerLink of
// each: a mutation is a frame to each of them then, and a frame costs about as
// much as ten mutations.
constexpr size_t kFewLinks = 16;
constexpr absl::Duration kPerLink = absl::Microseconds(50);
// Links that one step sends to.
constexpr size_t kPumped = 64;
// Elements of rebases that one step walks over.
constexpr size_t kRebaseElements = 4096;

}  // namespace

void Replication::OnPull(LinkId id, const PullFrame& frame, Output& out) {
  LinkProgress* link = FindLink(id);
  if (link == nullptr) return;
  link->serving.erase(frame.stream);
  queue_.Unserve(frame.stream, id);
  queue_.Ready(id);
  if (frame.cancel) return;
  Stream* stream = streams_.Find(frame.stream);
  if (stream == nullptr || !MayServe(*stream) || frame.after > stream->vv) {
    return;
  }
  ServedStream& serving =
      link->serving.try_emplace(frame.stream, frame.after, frame.rebase_id)
          .first->second;
  if (frame.force_rebase ||
      !streams_.log(stream->kind).Reaches(stream->idx, frame.after)) {
    StartRebase(*stream, serving, frame.after);
  }
  PumpLink(*link, out);
}

void Replication::StartRebase(Stream& stream, ServedStream& serving, Seq have) {
  ++counters_.rebases_out;
  serving.StartRebase(std::make_unique<RebaseSender>(
      streams_, stream, serving.rebase_id(), have, options_.frame_bytes));
}

void Replication::OnAck(LinkId id, const AckFrame& frame) {
  LinkProgress* link = FindLink(id);
  if (link == nullptr) return;
  link->window.Acked(frame.bulk_bytes);
  queue_.Ready(id);
}

uint64_t Replication::WorthSending() const {
  return links_.size() > kFewLinks ? crdt::MutationLog::kRunCount
                                   : kWorthSending;
}

absl::Duration Replication::MaxWait(const LinkProgress& link) const {
  absl::Duration wait;
  if (links_.size() > kFewLinks) {
    wait = static_cast<int64_t>(links_.size()) * kPerLink;
  }
  return link.window.idle() ? wait : std::max(wait, kMaxWait);
}

void Replication::WakeLinks() {
  streams_.TakeMoved([this](const Stream& stream) {
    const crdt::MutationLog& log = streams_.log(stream.kind);
    queue_.OnLog(stream.id(), log.start(stream.idx), log.last(stream.idx));
  });
  queue_.MakeDue(streams_.now().mono);
}

void Replication::Pump(Output& out) {
  rebase_left_ = kRebaseElements;
  WakeLinks();
  const std::vector<LinkId> turn = queue_.Take(kPumped);
  more_to_send_ = !queue_.empty();
  for (const LinkId id : turn) {
    LinkProgress& link = links_.at(id);
    const bool waits = link.receipts.due() && Waits(id);
    if (waits) {
      queue_.Ready(id);
    } else if (link.receipts.due()) {
      Send(link, out, {0, AckFrame{link.receipts.Acknowledge()}});
    }
    PumpLink(link, out);
  }
}

void Replication::PumpLink(LinkProgress& link, Output& out) {
  // Deltas first; rebases share what the window leaves, turn by turn.
  for (bool rebases : {false, true}) {
    const auto wanted =
        rebases ? ServedStream::State::kRebase : ServedStream::State::kLog;
    bool more = true;
    while (more && link.window.open()) {
      more = false;
      for (auto it = link.serving.begin(); it != link.serving.end();) {
        auto at = it++;
        Stream* stream = streams_.Find(at->first);
        if (stream == nullptr || !MayServe(*stream)) {
          queue_.Unserve(at->first, link.id);
          link.serving.erase(at);
          continue;
        }
        ServedStream& serving = at->second;
        if (serving.state() != wanted) continue;
        if (rebases && rebase_left_ == 0) {
          more_to_send_ = true;
          queue_.Ready(link.id);
          return;
        }
        more |= rebases ? PumpRebase(link, serving, out)
                        : PumpStream(link, *stream, serving, out);
        if (!link.window.open()) break;
      }
    }
  }
}

// Sends one run of the log; false if there is nothing to send now.
bool Replication::PumpStream(LinkProgress& link, Stream& stream,
                             ServedStream& serving, Output& out) {
  const crdt::MutationLog& log = streams_.log(stream.kind);
  Seq at = serving.cursor.at;
  if (!log.Reaches(stream.idx, at)) {
    StartRebase(stream, serving, at);
    return false;
  }
  uint64_t pending = log.last(stream.idx).value - at.value;
  if (pending == 0) {
    SendCheckpoint(link, stream, serving, out);
    queue_.WakeAt(stream, link.id, at, at.Next());
    if (stream.own) queue_.At(link.id, serving.next_checkpoint);
    return false;
  }
  const absl::Duration wait = MaxWait(link);
  if (pending < WorthSending() && streams_.now().mono - link.last_send < wait) {
    queue_.WakeAt(stream, link.id, at, Seq(at.value + WorthSending()));
    queue_.At(link.id, link.last_send + wait);
    return false;
  }
  if (last_run_.stream != stream.id() || last_run_.first != at.Next() ||
      last_run_.log_last != log.last(stream.idx)) {
    auto run = log.Read(stream.idx, serving.cursor, options_.frame_bytes);
    if (Mutated(Mutant::kRelayChanges) && !stream.own) --run->bytes.back();
    last_run_ = {stream.id(),
                 log.last(stream.idx),
                 run->first,
                 run->count,
                 std::make_shared<const std::string>(std::move(run->bytes)),
                 serving.cursor};
  } else {
    serving.cursor = last_run_.after;
  }
  DeltaFrame frame{stream.id(), last_run_.first, last_run_.count,
                   last_run_.bytes};
  link.window.Sent(frame.mutations->size());
  in_flight_.insert(link.id);
  link.last_send = streams_.now().mono;
  ++counters_.deltas_out;
  counters_.bulk_bytes_out += frame.mutations->size();
  Send(link, out, {0, std::move(frame)});
  return true;
}

bool Replication::PumpRebase(LinkProgress& link, ServedStream& serving,
                             Output& out) {
  std::optional<RebaseFrame> frame = serving.rebase().Next();
  if (serving.rebase().again()) again_.insert(link.id);
  // The receiver sweeps, then pulls what follows.
  if (serving.rebase().done()) serving.RebaseSent();
  if (!frame.has_value()) return false;
  rebase_left_ -= std::min<size_t>(rebase_left_, frame->count + 1);
  link.window.Sent(frame->payload->size());
  in_flight_.insert(link.id);
  link.last_send = streams_.now().mono;
  counters_.bulk_bytes_out += frame->payload->size();
  Send(link, out, {0, *std::move(frame)});
  return true;
}

bool Replication::HoldsWriter(const Stream& own) const {
  const crdt::MutationLog& log = streams_.log(own.kind);
  return std::any_of(again_.begin(), again_.end(), [&](LinkId id) {
    const LinkProgress& link = links_.at(id);
    const auto serving = link.serving.find(own.id());
    if (serving == link.serving.end() || Silent(link)) return false;
    const RebaseSender* rebase = serving->second.rebase_or_null();
    return rebase != nullptr && rebase->again() &&
           log.MayLose(own.idx, rebase->needs_after(), log.budget() / 4);
  });
}

// The owner's word on what its stream should look like here, at least every
// checkpoint_interval; relays pass on the last one they were sent.
void Replication::SendCheckpoint(LinkProgress& link, Stream& stream,
                                 ServedStream& serving, Output& out) {
  CheckpointFrame frame;
  if (stream.own) {
    if (streams_.now().mono < serving.next_checkpoint) return;
    serving.next_checkpoint =
        streams_.now().mono + options_.checkpoint_interval;
    frame = {stream.id(), stream.vv,
             streams_.state(stream.kind).Digest(stream)};
  } else {
    auto pulling = pulling_.find(stream.id());
    if (pulling == pulling_.end() || !pulling->second.checkpoint.has_value() ||
        pulling->second.checkpoint->seq != serving.cursor.at ||
        serving.checkpointed == serving.cursor.at) {
      return;
    }
    frame = *pulling->second.checkpoint;
  }
  serving.checkpointed = frame.seq;
  Send(link, out, {0, frame});
}

}  // namespace muster::core
