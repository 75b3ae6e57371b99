#include "crdt/keyspace/transaction.h"

#include "absl/strings/str_cat.h"
#include "crdt/check.h"
#include "crdt/keyspace/apply.h"
#include "crdt/keyspace/element_codec.h"
#include "crdt/keyspace/key_edit.h"
#include "crdt/keyspace/key_store.h"
#include "crdt/keyspace/place.h"

namespace muster::kv {
namespace {

using Kind = Op::Kind;

constexpr ElementName kStringElement = {ElementKind::kString, {}, {}};

// Whether the key has a version that a deadline of this kind can be set on.
bool IsOpen(const KeyEdit& edit, ElementKind element) {
  const Versions births = edit.Get(ElementKind::kKey);
  if (Latest(births, VersionKind::kBirth) != nullptr) return true;
  if (element != ElementKind::kString) return false;
  return Latest(edit.Get(kStringElement), VersionKind::kValue) != nullptr;
}

}  // namespace

Transaction::Transaction(Keyspace& state, const Seen& seen, Stamp stamp,
                         Time now)
    : state_(state),
      seen_(seen),
      now_(now),
      writer_(stamp, std::move(state.store_->mutation_buffer())) {
  MUSTER_CHECK(state_.store_->journal() == nullptr);
  state_.store_->OpenJournal();
  state_.store_->BeginMutation(seen_.leader, seen_.seq);
}

Transaction::~Transaction() {
  Abandon();
  state_.store_->mutation_buffer() = writer_.Release();
}

// -------------------------------------------------------------------- parts

void Transaction::Make(Op& op) {
  MUSTER_CHECK(open_);
  writer_.Add(op);
  ApplyOp(*state_.store_, op, seen_, writer_.stamp());
}

bool Transaction::Exists(const KeyName& key) const {
  return state_.store_->Find(key) != kNone;
}

void Transaction::Prepare(const KeyName& key) {
  const RowIdx row = state_.store_->Find(key);
  if (row == kNone || !state_.store_->Read(row).deadline.IsDue(now_)) return;
  Op op;
  op.kind = Kind::kRemoveKey;
  op.key = key;
  Make(op);
}

Op Transaction::Opening(Kind kind, const KeyName& key, ElementKind element) {
  Prepare(key);
  Op op;
  op.kind = kind;
  op.key = key;
  op.name.kind = element;
  op.opens = !IsOpen(KeyEdit(*state_.store_, key), element);
  return op;
}

void Transaction::RemoveIfEmpty(const KeyName& key, ElementKind element) {
  const RowIdx row = state_.store_->Find(key);
  if (row == kNone) return;
  const KeyBlob blob = state_.store_->Read(row);
  bool any = blob.type == TypeOf(element);
  if (blob.large != nullptr) {
    any = blob.large->shown(element) > 0;
  } else if (!any && blob.mixed) {
    KeyEdit(*state_.store_, key)
        .ForEach([&](const ElementName& name, const Versions& versions) {
          any |= name.kind == element && IsShown(element, versions);
        });
  }
  if (!any) RemoveKey(key);
}

// ------------------------------------------------------- strings and hashes

void Transaction::PutString(const KeyName& key, absl::string_view value,
                            Deadline due) {
  Op op;
  op.kind = Kind::kPutString;
  op.key = key;
  op.name = kStringElement;
  op.value = value;
  op.deadline = due;
  Make(op);
}

bool Transaction::CountFits(const KeyName& key, const ElementName& element,
                            int64_t by) const {
  const KeyEdit edit(*state_.store_, key);
  const Versions versions = edit.Get(element);
  const Version* root = Latest(versions, VersionKind::kValue);
  int64_t sum = by;
  for (const Version& version : versions) {
    if (!Counts(version, root) || version.dot.life != seen_.leader) continue;
    if (__builtin_add_overflow(sum, version.sum, &sum)) return false;
  }
  return true;
}

void Transaction::Increment(const KeyName& key, int64_t by) {
  Op op = Opening(Kind::kIncrement, key, ElementKind::kString);
  op.amount = by;
  if (CountFits(key, kStringElement, by)) return Make(op);
  const KeyView view = Find(key);
  PutString(key, absl::StrCat(*view.Integer() + by), view.deadline());
}

void Transaction::PutField(const KeyName& key, absl::string_view field,
                           absl::string_view value) {
  Op op = Opening(Kind::kPutField, key, ElementKind::kField);
  op.name.name = field;
  op.value = value;
  Make(op);
}

void Transaction::IncrementField(const KeyName& key, absl::string_view field,
                                 int64_t by) {
  Op op = Opening(Kind::kIncrement, key, ElementKind::kField);
  op.name.name = field;
  op.amount = by;
  if (CountFits(key, op.name, by)) return Make(op);
  PutField(key, field, absl::StrCat(*Find(key).FieldInteger(field) + by));
}

// -------------------------------------------------------------------- sets

void Transaction::AddMember(const KeyName& key, absl::string_view member) {
  Op op = Opening(Kind::kAddMember, key, ElementKind::kMember);
  op.name.name = member;
  Make(op);
}

void Transaction::PutScore(const KeyName& key, absl::string_view member,
                           double score) {
  Op op = Opening(Kind::kPutScore, key, ElementKind::kScored);
  op.name.name = member;
  op.score = score;
  Make(op);
}

void Transaction::Remove(const KeyName& key, absl::string_view name) {
  const KeyView view = Find(key);
  Entry entry;
  if (!view.Get(name, entry)) return;
  Op op;
  op.kind = Kind::kRemove;
  op.key = key;
  op.name = {KindOf(view.type()), name, {}};
  Make(op);
  RemoveIfEmpty(key, op.name.kind);
}

void Transaction::RemoveRanks(const KeyName& key, uint64_t first,
                              uint64_t count) {
  const KeyView view = Find(key);
  if (count == 0) return;
  if (count == view.size()) return RemoveKey(key);
  Entry begin;
  Entry end;
  MUSTER_CHECK(view.At(first, begin) && view.At(first + count - 1, end));
  // Views of what the op removes.
  const std::string names[] = {std::string(begin.name), std::string(end.name)};
  const std::string places[] = {std::string(begin.place),
                                std::string(end.place)};
  const ElementKind kind = KindOf(view.type());
  Op op;
  op.kind = count == 1 ? Kind::kRemove : Kind::kRemoveRange;
  op.key = key;
  op.name = {kind, names[0], begin.item};
  op.score = begin.score;
  op.place = places[0];
  op.last = {kind, names[1], end.item};
  op.last_score = end.score;
  op.last_place = places[1];
  Make(op);
}

// -------------------------------------------------------------------- lists

void Transaction::MakePush(const KeyName& key, absl::string_view place,
                           bool front,
                           absl::Span<const absl::string_view> values) {
  Op op = Opening(Kind::kPush, key, ElementKind::kItem);
  std::string encoded;
  for (absl::string_view value : values) AppendValue(value, encoded);
  op.place = place;
  op.front = front;
  op.values = encoded;
  op.width = static_cast<uint32_t>(values.size());
  Make(op);
}

void Transaction::Push(const KeyName& key, End end,
                       absl::Span<const absl::string_view> values) {
  if (values.empty()) return;
  const KeyView view = Find(key);
  const bool front = end == End::kFront;
  const uint64_t size = view.type() == Type::kList ? view.size() : 0;
  Entry last;
  std::string place = FirstPlace(seen_.leader);
  if (size > 0 && view.At(front ? 0 : size - 1, last)) {
    place = front ? PlaceBefore(last.place, seen_.leader)
                  : PlaceBehind(last.place, seen_.leader);
  }
  MakePush(key, place, front, values);
}

bool Transaction::Insert(const KeyName& key, uint64_t rank, Side side,
                         absl::string_view value) {
  const KeyView view = Find(key);
  Entry pivot;
  MUSTER_CHECK(view.At(rank, pivot));
  Entry other;
  std::string place;
  if (side == Side::kAfter) {
    place = view.At(rank + 1, other) ? PlaceBetween(pivot.place, other.place)
                                     : PlaceBehind(pivot.place, seen_.leader);
  } else {
    place = rank > 0 && view.At(rank - 1, other)
                ? PlaceBetween(other.place, pivot.place)
                : PlaceBefore(pivot.place, seen_.leader);
  }
  if (place.size() > kMaxPlaceBytes) return false;
  MakePush(key, place, false, {value});
  return true;
}

void Transaction::SetItem(const KeyName& key, const Dot& item,
                          absl::string_view value) {
  Op op;
  op.kind = Kind::kSetItem;
  op.key = key;
  op.name = {ElementKind::kItem, {}, item};
  op.value = value;
  Make(op);
}

void Transaction::RemoveItem(const KeyName& key, const Dot& item) {
  Op op;
  op.kind = Kind::kRemove;
  op.key = key;
  op.name = {ElementKind::kItem, {}, item};
  Make(op);
  RemoveIfEmpty(key, ElementKind::kItem);
}

// --------------------------------------------------------------------- keys

void Transaction::SetDeadline(const KeyName& key, Deadline due) {
  if (!Find(key).exists()) return;
  Op op;
  op.kind = Kind::kSetDeadline;
  op.key = key;
  op.deadline = due;
  Make(op);
}

void Transaction::RemoveKey(const KeyName& key) {
  if (!Exists(key)) return;
  Op op;
  op.kind = Kind::kRemoveKey;
  op.key = key;
  Make(op);
}

void Transaction::MakeTransfer(Kind kind, const KeyName& from,
                               const KeyName& to) {
  MUSTER_CHECK(from != to);
  const KeyView view = Find(from);
  if (!view.exists()) return;
  Op op;
  op.kind = kind;
  op.key = from;
  op.to = to;
  if (view.type() == Type::kList) op.width = static_cast<uint32_t>(view.size());
  Make(op);
}

void Transaction::Move(const KeyName& from, const KeyName& to) {
  MakeTransfer(Kind::kMove, from, to);
}

void Transaction::Copy(const KeyName& from, const KeyName& to) {
  MakeTransfer(Kind::kCopy, from, to);
}

void Transaction::Flush(uint8_t db) {
  if (state_.store_->rows(db) == 0) return;
  Op op;
  op.kind = Kind::kFlush;
  op.key.db = db;
  Make(op);
}

void Transaction::Settle(const KeyName& key) {
  if (!Exists(key)) return;
  Op op;
  op.kind = Kind::kSettle;
  op.key = key;
  Make(op);
}

// ---------------------------------------------------------------------- end

std::string Transaction::Commit() {
  std::string mutation;
  Commit(mutation);
  return mutation;
}

bool Transaction::Commit(std::string& out) {
  MUSTER_CHECK(open_);
  open_ = false;
  state_.store_->CommitJournal();
  state_.store_->EndMutation();
  if (writer_.empty()) return false;
  writer_.Finish(out);
  state_.context_.Cover(seen_.leader, seen_.seq);
  return true;
}

void Transaction::Abandon() {
  if (!open_) return;
  open_ = false;
  state_.store_->UndoJournal();
  state_.store_->EndMutation();
}

}  // namespace muster::kv
