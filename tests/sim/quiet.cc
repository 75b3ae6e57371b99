// Checks at quiet points.
#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/sim/checks.h"
#include "tests/sim/network.h"

namespace muster::sim {
namespace {

// What forgetting takes, and a minute for the ticks between.
constexpr SimTime kForget = 21 * 60 * kSecond;

// Of `a`, the first that `b` has not; a.end() if there is none.
Model::Entries::const_iterator FirstMissing(const Model::Entries& a,
                                            const Model::Entries& b) {
  return std::find_if(a.begin(), a.end(), [&b](const auto& entry) {
    auto it = b.find(entry.first);
    return it == b.end() || it->second != entry.second;
  });
}

std::string Difference(const Model::Entries& a, const Model::Entries& b) {
  auto it = FirstMissing(a, b);
  if (it == a.end()) return "";
  return absl::StrCat(ToString(it->first), " (", it->second.topic, "/",
                      it->second.key,
                      b.contains(it->first) ? ", other content)" : ")");
}

}  // namespace

std::string Explained(Process& process, const Content& entry) {
  std::string text;
  const core::ExplainReply reply =
      process.replica().Explain(entry.topic, entry.key, process.Now());
  for (const core::ExplainLine& line : reply.lines) {
    absl::StrAppend(
        &text, "\n    ", ToString(KeyOf(line.entry.ref)), " of ",
        line.origin.node, " ", absl::Hex(line.origin.life.hi >> 48),
        " session ", absl::Hex(line.session.session.hi), " resume ",
        line.session.resume_number, line.connected ? " connected" : "",
        line.shown ? " shown" : absl::StrCat(": ", line.hidden_because));
  }
  return text;
}

bool Covers(const core::WatchRequest& request, const Content& entry) {
  if (!request.prefix.empty()) {
    return absl::StartsWith(entry.topic, request.prefix);
  }
  const auto& names = request.topics.empty() ? request.keys : request.topics;
  const std::string& name = request.topics.empty() ? entry.key : entry.topic;
  return std::find(names.begin(), names.end(), name) != names.end();
}

Model::Entries ListAll(World& world, Process& process) {
  constexpr size_t kPage = 1000;
  Model::Entries all;
  core::Replica& replica = process.replica();
  std::string after;
  bool more = true;
  while (more) {
    const core::TopicsReply topics = replica.Topics("", after, kPage);
    after = std::string(topics.next);
    more = !after.empty();
    for (const core::TopicCount& topic : topics.topics) {
      uint64_t next = 0;
      do {
        const core::ListReply page = replica.List(topic.topic, kPage, next);
        for (const core::EntryView& entry : page.entries) {
          if (all.emplace(KeyOf(entry.ref), ContentOf(topic.topic, entry))
                  .second) {
            continue;
          }
          world.Fail(absl::StrCat(
              Where(process), " lists twice: ", ToString(KeyOf(entry.ref))));
        }
        next = page.next;
      } while (next != 0);
    }
  }
  return all;
}

std::string Checks::MembersDiffer(Process& process) {
  const auto members = process.replica().Members(process.Now());
  for (Process* other : world_.Alive()) {
    auto it = std::find_if(members.begin(), members.end(),
                           [other](const core::MemberView& member) {
                             return member.origin.life == other->life;
                           });
    if (it == members.end()) {
      return absl::StrCat("C9: ", Where(process), " does not know ",
                          Where(*other));
    }
    if (it->state != core::MemberState::kAlive) {
      return absl::StrCat("C9: ", Where(*other), " is in state ",
                          static_cast<int>(it->state), " for ", Where(process));
    }
    // What came before it has ended.
    for (const core::MemberView& earlier : members) {
      if (earlier.origin.node != it->origin.node ||
          !(earlier.origin.incarnation < it->origin.incarnation)) {
        continue;
      }
      return absl::StrCat("C9: ", Where(process), " lists an earlier life of ",
                          Where(*other));
    }
    if (!it->linked && other != &process) {
      return absl::StrCat("C9: ", Where(process), " has no link to ",
                          Where(*other));
    }
  }
  return "";
}

// C13
std::string Checks::KeptTooLong(Process& process) {
  std::set<crdt::LifeId> recent;
  for (const auto& other : world_.processes()) {
    auto ended = ended_at_.find(other->number);
    if (ended == ended_at_.end() || world_.now() - ended->second < kForget) {
      recent.insert(other->life);
    }
  }
  for (const core::MemberView& m : process.replica().Members(process.Now())) {
    if (recent.contains(m.origin.life)) continue;
    return absl::StrCat("C13: ", Where(process), " still has a member of ",
                        m.origin.node, " that ended long ago");
  }
  for (const core::StreamView& stream :
       process.replica().Status(process.Now()).streams) {
    if (recent.contains(stream.origin.life)) continue;
    return absl::StrCat("C13: ", Where(process), " still has a stream of ",
                        stream.origin.node, " that ended long ago");
  }
  return "";
}

void Checks::CheckNothingKept() {
  std::map<crdt::LifeId, uint64_t> held;
  for (const auto& session : clients_.sessions()) {
    for (Process* process : world_.Alive()) {
      const bool here = session->at == process && !session->over;
      if (here || model_.NeverTold(session->number, process->number)) {
        ++held[process->life];
      }
    }
  }
  for (Process* process : world_.Alive()) {
    for (const core::StreamView& stream :
         process->replica().Status(process->Now()).streams) {
      const uint64_t sessions = held[stream.origin.life];
      if (stream.sessions <= sessions) continue;
      return world_.Fail(
          absl::StrCat("C13: ", Where(*process), " still has ", stream.sessions,
                       " records of sessions of ", stream.origin.node,
                       ", where clients hold ", sessions));
    }
  }
}

// C10: the views that do not come from the list.
std::string Checks::ViewsDiffer(Process& process, const Model::Entries& list) {
  core::Replica& replica = process.replica();
  std::map<std::string, std::set<std::string>> topics;
  std::map<std::string, std::set<std::string>> keys;
  std::map<std::string, uint64_t> in_topic;
  size_t pairs = 0;
  for (const auto& [ref, content] : list) {
    pairs += topics[content.topic].insert(content.key).second;
    keys[content.key].insert(content.topic);
    ++in_topic[content.topic];
  }
  const core::CountReply all = replica.Count();
  if (all.entries != list.size() || all.keys != pairs) {
    return absl::StrCat("C10: ", Where(process), " counts ", all.entries, "/",
                        all.keys, " and lists ", list.size(), "/", pairs);
  }
  for (const auto& [topic, members] : topics) {
    const core::CountReply count = replica.CountTopic(topic);
    if (count.entries != in_topic[topic] || count.keys != members.size()) {
      return absl::StrCat("C10: ", Where(process), " counts ", count.entries,
                          "/", count.keys, " in ", topic, " and lists ",
                          in_topic[topic], "/", members.size());
    }
  }
  for (const auto& [key, in] : keys) {
    const core::TopicsOfReply of = replica.TopicsOf(key, "", 1000);
    std::set<std::string> named;
    for (absl::string_view topic : of.topics) {
      named.insert(std::string(topic));
    }
    if (named != in && of.next.empty()) {
      return absl::StrCat("C10: ", Where(process), ": topics of ", key);
    }
  }
  return "";
}

// C11
std::string Checks::StreamsDiffer() {
  struct Position {
    uint64_t seq;
    uint64_t digest;
    const Process* at;
  };
  std::map<crdt::StreamId, Position> first;
  const std::vector<Process*> alive = world_.Alive();
  for (Process* process : alive) {
    const core::StatusView status = process->replica().Status(process->Now());
    std::set<crdt::StreamId> seen;
    for (const core::StreamView& s : status.streams) {
      const crdt::StreamId id = {s.origin.life, s.kind};
      seen.insert(id);
      if (s.rebasing) return absl::StrCat(Where(*process), " is rebasing");
      auto [it, fresh] =
          first.try_emplace(id, Position{s.seq.value, s.digest, process});
      if (fresh) continue;
      if (it->second.seq == s.seq.value && it->second.digest == s.digest) {
        continue;
      }
      // What nobody writes any more and nobody needs may stand anywhere.
      if (absl::ToInt64Seconds(s.age) > 60 && s.sessions == 0) continue;
      return absl::StrCat("C11: the stream of ", s.origin.node, ": ",
                          Where(*it->second.at), " stands at ", it->second.seq,
                          ", ", Where(*process), " at ", s.seq.value);
    }
    for (Process* other : alive) {
      const bool both = std::min(process->feature_level,
                                 other->feature_level) >= core::kRoutedLevel;
      if (seen.contains({other->life, crdt::StreamKind::kPresence}) &&
          (!both ||
           seen.contains({other->life, crdt::StreamKind::kInterest}))) {
        continue;
      }
      return absl::StrCat("C11: ", Where(*process), " has no stream of ",
                          Where(*other));
    }
  }
  return "";
}

// What a watcher of counts was told, beside what there is.
std::string Checks::CountsDiffer(const Watcher& watcher,
                                 const Model::Entries& list) {
  const bool of_keys = !watcher.request.keys.empty();
  std::map<std::string, std::pair<uint64_t, std::set<std::string>>> counts;
  for (const auto& [name, told] : watcher.mirror.counts()) counts[name];
  for (const auto& [ref, entry] : list) {
    if (!Covers(watcher.request, entry)) continue;
    auto& [entries, others] = counts[of_keys ? entry.key : entry.topic];
    ++entries;
    others.insert(of_keys ? entry.topic : entry.key);
  }
  for (const auto& [name, count] : counts) {
    auto told = watcher.mirror.counts().find(name);
    const core::CountReply said = told == watcher.mirror.counts().end()
                                      ? core::CountReply{}
                                      : told->second;
    if (said.entries == count.first && said.keys == count.second.size())
      continue;
    return absl::StrCat("C12: a watcher of counts at ", Where(*watcher.at),
                        " was told ", said.entries, "/", said.keys, " of ",
                        name, ", and there are ", count.first, "/",
                        count.second.size());
  }
  return "";
}

// C8, C12
std::string Checks::WatcherDiffers(const Watcher& watcher,
                                   const Model::Entries& list) {
  Model::Entries covered;
  for (const auto& [ref, content] : list) {
    if (Covers(watcher.request, content)) covered[ref] = content;
  }
  const Model::Entries& seen = watcher.mirror.entries();
  if (covered == seen) return "";
  const std::string lost = Difference(covered, seen);
  return absl::StrCat(
      "C12: a watcher at ", Where(*watcher.at), " differs from the list: ",
      lost.empty() ? absl::StrCat("it has ", Difference(seen, covered))
                   : absl::StrCat("it has not ", lost));
}

// C12
std::string Checks::WatchersDiffer(const std::map<int, Model::Entries>& lists) {
  for (const auto& watcher : clients_.watchers()) {
    if (watcher->at == nullptr || watcher->lagging) continue;
    auto list = lists.find(watcher->at->number);
    if (list == lists.end()) continue;
    if (watcher->request.counts_only) {
      const std::string wrong = CountsDiffer(*watcher, list->second);
      if (!wrong.empty()) return wrong;
      continue;
    }
    if (!watcher->mirror.complete()) return "a watcher waits for its state";
    const std::string wrong = WatcherDiffers(*watcher, list->second);
    if (!wrong.empty()) return wrong;
  }
  return "";
}

std::string Checks::NotQuietOf(Process& process,
                               const Model::Expected& expected,
                               const Model::Entries& list) {
  const std::string lost = Difference(expected.must, list);
  if (!lost.empty()) {
    return absl::StrCat(
        "C10: ", Where(process), " does not list ", lost,
        Explained(process, FirstMissing(expected.must, list)->second));
  }
  const std::string ghost = Difference(list, expected.may);
  if (!ghost.empty()) {
    return absl::StrCat(
        "C10: ", Where(process), " lists a ghost: ", ghost,
        Explained(process, FirstMissing(list, expected.may)->second));
  }
  const std::string views = ViewsDiffer(process, list);
  if (!views.empty()) return views;
  return KeptTooLong(process);
}

std::string Checks::NotQuiet() {
  std::map<int, Model::Entries> lists;
  const std::vector<Process*> alive = world_.Alive();
  for (Process* process : alive) {
    if (!process->running() || !process->idle()) return "a process is busy";
    const absl::Status serving = process->replica().Serving();
    if (!serving.ok()) {
      return absl::StrCat("C9: ", Where(*process), ": ", serving.ToString());
    }
    const std::string members = MembersDiffer(*process);
    if (!members.empty()) return members;
  }
  // What costs little first: a large cluster is asked many times.
  const std::string streams = StreamsDiffer();
  if (!streams.empty()) return streams;
  const Model::Expected expected = model_.ExpectedAt(world_.now());
  for (Process* process : alive) {
    lists[process->number] = ListAll(world_, *process);
    const std::string error =
        NotQuietOf(*process, expected, lists[process->number]);
    if (!error.empty()) return error;
    const Process& first = *alive.front();
    const std::string other =
        Difference(lists[first.number], lists[process->number]);
    if (!other.empty()) {
      return absl::StrCat(
          "C9: ", Where(first), " lists ", other, ", ", Where(*process),
          " does not",
          Explained(*process,
                    FirstMissing(lists[first.number], lists[process->number])
                        ->second));
    }
  }
  const std::string subscribers = subscribers_.NotQuiet();
  if (!subscribers.empty()) return subscribers;
  const std::string keys = keys_.NotQuiet();
  if (!keys.empty()) return keys;
  const std::string watchers = WatchersDiffer(lists);
  if (!watchers.empty()) return watchers;
  for (Process* process : alive) {
    const std::string audit = process->replica().Audit();
    if (!audit.empty()) return audit;
  }
  return "";
}

bool Checks::BecomeQuiet(SimTime limit) {
  const SimTime begun = world_.now();
  std::string why;
  const bool quiet = world_.RunUntilTrue(
      [this, &why] {
        why = NotQuiet();
        return why.empty();
      },
      limit, 100 * kMillisecond);
  if (!quiet) {
    world_.Fail(absl::StrCat("not quiet after ", limit / kSecond, " s: ", why));
  }
  slowest_quiet = std::max(slowest_quiet, world_.now() - begun);
  return quiet;
}

}  // namespace muster::sim
