// The presence store against a naive model, in random histories of all its
// calls.
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "crdt/presence_store.h"
#include "gtest/gtest.h"
#include "store_model.h"

namespace muster::crdt {
namespace {

class Recorder : public ViewObserver {
 public:
  explicit Recorder(const PresenceStore& store) : store_(store) {}
  void OnShown(RowIdx row) override {
    Record(ViewEvent::Kind::kShown, row, {});
  }
  void OnHidden(RowIdx row) override {
    Record(ViewEvent::Kind::kHidden, row, {});
  }
  void OnUpdated(RowIdx row, const Ref& previous) override {
    Record(ViewEvent::Kind::kUpdated, row, previous);
  }
  std::vector<ViewEvent> events;

 private:
  void Record(ViewEvent::Kind kind, RowIdx row, const Ref& previous) {
    events.push_back(
        {kind, std::string(store_.topic(row)), std::string(store_.key(row)),
         std::string(store_.meta(row)), store_.ref(row), previous});
  }
  const PresenceStore& store_;
};

// How much of what a history has: names few enough to meet, or spread out.
struct Shape {
  uint64_t seed;
  int steps;
  uint64_t topics;
  uint64_t keys;
  // In 100: how many steps take something away.
  uint64_t removals;
  int compare_every = 1;
};

class History {
 public:
  explicit History(const Shape& shape)
      : shape_(shape), random_(shape.seed), store_(random_()) {
    store_.SetObserver(&recorder_);
  }

  void Step();
  void Compare() const { model_.Compare(store_); }
  void CompareEvents() {
    ASSERT_TRUE(std::exchange(recorder_.events, {}) ==
                std::exchange(model_.events, {}));
  }
  void CompareDigests() {
    for (const auto& [stream, digest] : model_.FreshDigests(random_())) {
      ASSERT_EQ(store_.Digest(stream), digest);
    }
  }
  // Everything goes, in some order; then nothing may be held.
  void TakeDown();
  const PresenceStore& store() const { return store_; }

 private:
  uint64_t Below(uint64_t limit) { return random_() % limit; }
  template <typename Map>
  auto Any(Map& map) {
    auto it = map.begin();
    std::advance(it, Below(map.size()));
    return it;
  }
  Seq NextSeq(StreamIdx stream) {
    Seq& last = model_.streams.at(stream).last;
    last = Seq(last.value + 1 + Below(3));
    return last;
  }
  std::string Meta() {
    uint64_t size = Below(20) == 0 ? Below(9000) : Below(90);
    return std::string(size, static_cast<char>('a' + Below(26)));
  }
  Ref SomeRef() {
    if (Below(4) != 0) return {};
    return {random_(), ElementId(1 + Below(9)), Seq(10 + Below(90))};
  }
  SessionContent Content();

  void Grow();
  void Take();
  void Change();
  void AddStream();
  void RemoveStream();
  void PutSession(bool fresh);
  void AddEntry();
  void UpdateEntry();
  void RemoveEntry();
  void RemoveSession();
  void Detach();
  void Flip();
  void Transfer();
  void Pin();
  void Unpin();

