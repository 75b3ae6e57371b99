#include "node/core/membership/dialing.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace muster::core {
namespace {

constexpr size_t kMaxOwnAddresses = 64;
// How long a DNS name that led to this node itself is left alone.
constexpr absl::Duration kSelfWait = absl::Seconds(2);
// A dial that was begun this lately is not begun afresh.
constexpr absl::Duration kJustBegun = absl::Seconds(1);

// Else the host is a DNS name.
bool IsLiteral(absl::string_view host_port) {
  if (host_port.substr(0, 1) == "[") return true;
  absl::string_view host = host_port.substr(0, host_port.rfind(':'));
  return host.find_first_not_of("0123456789.") == absl::string_view::npos;
}

}  // namespace

Dialing::Dialing(const Options& options)
    : dial_wait_(options.detector.dial_wait) {
  AddOwn(options.address);
  std::set<std::string> seen(own_);
  for (const std::string& address : options.join) {
    if (!seen.insert(address).second) continue;
    joins_.push_back({.address = address, .name = !IsLiteral(address)});
  }
}

void Dialing::AddOwn(const std::string& address) {
  if (own_.size() < kMaxOwnAddresses) own_.insert(address);
}

void Dialing::Reached(const PeerHello& hello) {
  for (Join& join : joins_) {
    if (!hello.outbound || hello.dialed != join.address) continue;
    join.reached = true;
    join.life = hello.origin.life;
  }
  Changed();
}

void Dialing::ReachedSelf(const std::string& dialed, Instant now) {
  auto join = std::find_if(joins_.begin(), joins_.end(),
                           [&](const Join& j) { return j.address == dialed; });
  if (join != joins_.end() && join->name) {
    join->self = true;
    join->again = now + kSelfWait;
  } else {
    AddOwn(dialed);
    if (join != joins_.end()) joins_.erase(join);
  }
  Changed();
}

void Dialing::LostForGood() {
  for (Join& join : joins_) {
    if (join.name) join.reached = false;
  }
  Changed();
}

void Dialing::Afresh(const std::string& address, Instant now) {
  auto it = dialled_.find(address);
  if (it == dialled_.end() || now - it->second < kJustBegun) return;
  afresh_.insert(address);
  Changed();
}

void Dialing::Answered(const PeerLink& link) {
  for (Join& join : joins_) {
    if (join.address == link.hello.address ||
        (link.hello.outbound && join.address == link.hello.dialed) ||
        (join.reached && join.life == link.hello.origin.life)) {
      join.answered = true;
    }
  }
}

void Dialing::Refused(const std::string& address, const std::string& why) {
  for (Join& join : joins_) {
    if (join.address == address) join.refused = why;
  }
}

std::string Dialing::Refusals() const {
  std::string all;
  for (const Join& join : joins_) {
    if (join.answered || join.refused.empty()) continue;
    absl::StrAppend(&all, all.empty() ? "" : "; ", join.address, ": ",
                    join.refused);
  }
  return all;
}

bool Dialing::AllAnswered() const {
  // A name that led here may stand for others too: it needs one of them.
  bool any = AnyAnswered();
  return std::all_of(joins_.begin(), joins_.end(), [&](const Join& join) {
    return join.answered || (join.self && any);
  });
}

bool Dialing::AnyAnswered() const {
  return std::any_of(joins_.begin(), joins_.end(),
                     [](const Join& join) { return join.answered; });
}

bool Dialing::Satisfied(const Join& join, const PeerLinks& links) const {
  if (join.name) return join.reached && !links.all().empty();
  return join.reached && links.Any(join.life);
}

bool Dialing::WantsMember(const Member& member, const crdt::Origin& self,
                          Instant now) {
  if (member.ended || member.state == MemberState::kLeft) return false;
  if (self.node < member.origin.node || member.dial_now) return true;
  Instant when = member.unlinked + dial_wait_;
  if (now >= when) return true;
  due_ = std::min(due_, when);
  return false;
}

std::set<std::string> Dialing::Compute(const MemberTable& table,
                                       const PeerLinks& links,
                                       const crdt::Origin& self, Instant now) {
  std::set<std::string> linked(own_);
  for (const auto& [id, link] : links.all()) {
    linked.insert(link.hello.address);
    // A name may lead to another node the next time.
    if (IsLiteral(link.hello.dialed)) linked.insert(link.hello.dialed);
  }
  linked.insert(afresh_.begin(), afresh_.end());

  std::set<std::string> wanted;
  for (const Join& join : joins_) {
    if (Satisfied(join, links) || linked.contains(join.address)) continue;
    if (now >= join.again) {
      wanted.insert(join.address);
    } else {
      due_ = std::min(due_, join.again);
    }
  }
  // Until the name is admitted this node is nobody's peer.
  if (self.incarnation.value == 0) return wanted;
  for (const auto& [life, member] : table.rows()) {
    if (links.Any(life) || linked.contains(member.address)) continue;
    if (WantsMember(member, self, now)) wanted.insert(member.address);
  }
  return wanted;
}

std::optional<std::vector<std::string>> Dialing::Wanted(
    const MemberTable& table, const PeerLinks& links, const crdt::Origin& self,
    Instant now) {
  if (now < due_) return std::nullopt;
  const size_t members = table.rows().size();
  if (members > kFew && !stopped_ &&
      now - computed_ < static_cast<int64_t>(members) * kPerMember) {
    return std::nullopt;
  }
  computed_ = now;
  due_ = kNever;
  std::set<std::string> wanted;
  if (!stopped_) wanted = Compute(table, links, self, now);
  if (!afresh_.empty()) {
    afresh_.clear();
    due_ = now + absl::Microseconds(1);
  }
  auto same = [](const auto& dialled, const std::string& address) {
    return dialled.first == address;
  };
  if (std::equal(dialled_.begin(), dialled_.end(), wanted.begin(), wanted.end(),
                 same)) {
    return std::nullopt;
  }
  std::map<std::string, Instant> before = std::exchange(dialled_, {});
  for (const std::string& address : wanted) {
    auto it = before.find(address);
    dialled_.emplace(address, it == before.end() ? now : it->second);
  }
  return std::vector<std::string>(wanted.begin(), wanted.end());
}

}  // namespace muster::core
