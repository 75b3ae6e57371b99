// A roll with the streams of a few nodes, written mutation by mutation, and a
// note of each change of what is shown:
//
//   "+ann"        shown: an entry of the key ann
//   "-ann"        hidden
//   "~ann 2->5"   updated: its ref had seq 2, and now has 5
#ifndef MUSTER_TESTS_CORE_PRESENCE_PRESENCE_FIXTURE_H_
#define MUSTER_TESTS_CORE_PRESENCE_PRESENCE_FIXTURE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "crdt/mutation.h"
#include "crdt/presence_store.h"
#include "gtest/gtest.h"
#include "node/core/options.h"
#include "node/core/presence/roll.h"
#include "node/core/stream/stream_table.h"

namespace muster::core {

// The session of this number, as its client's token would name it.
constexpr crdt::SessionId Session(uint64_t number) { return {number, number}; }

// A record of a session that is connected, in its first life.
struct Record {
  crdt::SessionId session = Session(1);
  crdt::SessionState state = crdt::SessionState::kConnected;
  uint64_t epoch = 0;
  uint64_t resume = 0;
  absl::Duration grace;
};

class PresenceTest : public testing::Test, public crdt::ViewObserver {
 protected:
  PresenceTest() : PresenceTest(Options()) {}
  explicit PresenceTest(const Options& options);

  // The stream of a node: "a" is this one. Lives are numbered 1, 2, … as they
  // are added.
  Stream& AddStream(const std::string& node, bool own = false);
  // The entries of the topic that reads show, by key, in byte order.
  std::string Shown(const std::string& topic = "room") const;
  // What has changed since the last call.
  std::vector<std::string> Changes();

  // ---- the next mutation of a stream ----
  crdt::ElementId Put(Stream& stream, const Record& record);
  void Update(Stream& stream, crdt::ElementId session, const Record& record);
  // An entry of the topic "room". `ref` and `root`: of one that was adopted.
  crdt::ElementId Track(Stream& stream, crdt::ElementId session,
                        const std::string& key, const crdt::Ref& ref = {},
                        const crdt::EntryRoot& root = {});
  void UpdateEntry(Stream& stream, crdt::ElementId entry,
                   const std::string& meta);
  void RemoveEntry(Stream& stream, crdt::ElementId entry);
  void RemoveSession(Stream& stream, crdt::ElementId session);
  Roll::Applied Apply(Stream& stream, crdt::Mutation mutation);

  crdt::Ref RefOf(const Stream& stream, crdt::ElementId entry) const;
  crdt::SessionIdx Find(const Stream& stream, crdt::ElementId session) const {
    return roll_.store().sessions().Find(stream.idx, session);
  }
  crdt::RowIdx Row(const Stream& stream, crdt::ElementId entry) const {
    return roll_.store().FindEntry(stream.idx, entry);
  }

  // The origin goes, or comes back and stands at what is here.
  void Hide(Stream& stream);
  void ShowAgain(Stream& stream);
  // Lets time pass, and does what is due: of own sessions, appends to `due_`.
  void Run(absl::Duration time);
  void RunJobs();

  const Options options_;
  Instant now_{1'000'000'000};
  StreamTable streams_;
  Roll roll_;
  std::vector<crdt::ElementId> due_;

 private:
  void OnShown(crdt::RowIdx row) override;
  void OnHidden(crdt::RowIdx row) override;
  void OnUpdated(crdt::RowIdx row, const crdt::Ref& previous) override;

  uint64_t lives_ = 0;
  std::vector<std::string> changes_;
};

}  // namespace muster::core

#endif  // MUSTER_TESTS_CORE_PRESENCE_PRESENCE_FIXTURE_H_