  const Shape shape_;
  std::mt19937_64 random_;
  PresenceStore store_;
  Recorder recorder_{store_};
  StoreModel model_;
  int64_t wall_us_ = 1'000'000;
};

SessionContent History::Content() {
  SessionContent content;
  content.session = {Below(6), Below(3)};
  content.epoch = Below(2);
  content.resume = Below(4);
  content.state = static_cast<SessionState>(Below(5));
  if (content.state == SessionState::kMoved) {
    content.moved_life = {Below(3), Below(3)};
    content.moved_seq = Seq(Below(100));
  }
  return content;
}

void History::AddStream() {
  uint64_t life = random_();
  StreamIdx stream = store_.AddStream(life);
  ASSERT_EQ(model_.streams.count(stream), 0u);
  model_.streams[stream] = {life, Seq()};
}

void History::RemoveStream() {
  StreamIdx stream = Any(model_.streams)->first;
  for (const auto& [i, session] : model_.sessions) {
    if (session.stream == stream) return;
  }
  store_.RemoveStream(stream);
  model_.streams.erase(stream);
}

void History::PutSession(bool fresh) {
  SessionContent content = Content();
  if (fresh || model_.sessions.empty()) {
    StreamIdx stream = Any(model_.streams)->first;
    Seq seq = NextSeq(stream);
    ElementId id(seq.value - Below(2));  // In a rebase it may come late.
    if (store_.sessions().Find(stream, id) != kNone) id = ElementId(seq.value);
    SessionIdx i = store_.PutSession(stream, id, seq, content);
    ASSERT_EQ(model_.sessions.count(i), 0u);
    model_.sessions[i] = {stream, id, seq, content};
    return;
  }
  auto& [i, session] = *Any(model_.sessions);
  if (Below(2) == 0) content.session = session.content.session;
  session.seq = NextSeq(session.stream);
  session.content = content;
  ASSERT_EQ(store_.PutSession(session.stream, session.id, session.seq, content),
            i);
}

void History::AddEntry() {
  if (model_.sessions.empty()) return PutSession(true);
  const auto& [session, owner] = *Any(model_.sessions);
  StoreModel::Entry entry;
  entry.stream = owner.stream;
  entry.session = session;
  entry.seq = NextSeq(owner.stream);
  entry.id = ElementId(entry.seq.value);
  entry.topic = absl::StrCat("topic:", Below(shape_.topics));
  entry.key = absl::StrCat("key:", Below(shape_.keys));
  entry.meta = Meta();
  entry.explicit_ref = SomeRef();
  wall_us_ += static_cast<int64_t>(Below(3)) - 1;
  store_.SetTime(wall_us_);
  RowIdx row = store_.AddEntry(
      session, entry.id, entry.seq,
      {owner.id, entry.topic, entry.key, entry.meta, entry.explicit_ref});
  ASSERT_EQ(model_.entries.count(row), 0u);
  entry.stamp = store_.stamp(row);
  ASSERT_GE(entry.stamp, static_cast<uint64_t>(wall_us_));
  for (const auto& [other, known] : model_.entries) {
    ASSERT_LT(known.stamp, entry.stamp);
  }
  model_.entries[row] = entry;
  if (Below(3) == 0) return;
  store_.Show(row);
  model_.Show(row);
}

void History::UpdateEntry() {
  auto& [row, entry] = *Any(model_.entries);
  if (entry.detached) return;
  Seq seq = NextSeq(entry.stream);
  Ref ref = SomeRef();
  std::string meta = Below(5) == 0 ? entry.meta : Meta();
  store_.UpdateEntry(row, seq, meta, ref);
  model_.Update(row, seq, meta, ref);
}

void History::RemoveEntry() {
  RowIdx row = Any(model_.entries)->first;
  store_.RemoveEntry(row);
  model_.Remove(row);
}

void History::RemoveSession() {
  SessionIdx session = Any(model_.sessions)->first;
  while (store_.FirstRowOf(session) != kNone) {
    RowIdx row = store_.FirstRowOf(session);
    store_.RemoveEntry(row);
    model_.Remove(row);
  }
  ASSERT_FALSE(model_.HasRows(session));
  store_.RemoveSession(session);
  model_.sessions.erase(session);
}

void History::Detach() {
  auto& [row, entry] = *Any(model_.entries);
  if (entry.detached) return;
  store_.Detach(row);
  entry.detached = true;
}

void History::Flip() {
  auto& [row, entry] = *Any(model_.entries);
  if (entry.shown) {
    store_.Hide(row);
    model_.Hide(row);
  } else {
    store_.Show(row);
    model_.Show(row);
  }
}

void History::Transfer() {
  const auto& [from, shown] = *Any(model_.entries);
  if (!shown.shown) return;
  for (const auto& [to, hidden] : model_.entries) {
    if (hidden.shown || hidden.topic != shown.topic ||
        hidden.key != shown.key) {
      continue;
    }
    store_.Transfer(from, to);
    model_.Transfer(from, to);
    return;
  }
}

void History::Pin() {
  std::string name = absl::StrCat("topic:", Below(shape_.topics));
  store_.PinTopic(name);
  ++model_.pins[name];
}

void History::Unpin() {
  if (model_.pins.empty()) return;
  auto it = Any(model_.pins);
  store_.UnpinTopic(store_.topics().Find(it->first));
  if (--it->second == 0) model_.pins.erase(it);
}

void History::Grow() {
  uint64_t dice = Below(100);
  if (dice < 10 && model_.streams.size() < 5) return AddStream();
  if (dice < 25) return PutSession(true);
  if (dice < 30) return Pin();
  AddEntry();
}

void History::Take() {
  uint64_t dice = Below(100);
  if (dice < 5) return RemoveStream();
  if (dice < 15) return Unpin();
  if (dice < 30 && !model_.sessions.empty()) return RemoveSession();
  if (!model_.entries.empty()) RemoveEntry();
}

void History::Change() {
  if (model_.entries.empty()) return PutSession(false);
  switch (Below(6)) {
    case 0:
      return PutSession(false);
    case 1:
      return UpdateEntry();
    case 2:
      return Detach();
    case 3:
      return Transfer();
    default:
      return Flip();
  }
}

void History::Step() {
  if (model_.streams.empty()) return AddStream();
  uint64_t dice = Below(100);
  if (dice < shape_.removals) return Take();
  if (dice < shape_.removals + 30) return Change();
  Grow();
}

void History::TakeDown() {
  while (!model_.entries.empty()) RemoveEntry();
  while (!model_.sessions.empty()) RemoveSession();
  while (!model_.pins.empty()) Unpin();
  for (const auto& [stream, last] : model_.streams) {
    EXPECT_EQ(store_.Digest(stream), 0u);
    store_.RemoveStream(stream);
  }
  model_.streams.clear();
}

class PresencePropertyTest : public testing::TestWithParam<Shape> {};

TEST_P(PresencePropertyTest, AnswersAsTheModelDoes) {
  History history(GetParam());
  for (int step = 0; step < GetParam().steps; ++step) {
    SCOPED_TRACE(absl::StrCat("step ", step));
    ASSERT_NO_FATAL_FAILURE(history.Step());
    ASSERT_NO_FATAL_FAILURE(history.CompareEvents());
    // The whole comparison looks at everything: not at each step of a long run.
    if (step % GetParam().compare_every == 0) {
      ASSERT_NO_FATAL_FAILURE(history.Compare());
      ASSERT_NO_FATAL_FAILURE(history.CompareDigests());
    }
  }
  ASSERT_NO_FATAL_FAILURE(history.Compare());
  ASSERT_NO_FATAL_FAILURE(history.CompareDigests());
  history.TakeDown();
  ASSERT_NO_FATAL_FAILURE(history.CompareEvents());
  ASSERT_NO_FATAL_FAILURE(history.Compare());
  EXPECT_EQ(history.store().row_count(), 0u);
  EXPECT_EQ(history.store().sessions().size(), 0u);
  EXPECT_EQ(history.store().topics().size(), 0u);
}

std::vector<Shape> Shapes() {
  std::vector<Shape> shapes;
  uint64_t seed = 1;
  for (int i = 0; i < 40; ++i) shapes.push_back({seed++, 400, 2, 2, 25});
  for (int i = 0; i < 12; ++i) shapes.push_back({seed++, 400, 5, 8, 15});
  // Small and turning over: pages, topics and streams come and go.
  for (int i = 0; i < 40; ++i) shapes.push_back({seed++, 600, 6, 3, 38});
  // Large: indexes split and merge, pages fill.
  for (int i = 0; i < 2; ++i) shapes.push_back({seed++, 4000, 40, 900, 5, 100});
  return shapes;
}

INSTANTIATE_TEST_SUITE_P(Shapes, PresencePropertyTest,
                         testing::ValuesIn(Shapes()), [](const auto& info) {
                           return absl::StrCat("Seed", info.param.seed);
                         });

}  // namespace
}  // namespace muster::crdt
