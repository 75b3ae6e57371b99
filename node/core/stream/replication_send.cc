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
// Elements of rebases that one step walks over.
constexpr size_t kRebaseElements = 4096;

}  // namespace

void Replication::OnPull(LinkId id, const PullFrame& frame, Output& out) {
  Link* link = FindLink(id);
  if (link == nullptr) return;
  link->serving.erase(frame.stream);
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
  Link* link = FindLink(id);
  if (link != nullptr) link->window.Acked(frame.bulk_bytes);
}

void Replication::Pump(Output& out) {
  rebase_left_ = kRebaseElements;
  more_to_send_ = false;
  for (auto& [id, link] : links_) {
    if (link.receipts.due() && !Waits(id)) {
      Send(link, out, {0, AckFrame{link.receipts.Acknowledge()}});
    }
    PumpLink(link, out);
  }
}

void Replication::PumpLink(Link& link, Output& out) {
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
          link.serving.erase(at);
          continue;
        }
        ServedStream& serving = at->second;
        if (serving.state() != wanted) continue;
        if (rebases && rebase_left_ == 0) {
          more_to_send_ = true;
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
bool Replication::PumpStream(Link& link, Stream& stream, ServedStream& serving,
                             Output& out) {
  const crdt::MutationLog& log = streams_.log(stream.kind);
  Seq at = serving.cursor.at;
  if (!log.Reaches(stream.idx, at)) {
    StartRebase(stream, serving, at);
    return false;
  }
  uint64_t pending = log.last(stream.idx).value - at.value;
  if (pending == 0) {
    SendCheckpoint(link, stream, serving, out);
    return false;
  }
  if (!link.window.idle() && pending < kWorthSending &&
      streams_.now().mono - link.last_send < kMaxWait) {
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
  link.last_send = streams_.now().mono;
  ++counters_.deltas_out;
  counters_.bulk_bytes_out += frame.mutations->size();
  Send(link, out, {0, std::move(frame)});
  return true;
}

bool Replication::PumpRebase(Link& link, ServedStream& serving, Output& out) {
  std::optional<RebaseFrame> frame = serving.rebase().Next();
  // The receiver sweeps, then pulls what follows.
  if (serving.rebase().done()) serving.RebaseSent();
  if (!frame.has_value()) return false;
  rebase_left_ -= std::min<size_t>(rebase_left_, frame->count + 1);
  link.window.Sent(frame->payload->size());
  link.last_send = streams_.now().mono;
  counters_.bulk_bytes_out += frame->payload->size();
  Send(link, out, {0, *std::move(frame)});
  return true;
}

// The owner's word on what its stream should look like here, at least every
// checkpoint_interval; relays pass on the last one they were sent.
void Replication::SendCheckpoint(Link& link, Stream& stream,
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
