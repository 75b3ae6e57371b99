// What administrators ask of a replica, and its peers on their behalf.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "node/core/replica/replica_impl.h"

namespace muster::core {

void Replica::Impl::OnEvict(LinkId link, const EvictFrame& frame) {
  if (membership.OriginOf(link) == nullptr) return;
  evictions.OnFrame(link, frame, sessions.has_value() ? &*sessions : nullptr,
                    out);
}

absl::Status Replica::Impl::ForgetHere(const std::string& name) {
  absl::Status status = membership.ForgetName(name, roll.now(), out);
  if (!status.ok() && !absl::IsNotFound(status)) return status;
  HandleEvents();
  // What was learnt of its streams from others, without it.
  std::vector<Stream*> gone;
  streams.ForEach([&](Stream& stream) {
    if (!stream.own && stream.origin.node == name) gone.push_back(&stream);
  });
  for (Stream* stream : gone) {
    replication.OnStreamLapsed(*stream);
    streams.Drop(*stream);
  }
  return gone.empty() ? status : absl::OkStatus();
}

void Replica::Impl::OnForget(LinkId link, const ForgetFrame& frame) {
  if (membership.OriginOf(link) == nullptr) return;
  const absl::Status status = ForgetHere(frame.node);
  // Who does not know the name has nothing to forget.
  std::string refusal;
  if (!status.ok() && !absl::IsNotFound(status)) {
    refusal = std::string(status.message());
  }
  out.frames.push_back(
      {link,
       {membership.BeatOn(link), OrderAnswerFrame{frame.number, 0, refusal}}});
}

void Replica::Impl::ForgetEverywhere(RequestId id, const std::string& name) {
  absl::Status status = orders.MayBegin();
  if (status.ok()) status = ForgetHere(name);
  if (!status.ok()) {
    out.orders.push_back({id, status});
    return;
  }
  const uint64_t order = orders.Begin(id);
  for (const MemberView& member : membership.View(roll.now())) {
    if (member.self || !membership.IsAlive(member.origin.life)) continue;
    const std::string who =
        absl::StrCat(member.origin.node, " (", member.address, ")");
    const LinkId link = membership.LinkTo(member.origin.life);
    if (link == 0) {
      orders.Unreached(order, who, "no direct link");
      continue;
    }
    out.frames.push_back(
        {link, {membership.BeatOn(link), ForgetFrame{order, name}}});
    orders.Await(order, link, who);
  }
  orders.Seal(order, roll.now().mono, out);
}

}  // namespace muster::core
