// Membership as scripts: one node, a, and peers that are what the script says.
// Names are letters, b to f. A life is the letter of its name four times, or
// what LIFE says: "bbb2" is a second life of b. The commands:
//
//   node [join=HOST:PORT]     starts a
//   hello LINK NAME [LIFE]    a link is up, and its peer has proved who it is
//   closed LINK               the link is gone
//   beat LINK N               a frame with the peer's beat number N
//   datagram NAME N           a beat by UDP
//   members LINK NAME N AGE [LIFE]   the peer has heard beat N of NAME
//   report LINK NAME N AGE    the answer to an indirect ping
//   ask LINK NAME N           the peer asks for a beat later than N
//   leaving LINK              the peer leaves
//   answer TOKEN [NAME|LIFE]  who answers a hello probe (nobody: nothing lives
//                             there)
//   refuse TOKEN              the connect of a probe is refused
//   keep LINK | drop LINK     the peer of the link beats every 250 ms of `wait`
//   wait TIME                 time passes in ticks of 10 ms
//   members?                  what a holds of whom
//   leave | forget NAME       a leaves; an administrator's order
//
// Outputs have the time since the start. What a sends of its own beats, and its
// member lists, are left out: there are too many to read.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "node/core/membership/membership.h"
#include "tests/core/golden/script.h"
#include "tests/sim/frame_text.h"

namespace muster::core {
namespace {

std::string KindText(MembershipEvent::Kind kind) {
  using Kind = MembershipEvent::Kind;
  switch (kind) {
    case Kind::kAdmitted:
      return "admitted";
    case Kind::kJoined:
      return "joined";
    case Kind::kLinked:
      return "linked";
    case Kind::kUnlinked:
      return "unlinked";
    case Kind::kAlive:
      return "alive";
    case Kind::kSuspect:
      return "suspect";
    case Kind::kDown:
      return "down";
    case Kind::kLeft:
      return "left";
    case Kind::kEnded:
      return "ended";
    case Kind::kForgotten:
      return "forgotten";
  }
  return "?";
}

std::string StateText(MemberState state) {
  switch (state) {
    case MemberState::kAlive:
      return "alive";
    case MemberState::kSuspect:
      return "suspect";
    case MemberState::kDown:
      return "down";
    case MemberState::kLeft:
      return "left";
  }
  return "?";
}

class MembershipScript final : public ScriptWorld {
 public:
  void Do(const std::vector<std::string>& words,
          std::vector<std::string>& lines) override {
    lines_ = &lines;
    std::vector<std::string> args(words.begin() + 1, words.end());
    args.resize(6);
    if (words[0] == "node") {
      Start(args[0]);
    } else if (a_ == nullptr) {
      lines.push_back("a script begins with: node");
    } else if (!OfLink(words[0], NumberOf(args[0]), args) &&
               !OfOthers(words[0], args)) {
      lines.push_back(absl::StrCat("what is: ", words[0]));
    }
    if (a_ != nullptr) Tell();
  }

 private:
  void Start(const std::string& join) {
    Options options;
    options.node = "a";
    options.address = "a:1";
    if (absl::StartsWith(join, "join=")) options.join = {join.substr(5)};
    a_ = std::make_unique<Membership>(options, LifeOf("aaaa"), 1, now());
    a_->Tick(now(), out_);
  }
  static crdt::Origin OriginOf(const std::string& name,
                               const std::string& life) {
    const crdt::LifeId id = LifeOf(life.empty() ? LifeWord(name) : life);
    return {name, crdt::Incarnation(id.lo), id};
  }

  bool OfLink(const std::string& verb, LinkId link,
              const std::vector<std::string>& args) {
    if (verb == "hello") {
      PeerHello hello;
      hello.origin = OriginOf(args[1], args[2]);
      hello.address = args[1] + ":1";
      hello.rtt = absl::Milliseconds(1);
      a_->OnLinkUp(link, hello, now(), out_);
    } else if (verb == "closed") {
      beats_.erase(link);
      a_->OnLinkDown(link, now(), out_);
    } else if (verb == "beat") {
      last_beat_[link] = NumberOf(args[1]);
      a_->OnFrameBeat(link, last_beat_[link], now(), out_);
    } else if (verb == "members") {
      MembersFrame frame;
      frame.members.push_back({.origin = OriginOf(args[1], args[4]),
                               .address = args[1] + ":1",
                               .beat = NumberOf(args[2]),
                               .age = TimeOf(args[3])});
      a_->OnMembers(link, frame, now(), out_);
    } else if (verb == "report") {
      const crdt::LifeId life = LifeOf(LifeWord(args[1]));
      a_->OnBeatReport(link, {life, NumberOf(args[2]), TimeOf(args[3])}, now(),
                       out_);
    } else if (verb == "ask") {
      a_->OnAsk(link, {LifeOf(LifeWord(args[1])), NumberOf(args[2])}, now(),
                out_);
    } else if (verb == "leaving") {
      a_->OnLeaving(link, now(), out_);
    } else if (verb == "keep") {
      beats_[link] = at_;
    } else if (verb == "drop") {
      beats_.erase(link);
    } else {
      return false;
    }
    return true;
  }

