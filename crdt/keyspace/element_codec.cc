#include "crdt/keyspace/element_codec.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "crdt/check.h"
#include "crdt/keyspace/wire.h"

namespace muster::kv {
namespace {

// Of an element's tag.
constexpr uint8_t kVersionKindMask = 0x07;
constexpr uint8_t kMany = 0x08;
constexpr uint8_t kOwnDot = 0x10;
// Of a version's.
constexpr uint8_t kSameMutation = 0x08;
constexpr uint8_t kHasDeadline = 0x10;
constexpr uint8_t kOnNil = 0x20;

// The numbers of a version, which are appended as one.
class Numbers {
 public:
  void Byte(uint8_t byte) { *at_++ = static_cast<char>(byte); }
  void Varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) Byte(static_cast<uint8_t>(value | 0x80));
    Byte(static_cast<uint8_t>(value));
  }
  void Signed(int64_t value) {
    Varint(static_cast<uint64_t>(value) << 1 ^
           static_cast<uint64_t>(value >> 63));
  }
  void Fixed(uint64_t value) {
    std::memcpy(at_, &value, sizeof(value));
    at_ += sizeof(value);
  }
  void TableDot(const Dot& dot, LifeTable& lives) {
    Varint(lives.NumberOf(dot.life));
    Varint(dot.seq.value);
    Varint(dot.index);
  }
  void AppendTo(std::string& out) const {
    out.append(bytes_, static_cast<size_t>(at_ - bytes_));
  }

 private:
  // Two tags, ten varints and two fixed numbers are less.
  char bytes_[128];
  char* at_ = bytes_;
};

bool TakeTableLife(absl::string_view& bytes, const LifeTable& lives,
                   LifeId& life) {
  uint64_t number = 0;
  if (!TakeVarint(bytes, number) || number >= lives.size()) return false;
  life = lives[static_cast<uint32_t>(number)];
  return true;
}

bool TakeIndex(absl::string_view& bytes, uint32_t& index) {
  uint64_t number = 0;
  if (!TakeVarint(bytes, number) || number > UINT32_MAX) return false;
  index = static_cast<uint32_t>(number);
  return true;
}

bool TakeTableDot(absl::string_view& bytes, const LifeTable& lives, Dot& dot) {
  return TakeTableLife(bytes, lives, dot.life) &&
         TakeVarint(bytes, dot.seq.value) && dot.seq.value != 0 &&
         TakeIndex(bytes, dot.index);
}

void AppendContent(const Version& version, LifeTable& lives, Numbers& out) {
  switch (version.kind) {
    case VersionKind::kValue:
      if (version.deadline.IsSet()) out.Varint(version.deadline.at_ms);
      [[fallthrough]];
    case VersionKind::kPlace:
      return out.Varint(version.bytes.size());
    case VersionKind::kCount:
      out.Signed(version.sum);
      if (!version.on.IsNil()) out.TableDot(version.on, lives);
      return;
    case VersionKind::kScore:
      return out.Fixed(std::bit_cast<uint64_t>(version.score));
    case VersionKind::kDeadline:
      out.Varint(version.deadline.at_ms);
      if (!version.on.IsNil()) out.TableDot(version.on, lives);
      return;
    case VersionKind::kMember:
    case VersionKind::kBirth:
      return;
  }
}

bool TakeOn(absl::string_view& bytes, const LifeTable& lives, bool nil,
            Dot& on) {
  return nil || TakeTableDot(bytes, lives, on);
}

bool TakeContent(absl::string_view& bytes, const LifeTable& lives, uint8_t tag,
                 Version& version) {
  const bool has_deadline = (tag & kHasDeadline) != 0;
  const bool nil = (tag & kOnNil) != 0;
  const VersionKind kind = version.kind;
  if (has_deadline && kind != VersionKind::kValue) return false;
  if (nil && kind != VersionKind::kCount && kind != VersionKind::kDeadline) {
    return false;
  }
  switch (kind) {
    case VersionKind::kValue:
      if (has_deadline && (!TakeVarint(bytes, version.deadline.at_ms) ||
                           !version.deadline.IsSet())) {
        return false;
      }
      return TakeBytes(bytes, version.bytes);
    case VersionKind::kPlace:
      return TakeBytes(bytes, version.bytes) && IsPlace(version.bytes);
    case VersionKind::kCount:
      return TakeSigned(bytes, version.sum) &&
             TakeOn(bytes, lives, nil, version.on);
    case VersionKind::kScore:
      return TakeDouble(bytes, version.score);
    case VersionKind::kDeadline:
      return TakeVarint(bytes, version.deadline.at_ms) &&
             TakeOn(bytes, lives, nil, version.on);
    case VersionKind::kMember:
    case VersionKind::kBirth:
      return true;
  }
  return false;
}

