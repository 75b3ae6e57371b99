#include "node/core/membership/beat_sender.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace muster::core {
namespace {

// Links, and addresses, that a beat goes to in one tick, at least.
constexpr size_t kSlice = 64;
constexpr absl::Duration kTick = absl::Milliseconds(10);

}  // namespace

BeatSender::BeatSender(absl::Duration interval, uint64_t seed, Now now,
                       const OwnLife& own, const MemberTable& table,
                       PeerLinks& links, MembershipJournal& journal)
    : interval_(interval),
      own_(own),
      table_(table),
      links_(links),
      journal_(journal),
      clock_(interval, seed, now.mono) {}

void BeatSender::Tick(StepContext& step) {
  if (clock_.Advance(step.now.mono)) Begin(step);
  Continue(Slice(), step);
}

void BeatSender::Farewell(StepContext& step) {
  // Graces count from its last beat that was heard: that is this one.
  clock_.AdvanceAtOnce(step.now.mono);
  for (auto& [id, link] : links_.all()) {
    link.announced = clock_.number();
    step.out.frames.push_back({id, {clock_.number(), LeavingFrame{}}});
  }
}

void BeatSender::SendReport(const std::string& address,
                            const BeatReport& report, StepContext& step) const {
  BeatDatagram datagram = OwnBeat();
  datagram.others.push_back(report);
  journal_.Add(Counter::kDatagramsSent);
  step.out.beats.push_back(
      {address, std::make_shared<const BeatDatagram>(std::move(datagram))});
}

uint64_t BeatSender::BeatOn(LinkId id) const {
  const PeerLink* link = round_.on_links ? links_.Find(id) : nullptr;
  return link == nullptr ? clock_.number() : link->announced;
}

BeatDatagram BeatSender::OwnBeat() const {
  return {own_.origin, clock_.number(), presence_seq_, {}};
}

BeatDatagram BeatSender::BeatWithSample(Instant now) {
  BeatDatagram beat = OwnBeat();
  beat.others = sample_.Next(table_, own_.origin.node.size(), now);
  return beat;
}

// A life that beats on after it ended has not heard of its end. It is sent no
// beats, and its links may still stall from the cut: left alone it would take
// all others for down, until TCP moves again. Only an advance of its beat is
// answered: that life may take this one for ended, too, and answer in turn.
void BeatSender::AnswerEnded(const Member& member, StepContext& step) {
  if (!own_.admitted() || member.state == MemberState::kLeft) return;
  journal_.Add(Counter::kDatagramsSent);
  step.out.beats.push_back(
      {member.address,
       std::make_shared<const BeatDatagram>(BeatWithSample(step.now.mono))});
}

size_t BeatSender::Slice() const {
  const auto all = static_cast<double>(
      std::max<size_t>(table_.rows().size(), links_.all().size()));
  const double ticks = absl::FDivDuration(interval_ / 2, kTick);
  return std::max(kSlice, static_cast<size_t>(all / ticks) + 1);
}

void BeatSender::Begin(StepContext& step) {
  // Ticks may come late: nobody's turn is skipped for that.
  Continue(std::numeric_limits<size_t>::max(), step);
  round_.on_links = true;
  round_.by_datagram = own_.admitted();
  round_.rows_done = false;
  round_.report = {own_.origin.life, clock_.number(), {}, links_.LongestRtt()};
  if (!own_.admitted()) return;
  // For those whose turn comes last the ages are as old as they may be.
  const size_t slices = table_.rows().size() / Slice();
  round_.beat = std::make_shared<const BeatDatagram>(
      BeatWithSample(step.now.mono + static_cast<int64_t>(slices) * kTick));
  round_.down.clear();
  round_.sent = {own_.address};
}

void BeatSender::Continue(size_t slice, StepContext& step) {
  if (round_.on_links) BeatOnLinks(slice, step);
  if (round_.by_datagram) BeatByDatagram(slice, step);
}

void BeatSender::BeatOnLinks(size_t slice, StepContext& step) {
  const uint64_t number = round_.report.number;
  round_.on_links = !round_.link.Run(links_.all(), slice, [&](auto& item) {
    auto& [id, link] = item;
    if (std::exchange(link.announced, number) == number) return true;
    if (!links_.IsUsed(link)) return true;
    step.out.frames.push_back({id, {number, round_.report}});
    return true;
  });
}

void BeatSender::BeatByDatagram(size_t slice, StepContext& step) {
  size_t left = slice;
  const auto tell = [&](const auto& item) {
    --left;
    const auto& [life, member] = item;
    if (member.ended || member.state == MemberState::kLeft) return true;
    if (member.state == MemberState::kDown) {
      // Every other beat is enough to notice that a cut has healed.
      if ((round_.report.number ^ life.lo) % 2 == 0)
        round_.down.push_back(life);
    } else {
      SendDatagram(member, step);
    }
    return true;
  };
  if (!round_.rows_done) {
    round_.rows_done = round_.row.Run(table_.rows(), slice, tell);
  }
  if (!round_.rows_done) return;
  for (; !round_.down.empty() && left > 0; --left) {
    const Member* member = table_.Find(round_.down.front());
    round_.down.pop_front();
    if (member != nullptr) SendDatagram(*member, step);
  }
  round_.by_datagram = !round_.down.empty();
}

void BeatSender::SendDatagram(const Member& member, StepContext& step) {
  if (!round_.sent.insert(member.address).second) return;
  journal_.Add(Counter::kDatagramsSent);
  step.out.beats.push_back({member.address, round_.beat});
}

}  // namespace muster::core
