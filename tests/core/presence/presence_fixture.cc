#include "tests/core/presence/presence_fixture.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace muster::core {

using crdt::ElementId;
using crdt::Mutation;
using crdt::RowIdx;

PresenceTest::PresenceTest(const Options& options)
    : options_(options), roll_(options, streams_, /*hash_seed=*/1) {
  streams_.AddKind(crdt::StreamKind::kPresence, crdt::PresenceGrammar(), roll_,
                   1 << 20);
  streams_.SetTime({now_, 1}, absl::ZeroDuration());
  roll_.store().SetTime(1);
  roll_.store().SetObserver(this);
}

Stream& PresenceTest::AddStream(const std::string& node, bool own) {
  const uint64_t life = ++lives_;
  Stream& stream = streams_.Add({node, crdt::Incarnation(life), {life, life}},
                                crdt::StreamKind::kPresence, own, now_);
  stream.visibility.Learnt(/*alive=*/true, /*ended=*/false);
  return stream;
}

std::string PresenceTest::Shown(const std::string& topic) const {
  const crdt::PresenceStore& store = roll_.store();
  std::vector<std::string> keys;
  const crdt::TopicIdx found = store.topics().Find(topic);
  if (found == crdt::kNone) return "";
  store.topics().VisitRows(found, 0, [&](RowIdx row) {
    if (roll_.Visible(row)) keys.emplace_back(store.key(row));
    return true;
  });
  std::sort(keys.begin(), keys.end());
  return absl::StrJoin(keys, " ");
}

std::vector<std::string> PresenceTest::Changes() {
  return std::exchange(changes_, {});
}

void PresenceTest::OnShown(RowIdx row) {
  changes_.push_back(absl::StrCat("+", std::string(roll_.store().key(row))));
}
void PresenceTest::OnHidden(RowIdx row) {
  changes_.push_back(absl::StrCat("-", std::string(roll_.store().key(row))));
}
void PresenceTest::OnUpdated(RowIdx row, const crdt::Ref& previous) {
  changes_.push_back(absl::StrCat("~", std::string(roll_.store().key(row)), " ",
                                  previous.seq.value, "->",
                                  roll_.store().ref(row).seq.value));
}

// --------------------------------------------------------------- mutations

Roll::Applied PresenceTest::Apply(Stream& stream, Mutation mutation) {
  mutation.seq = stream.vv.Next();
  if (mutation.id.value == 0) mutation.id = ElementId(mutation.seq.value);
  const Roll::Applied applied = roll_.Apply(stream, mutation);
  if (applied == Roll::Applied::kOk) stream.vv = mutation.seq;
  return applied;
}

ElementId PresenceTest::Put(Stream& stream, const Record& record) {
  Update(stream, ElementId(), record);
  return ElementId(stream.vv.value);
}

void PresenceTest::Update(Stream& stream, ElementId session,
                          const Record& record) {
  Mutation mutation;
  mutation.kind = Mutation::Kind::kPutSession;
  mutation.id = session;
  mutation.session.session = record.session;
  mutation.session.state = record.state;
  mutation.session.epoch = record.epoch;
  mutation.session.resume = record.resume;
  mutation.session.grace_ms =
      static_cast<uint32_t>(absl::ToInt64Milliseconds(record.grace));
  ASSERT_EQ(Apply(stream, mutation), Roll::Applied::kOk);
}

ElementId PresenceTest::Track(Stream& stream, ElementId session,
                              const std::string& key, const crdt::Ref& ref,
                              const crdt::EntryRoot& root) {
  Mutation mutation;
  mutation.entry = {session, "room", key, "", ref, root};
  EXPECT_EQ(Apply(stream, mutation), Roll::Applied::kOk);
  return ElementId(stream.vv.value);
}

void PresenceTest::UpdateEntry(Stream& stream, ElementId entry,
                               const std::string& meta) {
  const crdt::PresenceStore& store = roll_.store();
  const RowIdx row = Row(stream, entry);
  const std::string key(store.key(row));
  Mutation mutation;
  mutation.id = entry;
  mutation.entry = {
      store.session(store.session_of(row)).id, "room", key, meta, {}, {}};
  ASSERT_EQ(Apply(stream, mutation), Roll::Applied::kOk);
}

void PresenceTest::RemoveEntry(Stream& stream, ElementId entry) {
  Mutation mutation;
  mutation.kind = Mutation::Kind::kRemoveEntry;
  mutation.id = entry;
  ASSERT_EQ(Apply(stream, mutation), Roll::Applied::kOk);
}

void PresenceTest::RemoveSession(Stream& stream, ElementId session) {
  Mutation mutation;
  mutation.kind = Mutation::Kind::kRemoveSession;
  mutation.id = session;
  ASSERT_EQ(Apply(stream, mutation), Roll::Applied::kOk);
}

crdt::Ref PresenceTest::RefOf(const Stream& stream, ElementId entry) const {
  return roll_.store().ref(Row(stream, entry));
}

// -------------------------------------------------------------------- time

void PresenceTest::Hide(Stream& stream) {
  if (stream.visibility.OnGone()) streams_.Settle(stream);
}

void PresenceTest::ShowAgain(Stream& stream) {
  stream.advanced = now_;
  stream.visibility.OnAlive(stream.vv, now_);
  stream.visibility.OnNamed(stream.vv, /*origin=*/true);
  if (stream.visibility.ShowIfCaughtUp(stream.vv, true, now_)) {
    streams_.Settle(stream);
  }
}

void PresenceTest::Run(absl::Duration time) {
  now_ = now_ + time;
  streams_.SetTime({now_, 1}, absl::ZeroDuration());
  while (roll_.RunDeadlines(/*limit=*/64, due_)) {
  }
  RunJobs();
}

void PresenceTest::RunJobs() {
  while (roll_.RunJob(/*rows=*/2)) {
  }
}

}  // namespace muster::core
