#include "stream_writer.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "crdt/check.h"

namespace muster::crdt {

std::string StreamWriter::PutSession(ElementId id) {
  SessionContent content;
  content.session = {id.value, id.value * 7};
  content.epoch = Below(3);
  content.resume = Below(200);
  content.grace_ms = static_cast<uint32_t>(Below(600000));
  content.state = static_cast<SessionState>(Below(5));
  if (content.state == SessionState::kMoved) {
    content.moved_life = {random_(), random_()};
    content.moved_seq = Seq(random_());
  }
  std::string out;
  EncodePutSession(last_, id, content, out);
  return out;
}

std::string StreamWriter::PutEntry(ElementId id) {
  const Entry& entry = entries_[id];
  std::string meta(Below(40), static_cast<char>('a' + Below(26)));
  EntryContent content{entry.session, entry.topic, entry.key, meta};
  if (Below(5) == 0) {
    uint64_t ref_id = 1 + Below(1000);
    content.ref = {random_(), ElementId(ref_id), Seq(ref_id + Below(1000))};
  }
  std::string out;
  EncodePutEntry(last_, id, content, out);
  return out;
}

std::string StreamWriter::Remove() {
  std::string out;
  if (Below(5) == 0) {
    size_t at = Below(sessions_.size());
    ElementId id = sessions_[at];
    bool owns = std::any_of(
        entries_.begin(), entries_.end(),
        [id](const auto& entry) { return entry.second.session == id; });
    if (!owns) {
      sessions_.erase(sessions_.begin() + static_cast<ptrdiff_t>(at));
      EncodeRemove(Mutation::Kind::kRemoveSession, last_, id, out);
      return out;
    }
  }
  if (entries_.empty()) return PutSession(sessions_[Below(sessions_.size())]);
  auto it = entries_.begin();
  std::advance(it, Below(entries_.size()));
  EncodeRemove(Mutation::Kind::kRemoveEntry, last_, it->first, out);
  entries_.erase(it);
  return out;
}

std::string StreamWriter::Next() {
  last_ = last_.Next();
  ElementId fresh(last_.value);
  uint64_t dice = Below(100);
  if (sessions_.empty() || dice < 10) {
    sessions_.push_back(fresh);
    return PutSession(fresh);
  }
  if (dice < 20) return PutSession(sessions_[Below(sessions_.size())]);
  if (dice < 40 && !entries_.empty()) {
    auto it = entries_.begin();
    std::advance(it, Below(entries_.size()));
    return PutEntry(it->first);
  }
  if (dice < 65) return Remove();
  entries_[fresh] = {sessions_[Below(sessions_.size())],
                     absl::StrCat("topic", Below(4)),
                     absl::StrCat("key", Below(6))};
  return PutEntry(fresh);
}

void StreamReader::Put(const Mutation& m) {
  if (m.kind == Mutation::Kind::kPutSession) {
    store_.PutSession(stream_, m.id, m.seq, m.session);
    return;
  }
  RowIdx row = store_.FindEntry(stream_, m.id);
  if (row != kNone) {
    store_.UpdateEntry(row, m.seq, m.entry.meta, m.entry.ref);
    return;
  }
  SessionIdx session = store_.sessions().Find(stream_, m.entry.session);
  MUSTER_CHECK(session != kNone);
  store_.Show(store_.AddEntry(session, m.id, m.seq, m.entry));
}

void StreamReader::Apply(const Mutation& m) {
  switch (m.kind) {
    case Mutation::Kind::kPutSession:
    case Mutation::Kind::kPutEntry:
      Put(m);
      return;
    case Mutation::Kind::kRemoveSession:
      store_.RemoveSession(store_.sessions().Find(stream_, m.id));
      return;
    case Mutation::Kind::kRemoveEntry:
      store_.RemoveEntry(store_.FindEntry(stream_, m.id));
      return;
  }
}

bool StreamReader::Apply(absl::string_view bytes, Seq first, uint32_t count) {
  if (first > position_.Next()) return false;
  for (uint32_t i = 0; i < count; ++i) {
    Seq seq(first.value + i);
    if (seq <= position_) {
      SkipMutation(bytes);
      continue;
    }
    Mutation mutation;
    MUSTER_CHECK(DecodeMutation(bytes, seq, mutation));
    Apply(mutation);
    position_ = seq;
  }
  return true;
}

void StreamReader::Rebase(absl::string_view sessions, absl::string_view entries,
                          Seq at) {
  for (absl::string_view bytes : {sessions, entries}) {
    Seq seq;
    Mutation mutation;
    while (!bytes.empty()) {
      MUSTER_CHECK(DecodeElement(bytes, seq, mutation));
      Put(mutation);
    }
  }
  position_ = at;
}

EncodedState EncodeState(const PresenceStore& store, StreamIdx stream) {
  EncodedState state;
  Seq previous;
  for (SessionIdx i = store.FirstSessionBySeq(stream); i != kNone;
       i = store.NextSessionBySeq(i)) {
    AppendElementSeq(previous, store.session(i).seq, state.sessions);
    store.EncodeSession(i, state.sessions);
    previous = store.session(i).seq;
  }
  previous = Seq();
  for (RowIdx i = store.FirstRowBySeq(stream); i != kNone;
       i = store.NextRowBySeq(i)) {
    AppendElementSeq(previous, store.seq(i), state.entries);
    store.EncodeEntry(i, state.entries);
    previous = store.seq(i);
  }
  return state;
}

}  // namespace muster::crdt