  bool OfOthers(const std::string& verb, const std::vector<std::string>& args) {
    if (verb == "datagram") {
      BeatDatagram beat;
      beat.origin = OriginOf(args[0], "");
      beat.number = NumberOf(args[1]);
      a_->OnDatagram(beat, now(), out_);
    } else if (verb == "answer") {
      const std::string life =
          args[1].size() == 1 ? LifeWord(args[1]) : args[1];
      a_->OnHelloProbe(NumberOf(args[0]),
                       args[1].empty() ? crdt::LifeId() : LifeOf(life), now(),
                       out_);
    } else if (verb == "refuse") {
      a_->OnProbe(NumberOf(args[0]), /*refused=*/true, now(), out_);
    } else if (verb == "wait") {
      Wait(TimeOf(args[0]));
    } else if (verb == "members?") {
      Show();
    } else if (verb == "leave") {
      a_->Leave(now(), out_);
    } else if (verb == "forget") {
      const absl::Status status = a_->ForgetName(args[0], now(), out_);
      if (!status.ok()) lines_->push_back(std::string(status.message()));
    } else {
      return false;
    }
    return true;
  }

  void Wait(absl::Duration time) {
    for (const Instant end = at_ + time; at_ < end;) {
      at_ = at_ + absl::Milliseconds(10);
      for (auto& [link, due] : beats_) {
        if (at_ < due) continue;
        due = at_ + absl::Milliseconds(250);
        a_->OnFrameBeat(link, ++last_beat_[link], now(), out_);
      }
      a_->Tick(now(), out_);
      Tell();
    }
  }

  // What a has put out since, and what has come of it.
  void Tell() {
    const std::string time =
        absl::StrCat(absl::FormatDuration(at_ - kStart), " ");
    for (const MembershipEvent& event : a_->TakeEvents()) {
      lines_->push_back(absl::StrCat(
          time, KindText(event.kind), " ", event.origin.node, ":",
          absl::Hex(event.origin.life.lo),
          event.link == 0 ? "" : absl::StrCat(" link ", event.link),
          event.alone ? " alone" : ""));
    }
    const Output out = std::exchange(out_, Output{});
    for (const std::string& line : sim::OutputText(out)) {
      if (absl::StrContains(line, ": members ")) continue;
      if (absl::StrContains(line, ": report aaaa ")) continue;
      lines_->push_back(time + line);
    }
    for (const HelloProbe& probe : out.hello_probes) {
      lines_->push_back(
          absl::StrCat(time, "hello probe has token ", probe.token));
    }
    for (const ConnectProbe& probe : out.probes) {
      lines_->push_back(absl::StrCat(time, "probe has token ", probe.token));
    }
    if (out.exit.has_value()) {
      lines_->push_back(absl::StrCat(time, "exit: ", out.exit->ToString()));
    }
  }
  void Show() {
    for (const MemberView& member : a_->View(now())) {
      lines_->push_back(absl::StrCat(
          member.origin.node, ":", absl::Hex(member.origin.life.lo), " ",
          StateText(member.state), member.self ? " self" : "",
          member.linked ? " linked" : "", " heard ",
          absl::FormatDuration(member.heartbeat_age), " ago"));
    }
  }

  static constexpr Instant kStart{1'000'000'000};
  Now now() const { return {at_, 1}; }

  Instant at_ = kStart;
  std::unique_ptr<Membership> a_;
  Output out_;
  // Links whose peers beat, by when the next one is due.
  std::map<LinkId, Instant> beats_;
  std::map<LinkId, uint64_t> last_beat_;
  std::vector<std::string>* lines_ = nullptr;
};

const bool kRegistered = [] {
  RegisterScripts("MembershipGoldenTest",
                  std::string(MUSTER_GOLDEN_DIR) + "/membership",
                  [] { return std::make_unique<MembershipScript>(); });
  return true;
}();

}  // namespace
}  // namespace muster::core
