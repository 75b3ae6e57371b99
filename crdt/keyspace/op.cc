#include "crdt/keyspace/op.h"

#include "crdt/check.h"
#include "crdt/keyspace/wire.h"

namespace muster::kv {
namespace {

using Kind = Op::Kind;

constexpr uint8_t kOpKindMask = 0x0f;
constexpr uint8_t kOpens = 0x10;
constexpr uint8_t kSameKey = 0x20;
constexpr uint8_t kFront = 0x40;

bool MayOpen(Kind kind) {
  return kind == Kind::kIncrement || kind == Kind::kPutField ||
         kind == Kind::kAddMember || kind == Kind::kPutScore ||
         kind == Kind::kPush;
}

void AppendKey(const KeyName& key, std::string& out) {
  out.push_back(static_cast<char>(key.db));
  AppendValue(key.key, out);
}

bool TakeKey(absl::string_view& bytes, KeyName& key) {
  return TakeByte(bytes, key.db) && key.db < kDatabases &&
         TakeBytes(bytes, key.key) && key.key.size() <= kMaxKeyBytes;
}

void AppendName(const ElementName& name, std::string& out) {
  out.push_back(static_cast<char>(name.kind));
  if (name.kind == ElementKind::kItem) {
    AppendDot(name.item, out);
  } else if (name.kind != ElementKind::kString) {
    AppendValue(name.name, out);
  }
}

bool TakeName(absl::string_view& bytes, ElementName& name) {
  uint8_t kind = 0;
  if (!TakeByte(bytes, kind) || kind == 0 || kind >= kElementKinds) {
    return false;
  }
  name.kind = static_cast<ElementKind>(kind);
  if (name.kind == ElementKind::kString) return true;
  if (name.kind == ElementKind::kItem) return TakeDot(bytes, name.item);
  return TakeBytes(bytes, name.name);
}

bool TakeName(absl::string_view& bytes, ElementKind kind, ElementName& name) {
  name.kind = kind;
  return TakeBytes(bytes, name.name);
}

bool TakeValues(absl::string_view& bytes, Op& op) {
  uint64_t count = 0;
  if (!TakeVarint(bytes, count) || count == 0 || count > bytes.size()) {
    return false;
  }
  const absl::string_view all = bytes;
  absl::string_view value;
  for (uint64_t i = 0; i < count; ++i) {
    if (!TakeBytes(bytes, value)) return false;
  }
  op.values = all.substr(0, all.size() - bytes.size());
  op.width = static_cast<uint32_t>(count);
  return true;
}

void AppendBound(const ElementName& name, double score, absl::string_view place,
                 std::string& out) {
  if (name.kind == ElementKind::kItem) {
    AppendValue(place, out);
    return AppendDot(name.item, out);
  }
  AppendDouble(score, out);
  AppendValue(name.name, out);
}

bool TakeBound(absl::string_view& bytes, ElementKind kind, ElementName& name,
               double& score, absl::string_view& place) {
  name.kind = kind;
  if (kind == ElementKind::kItem) {
    return TakeBytes(bytes, place) && IsPlace(place) &&
           TakeDot(bytes, name.item);
  }
  return TakeDouble(bytes, score) && TakeBytes(bytes, name.name);
}

bool TakeRange(absl::string_view& bytes, Op& op) {
  uint8_t byte = 0;
  if (!TakeByte(bytes, byte)) return false;
  const auto kind = static_cast<ElementKind>(byte);
  if (kind != ElementKind::kItem && kind != ElementKind::kScored) return false;
  if (!TakeBound(bytes, kind, op.name, op.score, op.place) ||
      !TakeBound(bytes, kind, op.last, op.last_score, op.last_place)) {
    return false;
  }
  if (op.score != op.last_score) return op.score < op.last_score;
  if (op.place != op.last_place) return op.place < op.last_place;
  return op.name < op.last;
}

void AppendBody(const Op& op, std::string& out) {
  switch (op.kind) {
    case Kind::kPutString:
      AppendVarint(op.deadline.at_ms, out);
      return AppendValue(op.value, out);
    case Kind::kIncrement:
      AppendName(op.name, out);
      return AppendSigned(op.amount, out);
    case Kind::kPutField:
      AppendValue(op.name.name, out);
      return AppendValue(op.value, out);
    case Kind::kAddMember:
      return AppendValue(op.name.name, out);
    case Kind::kPutScore:
      AppendValue(op.name.name, out);
      return AppendDouble(op.score, out);
    case Kind::kPush:
      AppendValue(op.place, out);
      AppendVarint(op.width, out);
      out.append(op.values.data(), op.values.size());
      return;
    case Kind::kSetItem:
      AppendDot(op.name.item, out);
      return AppendValue(op.value, out);
    case Kind::kRemove:
      return AppendName(op.name, out);
    case Kind::kSetDeadline:
      return AppendVarint(op.deadline.at_ms, out);
    case Kind::kMove:
    case Kind::kCopy:
      AppendKey(op.to, out);
      return AppendVarint(op.width, out);
    case Kind::kRemoveRange:
      out.push_back(static_cast<char>(op.name.kind));
      AppendBound(op.name, op.score, op.place, out);
      return AppendBound(op.last, op.last_score, op.last_place, out);
    case Kind::kRemoveKey:
    case Kind::kFlush:
    case Kind::kSettle:
      return;
  }
}

bool TakeTo(absl::string_view& bytes, Op& op) {
  uint64_t width = 0;
  if (!TakeKey(bytes, op.to) || op.to == op.key || !TakeVarint(bytes, width)) {
    return false;
  }
  op.width = static_cast<uint32_t>(width);
  return width > 0 && width <= UINT32_MAX;
}

bool TakeBody(absl::string_view& bytes, Op& op) {
  switch (op.kind) {
    case Kind::kPutString:
      op.name.kind = ElementKind::kString;
      return TakeVarint(bytes, op.deadline.at_ms) && TakeBytes(bytes, op.value);
    case Kind::kIncrement:
      return TakeName(bytes, op.name) && op.name.kind <= ElementKind::kField &&
             TakeSigned(bytes, op.amount);
    case Kind::kPutField:
      return TakeName(bytes, ElementKind::kField, op.name) &&
             TakeBytes(bytes, op.value);
    case Kind::kAddMember:
      return TakeName(bytes, ElementKind::kMember, op.name);
    case Kind::kPutScore:
      return TakeName(bytes, ElementKind::kScored, op.name) &&
             TakeDouble(bytes, op.score);
    case Kind::kPush:
      return TakeBytes(bytes, op.place) && IsPlace(op.place) &&
             TakeValues(bytes, op);
    case Kind::kSetItem:
      op.name.kind = ElementKind::kItem;
      return TakeDot(bytes, op.name.item) && TakeBytes(bytes, op.value);
    case Kind::kRemove:
      return TakeName(bytes, op.name) && op.name.kind != ElementKind::kString;
    case Kind::kSetDeadline:
      return TakeVarint(bytes, op.deadline.at_ms);
    case Kind::kMove:
    case Kind::kCopy:
      return TakeTo(bytes, op);
    case Kind::kRemoveRange:
      return TakeRange(bytes, op);
    case Kind::kFlush:
      return op.key.key.empty();
    case Kind::kRemoveKey:
    case Kind::kSettle:
      return true;
  }
  return false;
}

}  // namespace

void AppendValue(absl::string_view value, std::string& values) {
  AppendVarint(value.size(), values);
  values.append(value.data(), value.size());
}

bool TakeValue(absl::string_view& values, absl::string_view& value) {
  return !values.empty() && TakeBytes(values, value);
}

// ----------------------------------------------------------------- writing

MutationWriter::MutationWriter(Stamp stamp, std::string buffer)
    : stamp_(stamp), body_(std::move(buffer)) {
  body_.clear();
}

bool MutationWriter::IsLastKey(const KeyName& key) const {
  return ops_ > 0 && last_db_ == key.db &&
         absl::string_view(body_).substr(last_key_, last_size_) == key.key;
}

void MutationWriter::Add(Op& op) {
  op.index = next_index_;
  MUSTER_CHECK(op.width <= UINT32_MAX - next_index_);
  next_index_ += op.width;
  const bool same = IsLastKey(op.key);
  ++ops_;
  auto tag = static_cast<uint8_t>(op.kind);
  if (op.opens) tag |= kOpens;
  if (op.front) tag |= kFront;
  if (same) tag |= kSameKey;
  body_.push_back(static_cast<char>(tag));
  if (!same) {
    AppendKey(op.key, body_);
    last_db_ = op.key.db;
    last_size_ = op.key.key.size();
    last_key_ = body_.size() - last_size_;
  }
  AppendBody(op, body_);
}

void MutationWriter::Finish(std::string& out) const {
  MUSTER_CHECK(ops_ > 0);
  if (out.empty()) out.reserve(body_.size() + 18);
  AppendVarint(8 + body_.size(), out);
  AppendFixed(stamp_.value, out);
  out.append(body_);
}

// ----------------------------------------------------------------- reading

bool MutationReader::Take(absl::string_view& bytes) {
  *this = MutationReader();
  absl::string_view body;
  uint64_t stamp = 0;
  if (!TakeBytes(bytes, body) || body.size() > kMaxMutationBytes ||
      !TakeFixed(body, stamp) || body.empty()) {
    return false;
  }
  stamp_ = Stamp(stamp);
  rest_ = body;
  return ok_ = true;
}

bool MutationReader::Next(Op& op) {
  uint8_t tag = 0;
  if (!ok_ || !TakeByte(rest_, tag)) return false;
  op = Op();
  op.kind = static_cast<Kind>(tag & kOpKindMask);
  op.opens = (tag & kOpens) != 0;
  op.front = (tag & kFront) != 0;
  const bool same = (tag & kSameKey) != 0;
  if (tag >= 0x80 || (op.opens && !MayOpen(op.kind)) ||
      (op.front && op.kind != Kind::kPush) || (same && !has_key_)) {
    return Fail();
  }
  if (same) {
    op.key = last_;
  } else if (!TakeKey(rest_, op.key) || (has_key_ && op.key == last_)) {
    return Fail();
  }
  if (!TakeBody(rest_, op) || next_index_ + op.width > UINT32_MAX) {
    return Fail();
  }
  op.index = static_cast<uint32_t>(next_index_);
  next_index_ += op.width;
  has_key_ = true;
  last_ = op.key;
  return true;
}

void SkipMutation(absl::string_view& bytes) {
  absl::string_view body;
  TakeBytes(bytes, body);
}

bool ValidateMutations(absl::string_view bytes, Seq first, uint32_t count) {
  if (count > 0 && (first.value == 0 || first.value > UINT64_MAX - count)) {
    return false;
  }
  MutationReader reader;
  Op op;
  for (uint32_t i = 0; i < count; ++i) {
    if (!reader.Take(bytes)) return false;
    while (reader.Next(op)) continue;
    if (!reader.ok()) return false;
  }
  return bytes.empty();
}

const crdt::Grammar& KeyspaceGrammar() {
  static constexpr crdt::Grammar kGrammar = {
      &crdt::SkipRun<&SkipMutation>, &ValidateMutations,
      [](absl::string_view, uint32_t) { return false; }};
  return kGrammar;
}

}  // namespace muster::kv