void AppendVersion(const Version& version, LifeTable& lives, LastMutation& last,
                   std::string& out) {
  const bool same = last.any && last.life == version.dot.life &&
                    last.seq == version.dot.seq && last.stamp == version.stamp;
  auto tag = static_cast<uint8_t>(version.kind);
  if (same) tag |= kSameMutation;
  if (version.kind == VersionKind::kValue && version.deadline.IsSet()) {
    tag |= kHasDeadline;
  }
  if (version.on.IsNil() && (version.kind == VersionKind::kCount ||
                             version.kind == VersionKind::kDeadline)) {
    tag |= kOnNil;
  }
  Numbers numbers;
  numbers.Byte(tag);
  if (!same) {
    numbers.Varint(lives.NumberOf(version.dot.life));
    numbers.Varint(version.dot.seq.value);
    numbers.Fixed(version.stamp.value);
    last = {true, version.dot.life, version.dot.seq, version.stamp};
  }
  numbers.Varint(version.dot.index);
  AppendContent(version, lives, numbers);
  numbers.AppendTo(out);
  out.append(version.bytes.data(), version.bytes.size());
}

bool TakeVersion(absl::string_view& bytes, const LifeTable& lives,
                 LastMutation& last, Version& version) {
  uint8_t tag = 0;
  if (!TakeByte(bytes, tag) || tag >= 0x40) return false;
  const auto kind = static_cast<uint8_t>(tag & kVersionKindMask);
  if (kind >= kVersionKinds) return false;
  version.kind = static_cast<VersionKind>(kind);
  if ((tag & kSameMutation) != 0) {
    if (!last.any) return false;
  } else {
    const LastMutation before = last;
    if (!TakeTableLife(bytes, lives, last.life) ||
        !TakeVarint(bytes, last.seq.value) || last.seq.value == 0 ||
        !TakeFixed(bytes, last.stamp.value)) {
      return false;
    }
    last.any = true;
    // One encoding: what is the same says so.
    if (before.any && before.life == last.life && before.seq == last.seq &&
        before.stamp == last.stamp) {
      return false;
    }
  }
  version.dot.life = last.life;
  version.dot.seq = last.seq;
  version.stamp = last.stamp;
  return TakeIndex(bytes, version.dot.index) &&
         TakeContent(bytes, lives, tag, version);
}

bool IsNamed(ElementKind kind) {
  return kind == ElementKind::kField || kind == ElementKind::kMember ||
         kind == ElementKind::kScored;
}

}  // namespace

bool Fits(ElementKind element, VersionKind version) {
  switch (version) {
    case VersionKind::kValue:
      return element == ElementKind::kString ||
             element == ElementKind::kField || element == ElementKind::kItem;
    case VersionKind::kCount:
      return element == ElementKind::kString || element == ElementKind::kField;
    case VersionKind::kMember:
      return element == ElementKind::kMember;
    case VersionKind::kScore:
      return element == ElementKind::kScored;
    case VersionKind::kPlace:
      return element == ElementKind::kItem;
    case VersionKind::kBirth:
    case VersionKind::kDeadline:
      return element == ElementKind::kKey;
  }
  return false;
}

void Insert(Versions& versions, const Version& version) {
  const auto at =
      std::lower_bound(versions.begin(), versions.end(), version, IsBefore);
  if (at != versions.end() && !IsBefore(version, *at)) {
    *at = version;
  } else {
    versions.insert(at, version);
  }
}

void AppendElement(const ElementName& name, VersionSpan versions,
                   LifeTable& lives, LastMutation& last, std::string& out) {
  MUSTER_CHECK(!versions.empty());
  auto tag = static_cast<uint8_t>(name.kind);
  const bool own =
      name.kind == ElementKind::kItem && versions.front().dot == name.item;
  if (versions.size() > 1) tag |= kMany;
  if (own) tag |= kOwnDot;
  Numbers numbers;
  numbers.Byte(tag);
  if (versions.size() > 1) numbers.Varint(versions.size());
  if (IsNamed(name.kind)) {
    numbers.Varint(name.name.size());
  } else if (name.kind == ElementKind::kItem && !own) {
    numbers.TableDot(name.item, lives);
  }
  numbers.AppendTo(out);
  out.append(name.name.data(), name.name.size());
  for (const Version& version : versions) {
    AppendVersion(version, lives, last, out);
  }
}

bool TakeElement(absl::string_view& bytes, const LifeTable& lives,
                 LastMutation& last, ElementName& name, Versions& versions) {
  uint8_t tag = 0;
  if (!TakeByte(bytes, tag) || tag >= 0x20) return false;
  const auto kind = static_cast<uint8_t>(tag & kVersionKindMask);
  if (kind >= kElementKinds) return false;
  name = ElementName();
  name.kind = static_cast<ElementKind>(kind);
  const bool own = (tag & kOwnDot) != 0;
  if (own && name.kind != ElementKind::kItem) return false;
  uint64_t count = 1;
  if ((tag & kMany) != 0 && (!TakeVarint(bytes, count) || count < 2)) {
    return false;
  }
  if (count > bytes.size()) return false;
  if (IsNamed(name.kind) && !TakeBytes(bytes, name.name)) return false;
  if (name.kind == ElementKind::kItem && !own &&
      !TakeTableDot(bytes, lives, name.item)) {
    return false;
  }
  versions.clear();
  for (uint64_t i = 0; i < count; ++i) {
    Version version;
    if (!TakeVersion(bytes, lives, last, version) ||
        !Fits(name.kind, version.kind) ||
        (i > 0 && !IsBefore(versions.back(), version))) {
      return false;
    }
    versions.push_back(version);
  }
  if (own) {
    name.item = versions.front().dot;
  } else if (name.kind == ElementKind::kItem &&
             versions.front().dot == name.item) {
    return false;
  }
  return true;
}

}  // namespace muster::kv
