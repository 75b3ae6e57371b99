#include "tests/core/keyspace/kv_cluster.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace muster::core {
namespace {

constexpr int64_t kTick = 10'000;
// After so long without a frame a node is held for down, as the membership
// would.
constexpr int64_t kDown = 2'500'000;

}  // namespace

KvCluster::KvCluster(int nodes, KeyspaceOptions options, uint64_t seed)
    : options_(std::move(options)), seed_(seed) {
  for (int n = 0; n < nodes; ++n) Start(n);
}

void KvCluster::Start(int n) {
  Node& node = nodes_[n];
  const int life = node.life + 1;
  node = Node{};
  node.life = life;
  node.keyspace = std::make_unique<ReplicatedKeyspace>(
      options_, LifeOf(n, life), seed_ * 1000 + n * 10 + life,
      [this, n](crdt::LifeId to) {
        return !cut_.contains({static_cast<int>(to.hi) - 1, n});
      });
  Step(n, [&](ReplicatedKeyspace& k) {
    k.SetReady(crdt::Incarnation(static_cast<uint64_t>(life)));
  });
  for (auto& [other, at] : nodes_) {
    at.heard[n] = now_us_;
    node.heard[other] = now_us_;
  }
}

void KvCluster::Kill(int n) {
  const int life = At(n).life;
  At(n) = Node{};
  At(n).life = life;
}

void KvCluster::Thaw(int n) {
  Node& node = At(n);
  node.frozen = false;
  for (auto& [other, heard] : node.heard) heard = now_us_;
  auto inbox = std::exchange(node.inbox, {});
  Step(
      n, [](ReplicatedKeyspace&) {}, absl::Seconds(3));
  for (auto& [from, body] : inbox) {
    Step(n, [&](ReplicatedKeyspace& k) { k.OnFrame(from, std::move(body)); });
  }
}

void KvCluster::Cut(int a, int b) { cut_.insert({a, b}); }

void KvCluster::SetPeers(int n) {
  std::vector<KvPeer> peers;
  for (auto& [other, at] : nodes_) {
    if (other == n || at.life == 0) continue;
    const bool alive = at.keyspace != nullptr && !at.frozen;
    if (alive && !cut_.contains({other, n})) At(n).heard[other] = now_us_;
    // A killed one is known by its closed connection.
    const bool up = at.keyspace != nullptr
                        ? now_us_ - At(n).heard[other] < kDown
                        : now_us_ - At(n).heard[other] < 400'000;
    peers.push_back({LifeOf(other, at.life),
                     crdt::Incarnation(static_cast<uint64_t>(at.life)), up,
                     true, at.keyspace != nullptr});
  }
  At(n).keyspace->SetPeers(peers);
}

void KvCluster::Step(int n,
                     const std::function<void(ReplicatedKeyspace&)>& body,
                     absl::Duration stalled) {
  Node& node = At(n);
  node.keyspace->SetTime(now(n), stalled);
  body(*node.keyspace);
  std::vector<KvMail> mail;
  std::vector<KvAnswer> answers;
  std::vector<std::string> log;
  node.keyspace->Flush(mail, answers, log);
  for (KvAnswer& answer : answers) {
    const KvCallId id = answer.call;
    node.answers[id] = std::move(answer);
  }
  for (KvMail& item : mail) {
    ++frames_;
    const int to = static_cast<int>(item.to.hi) - 1;
    if (cut_.contains({n, to})) continue;
    int64_t at = now_us_ + 1000;
    int64_t& fifo = fifo_[{n, to}];
    at = fifo = std::max(at, fifo);
    const bool twice = doubled > 0 && frames_ % doubled == 0;
    const auto body = std::make_shared<KvBody>(std::move(item.body));
    network_.push({at, ++order_, n, to, LifeOf(n, node.life), item.to, body});
    if (!twice) continue;
    network_.push({at + 3000, ++order_, n, to, LifeOf(n, node.life), item.to,
                   std::make_shared<KvBody>(*body)});
  }
}

