// Replication as scripts: a few nodes with the toy kind of stream, and every
// frame between them. The commands:
//
//   nodes NAME ...         starts nodes; a name is one letter, a to f
//   link A B | cut A B     makes or ends the link of two
//   write A N [BYTES]      N new elements in the stream of A
//   update A ID | remove A ID
//   deliver [N]            frames arrive, the oldest first, and what is sent in
//                          answer, until there are none (or N have)
//   drop A B               what is on its way from A to B is lost
//   hold A B | release A B deliver leaves out what goes from A to B
//   wait TIME              time passes in ticks of 10 ms; nothing is heard
//   run TIME [quiet]       time passes, every link is heard, and all arrives as
//                          it is sent (quiet: the frames are not shown)
//   beats TIME             as wait, but beats are heard on every link
//   show                   what each node holds of each stream
//   counter A NAME         of Status
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/core/golden/script.h"
#include "tests/core/stream/toy_cluster.h"

namespace muster::core {
namespace {

class ReplicationScript final : public ScriptWorld {
 public:
  void Do(const std::vector<std::string>& words,
          std::vector<std::string>& lines) override {
    lines_ = &lines;
    const std::string& verb = words[0];
    const std::vector<std::string> args(words.begin() + 1, words.end());
    if (verb == "nodes") {
      for (const std::string& name : args) Start(name);
    } else if (verb == "wait" || verb == "beats" || verb == "run") {
      Pass(verb, args);
    } else if (verb == "deliver") {
      Deliver(args.empty() ? kAll : NumberOf(args[0]), /*quiet=*/false);
    } else if (verb == "show") {
      Show();
    } else if (args.size() >= 2 && nodes_.contains(args[0])) {
      DoTo(verb, *nodes_.at(args[0]), args);
    } else {
      lines.push_back(absl::StrCat("what is: ", verb));
    }
  }

 private:
  static constexpr uint64_t kAll = 10'000;
  using Way = std::pair<std::string, std::string>;
  struct OnItsWay {
    Way way;
    LinkId link;
    Frame frame;
  };

  static Options Small(const std::string& name) {
    Options options = SmallOptions(name);
    options.replication.log_bytes = 64 << 10;
    return options;
  }
  void Start(const std::string& name) {
    const uint64_t life = LifeOf(LifeWord(name)).hi;
    nodes_.emplace(name, std::make_unique<ToyNode>(Small(name), life, now_));
  }
  static Way Pair(const std::string& a, const std::string& b) {
    return a < b ? Way{a, b} : Way{b, a};
  }

  void DoTo(const std::string& verb, ToyNode& node,
            const std::vector<std::string>& args) {
    const Way way = {args[0], args[1]};
    if (verb == "link") {
      Link(way);
    } else if (verb == "cut") {
      Cut(Pair(way.first, way.second));
    } else if (verb == "hold") {
      held_.insert(way);
    } else if (verb == "release") {
      held_.erase(way);
    } else if (verb == "drop") {
      std::erase_if(wire_, [&](const OnItsWay& item) {
        if (item.way == way) Say("lost ", item);
        return item.way == way;
      });
    } else if (verb == "counter") {
      lines_->push_back(absl::StrCat(args[1], " ", node.Counter(args[1])));
    } else {
      Write(verb, node, args);
    }
    node.replication.Pump(node.out);
    Collect();
  }
  void Write(const std::string& verb, ToyNode& node,
             const std::vector<std::string>& args) {
    const uint64_t number = NumberOf(args[1]);
    const size_t bytes = args.size() > 2 ? NumberOf(args[2]) : 1;
    if (verb == "write") {
      for (uint64_t i = 0; i < number; ++i) {
        node.state.Put(*node.own, std::string(bytes, 'x'));
      }
    } else if (verb == "update") {
      node.state.Update(*node.own, crdt::ElementId(number), "y");
    } else if (verb == "remove") {
      node.state.Remove(*node.own, crdt::ElementId(number));
    } else {
      lines_->push_back(absl::StrCat("what is: ", verb));
    }
  }

