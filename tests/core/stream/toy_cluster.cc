#include "tests/core/stream/toy_cluster.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

namespace muster::core {

// -------------------------------------------------------------------- node

ToyNode::ToyNode(const Options& options, uint64_t life, Instant now)
    : origin{options.node, crdt::Incarnation(1), {life, life}},
      membership(options, origin.life, life, Now{now, 1}),
      replication(options, streams, membership) {
  streams.AddKind(kToyKind, ToyGrammar(), state, options.replication.log_bytes);
  SetTime(now);
  own = &streams.Add(origin, kToyKind, /*own=*/true, now);
}

void ToyNode::SetTime(Instant now) {
  streams.SetTime(Now{now, 1}, absl::ZeroDuration());
}

void ToyNode::Step(LinkId link, const Frame& frame) {
  struct Visitor {
    ToyNode& node;
    LinkId link;
    void operator()(const PositionsFrame& f) const {
      node.replication.OnPositions(link, f, node.out);
    }
    void operator()(const PullFrame& f) const {
      node.replication.OnPull(link, f, node.out);
    }
    void operator()(const DeltaFrame& f) const {
      node.replication.OnDelta(link, f, node.out);
    }
    void operator()(const RebaseFrame& f) const {
      node.replication.OnRebase(link, f, node.out);
    }
    void operator()(const CheckpointFrame& f) const {
      node.replication.OnCheckpoint(link, f, node.out);
    }
    void operator()(const AckFrame& f) const {
      node.replication.OnAck(link, f);
    }
    // The membership's, and administrators': there are none to speak of.
    void operator()(const MembersFrame&) const {}
    void operator()(const AskFrame&) const {}
    void operator()(const BeatReport&) const {}
    void operator()(const LeavingFrame&) const {}
    void operator()(const EvictFrame&) const {}
    void operator()(const ForgetFrame&) const {}
    void operator()(const OrderAnswerFrame&) const {}
    void operator()(const RoutedFrame&) const {}
  };
  replication.OnHeard(link);
  std::visit(Visitor{*this, link}, frame.body);
  replication.Pump(out);
}

void ToyNode::Tick(Instant now) {
  SetTime(now);
  membership.Tick(Now{now, 1}, out);
  membership.TakeEvents();
  replication.Tick(out);
  RunJobs();
}

void ToyNode::RunJobs() {
  for (int slices = 0; replication.has_work() && slices < 1000; ++slices) {
    replication.RunJob(out);
    replication.Pump(out);
  }
  replication.Pump(out);
  state.RunJobs();
}

uint64_t ToyNode::Counter(const std::string& name) const {
  for (const auto& [counter, value] : replication.Counters()) {
    if (counter == name) return value;
  }
  return 0;
}

Options SmallOptions(const std::string& name) {
  Options options;
  options.node = name;
  options.address = name + ":1";
  options.replication.log_bytes = 2 << 10;
  options.replication.window_bytes = 1 << 10;
  options.replication.frame_bytes = 256;
  return options;
}

// ----------------------------------------------------------------- cluster

ToyCluster::ToyCluster(int nodes) {
  for (int i = 0; i < nodes; ++i) {
    const std::string name(1, static_cast<char>('a' + i));
    nodes_.push_back(
        std::make_unique<ToyNode>(SmallOptions(name), i + 1, now_));
  }
}

void ToyCluster::Connect(int a, int b) {
  if (connected(a, b)) return;
  const LinkId link = next_link_++;
  links_[Pair(a, b)] = link;
  node(a).replication.OnLinked(link, node(b).origin, kFeatureLevel,
                               node(a).out);
  node(b).replication.OnLinked(link, node(a).origin, kFeatureLevel,
                               node(b).out);
}

void ToyCluster::Cut(int a, int b) {
  auto it = links_.find(Pair(a, b));
  if (it == links_.end()) return;
  const LinkId link = it->second;
  links_.erase(it);
  node(a).replication.OnUnlinked(link, node(a).out);
  node(b).replication.OnUnlinked(link, node(b).out);
}

// Moves what the nodes have sent to the wire. A link that a node closes is cut,
// and made again by the test if it likes.
void ToyCluster::Collect() {
  for (int i = 0; i < size(); ++i) {
    Output out = std::exchange(node(i).out, Output{});
    for (SendFrame& sent : out.frames) {
      for (const auto& [ends, link] : links_) {
        if (link != sent.link) continue;
        const int to = ends.first == i ? ends.second : ends.first;
        const int times = arrives == nullptr ? 1 : arrives(i, to, sent.frame);
        for (int n = 0; n < times; ++n) wire_.push_back({link, to, sent.frame});
      }
    }
    for (const CloseLink& close : out.closes) {
      for (const auto& [ends, link] : std::map(links_)) {
        if (link == close.link) Cut(ends.first, ends.second);
      }
    }
  }
}

void ToyCluster::Run(absl::Duration time) {
  for (const Instant end = now_ + time; now_ < end;) {
    now_ = now_ + absl::Milliseconds(10);
    for (auto& node : nodes_) node->SetTime(now_);
    // Beats are heard on every link.
    for (const auto& [ends, link] : links_) {
      node(ends.first).replication.OnHeard(link);
      node(ends.second).replication.OnHeard(link);
    }
    for (auto& node : nodes_) node->Tick(now_);
    Collect();
    // What is sent in answer arrives within the same tick, up to a limit.
    for (size_t left = 1000; !wire_.empty() && left > 0; --left) {
      OnItsWay item = std::move(wire_.front());
      wire_.pop_front();
      node(item.to).Step(item.link, item.frame);
      Collect();
    }
  }
}

bool ToyCluster::Equal() const {
  for (const auto& origin : nodes_) {
    for (const auto& holder : nodes_) {
      const Stream* stream =
          std::as_const(holder->streams).Find(origin->own->id());
      // A stream of which nothing is wanted is not learnt.
      if (stream == nullptr && origin->state.of(*origin->own).empty()) continue;
      if (stream == nullptr || stream->vv != origin->own->vv ||
          stream->rebasing ||
          holder->state.Text(*stream) != origin->state.Text(*origin->own)) {
        return false;
      }
    }
  }
  return true;
}

std::string ToyCluster::Text() const {
  std::string text;
  for (const auto& holder : nodes_) {
    std::as_const(holder->streams).ForEach([&](const Stream& stream) {
      absl::StrAppend(&text, holder->origin.node, " holds ", stream.origin.node,
                      " to ", stream.vv.value, stream.rebasing ? "r" : "", ": ",
                      holder->state.Text(stream), "\n");
    });
  }
  return text;
}

}  // namespace muster::core