void KvCluster::Deliver() {
  while (!network_.empty() && network_.top().at <= now_us_) {
    const InFlight item = network_.top();
    network_.pop();
    Node& to = At(item.to);
    if (to.keyspace == nullptr || cut_.contains({item.from, item.to})) continue;
    if (LifeOf(item.to, to.life) != item.to_life) continue;
    if (to.frozen) {
      to.inbox.emplace_back(item.from_life, std::move(*item.body));
      continue;
    }
    Step(item.to, [&](ReplicatedKeyspace& k) {
      k.OnFrame(item.from_life, std::move(*item.body));
    });
  }
}

void KvCluster::RunFor(absl::Duration time) {
  const int64_t end = now_us_ + absl::ToInt64Microseconds(time);
  while (now_us_ < end) {
    now_us_ += 1000;
    Deliver();
    for (auto& [n, node] : nodes_) {
      if (node.keyspace == nullptr || node.frozen) continue;
      if (now_us_ % kTick == 0) {
        SetPeers(n);
        Step(n, [](ReplicatedKeyspace& k) { k.Tick(); });
      }
      Step(n, [](ReplicatedKeyspace& k) { k.RunJob(); });
    }
  }
}

bool KvCluster::RunUntil(const std::function<bool()>& holds,
                         absl::Duration patience) {
  const absl::Duration end = time() + patience;
  while (!holds()) {
    if (time() >= end) return false;
    RunFor(absl::Milliseconds(1));
  }
  return true;
}

KvCallId KvCluster::Send(int n, KvCall call) {
  KvCallId id = 0;
  Step(n, [&](ReplicatedKeyspace& k) { id = k.Execute(std::move(call)); });
  return id;
}

KvCallId KvCluster::Send(int n, const std::string& command,
                         KvConnection connection) {
  const std::vector<std::string> words = absl::StrSplit(command, ' ');
  const std::vector<absl::string_view> argv(words.begin(), words.end());
  KvCall call;
  call.connection = connection;
  call.commands.Add(argv);
  return Send(n, std::move(call));
}

std::string KvCluster::Answer(int n, KvCallId call) const {
  const auto& answers = nodes_.at(n).answers;
  const auto at = answers.find(call);
  if (at == answers.end()) return "";
  if (!at->second.status.ok()) {
    return absl::StatusCodeToString(at->second.status.code());
  }
  return commands::ToText(at->second.replies);
}

std::string KvCluster::Do(int n, const std::string& command) {
  const KvCallId id = Send(n, command);
  RunUntil([&] { return !Answer(n, id).empty(); });
  return Answer(n, id);
}

std::string KvCluster::Insist(int n, const std::string& command) {
  std::string answer;
  const absl::Duration end = time() + absl::Seconds(20);
  do {
    answer = Do(n, command);
  } while ((answer == "ABORTED" || answer == "UNAVAILABLE") && time() < end);
  return answer;
}

int KvCluster::Leader() const {
  int leader = -1;
  for (const auto& [n, node] : nodes_) {
    if (node.keyspace == nullptr) continue;
    if (node.keyspace->Status().role != KvStatusView::Role::kLeading) continue;
    if (leader != -1) return -1;
    leader = n;
  }
  return leader;
}

bool KvCluster::IsSettled() const {
  const int leader = Leader();
  if (leader == -1) return false;
  const KvStatusView first = nodes_.at(leader).keyspace->Status();
  for (const auto& [n, node] : nodes_) {
    if (node.keyspace == nullptr) continue;
    const KvStatusView view = node.keyspace->Status();
    if (view.position != first.position || view.exchanging ||
        view.digest != first.digest ||
        view.context_digest != first.context_digest) {
      return false;
    }
  }
  return true;
}

std::string KvCluster::Describe() const {
  std::string text;
  for (const auto& [n, node] : nodes_) {
    if (node.keyspace == nullptr) continue;
    const KvStatusView view = node.keyspace->Status();
    absl::StrAppend(
        &text, n, ": role ", static_cast<int>(view.role), " term ",
        view.position.term.number, " of ", view.position.term.leader.hi,
        " seq ", view.position.seq.value, " promised ", view.promised.number,
        " of ", view.promised.leader.hi, view.exchanging ? " exchanging" : "",
        " digest ", view.digest, " lives ", view.context_lives, "\n");
  }
  return text;
}

}  // namespace muster::core