  void Link(const Way& ends) {
    const LinkId link = ++last_link_;
    links_[Pair(ends.first, ends.second)] = link;
    ToyNode& a = *nodes_.at(ends.first);
    ToyNode& b = *nodes_.at(ends.second);
    a.replication.OnLinked(link, b.origin, kFeatureLevel, a.out);
    b.replication.OnLinked(link, a.origin, kFeatureLevel, b.out);
    Collect();
  }
  void Cut(const Way& ends) {
    const auto found = links_.find(ends);
    if (found == links_.end()) return;
    const LinkId link = found->second;
    links_.erase(found);
    std::erase_if(wire_, [&](const OnItsWay& i) { return i.link == link; });
    for (const std::string& end : {ends.first, ends.second}) {
      ToyNode& node = *nodes_.at(end);
      node.replication.OnUnlinked(link, node.out);
    }
    Collect();
  }

  // Moves what the nodes have sent to the wire. A link that is closed is cut.
  void Collect() {
    for (auto& [name, node] : nodes_) {
      const Output out = std::exchange(node->out, Output{});
      for (const SendFrame& sent : out.frames) {
        for (const auto& [ends, link] : links_) {
          if (link != sent.link) continue;
          const std::string& to = ends.first == name ? ends.second : ends.first;
          wire_.push_back({{name, to}, link, sent.frame});
        }
      }
      for (const LogLine& line : out.log) {
        lines_->push_back(absl::StrCat(name, " logs ", line.text));
      }
      for (const CloseLink& close : out.closes) {
        lines_->push_back(absl::StrCat(name, " closes: ", close.reason));
        for (const auto& [ends, link] : std::map(links_)) {
          if (link == close.link) Cut(ends);
        }
      }
    }
  }
  void Deliver(uint64_t most, bool quiet) {
    for (; most > 0; --most) {
      const auto next = std::find_if(
          wire_.begin(), wire_.end(),
          [&](const OnItsWay& i) { return !held_.contains(i.way); });
      if (next == wire_.end()) return;
      const OnItsWay item = std::move(*next);
      wire_.erase(next);
      if (!quiet) Say("", item);
      ToyNode& to = *nodes_.at(item.way.second);
      to.Step(item.link, item.frame);
      to.RunJobs();
      Collect();
    }
  }
  void Say(const char* what, const OnItsWay& item) {
    lines_->push_back(absl::StrCat(what, item.way.first, "->", item.way.second,
                                   " ", FrameText(item.frame)));
  }

  // A link is heard while time passes unless the command is `wait`.
  void Pass(const std::string& verb, const std::vector<std::string>& args) {
    const Instant end =
        now_ + (args.empty() ? absl::ZeroDuration() : TimeOf(args[0]));
    while (now_ < end) {
      now_ = now_ + absl::Milliseconds(10);
      for (auto& [name, node] : nodes_) node->SetTime(now_);
      for (const auto& [ends, link] : links_) {
        if (verb == "wait") break;
        nodes_.at(ends.first)->replication.OnHeard(link);
        nodes_.at(ends.second)->replication.OnHeard(link);
      }
      for (auto& [name, node] : nodes_) node->Tick(now_);
      Collect();
      if (verb == "run") Deliver(kAll, /*quiet=*/args.size() > 1);
    }
  }

  void Show() {
    for (const auto& [name, node] : nodes_) {
      std::as_const(node->streams).ForEach([&](const Stream& stream) {
        const std::string source = node->replication.SourceOf(stream);
        lines_->push_back(
            absl::StrCat(name, " has ", stream.origin.node, "'s stream to ",
                         stream.vv.value, ", ", node->state.of(stream).size(),
                         " elements", stream.own ? ", its own" : "",
                         source.empty() ? "" : absl::StrCat(", from ", source),
                         stream.rebasing ? ", in a rebase" : ""));
      });
    }
  }

  Instant now_{1'000'000'000};
  std::map<std::string, std::unique_ptr<ToyNode>> nodes_;
  std::map<Way, LinkId> links_;
  LinkId last_link_ = 0;
  std::deque<OnItsWay> wire_;
  std::set<Way> held_;
  std::vector<std::string>* lines_ = nullptr;
};

const bool kRegistered = [] {
  RegisterScripts("ReplicationGoldenTest",
                  std::string(MUSTER_GOLDEN_DIR) + "/replication",
                  [] { return std::make_unique<ReplicationScript>(); });
  return true;
}();

}  // namespace
}  // namespace muster::core
