// The calls of the keyspace, and what the replica does for it at the end of a
// step.
#include <utility>

#include "node/core/replica/replica.h"
#include "node/core/replica/replica_impl.h"

namespace muster::core {

KvCallId Replica::Execute(KvCall call, Now now) {
  impl_->Begin(now);
  const KvCallId id = impl_->keyspace.Execute(std::move(call));
  if (impl_->leaving()) impl_->keyspace.RefuseAll();
  impl_->End();
  return id;
}

void Replica::Withdraw(KvCallId call, Now now) {
  impl_->Begin(now);
  impl_->keyspace.Withdraw(call);
  impl_->End();
}

std::vector<commands::Watched> Replica::Watch(
    const std::vector<kv::OwnedKey>& keys) const {
  return impl_->keyspace.Watch(keys);
}

KvStatusView Replica::KvStatus() const { return impl_->keyspace.Status(); }

KvExplainReply Replica::KvExplain(const kv::KeyName& key, size_t limit) const {
  return impl_->keyspace.Explain(key, limit);
}

const kv::Keyspace& Replica::kv_state() const {
  return impl_->keyspace.state();
}

// The members that have neither left nor ended. One without a link counts as
// one that knows the keyspace, if it has routed frames: it is out soon if it
// does not.
std::vector<KvPeer> Replica::Impl::KeyspacePeers() const {
  std::vector<KvPeer> peers;
  for (const MemberView& member : membership.View(streams.now())) {
    if (member.self || member.state == MemberState::kLeft) continue;
    const crdt::LifeId life = member.origin.life;
    const LinkId link = membership.LinkTo(life);
    const bool knows =
        link != 0
            ? router.LevelOf(link) >= kKeyspaceLevel
            : streams.Find({life, crdt::StreamKind::kInterest}) != nullptr;
    const bool alive = member.state == MemberState::kAlive ||
                       member.state == MemberState::kSuspect;
    peers.push_back(
        {life, member.origin.incarnation, alive && knows, knows, link != 0});
  }
  return peers;
}

void Replica::Impl::FlushKeyspace() {
  if (!std::exchange(peers_are_known_, true)) {
    keyspace.SetPeers(KeyspacePeers());
  }
  std::vector<KvMail> mail;
  std::vector<KvAnswer> answers;
  std::vector<std::string> log;
  keyspace.Flush(mail, answers, log);
  for (KvMail& item : mail) router.Send(item.to, std::move(item.body), out);
  out.kv_answers.insert(out.kv_answers.end(),
                        std::make_move_iterator(answers.begin()),
                        std::make_move_iterator(answers.end()));
  for (std::string& text : log) {
    out.log.push_back({LogLine::Level::kInfo, std::move(text)});
  }
}

}  // namespace muster::core
