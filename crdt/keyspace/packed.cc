#include "crdt/keyspace/packed.h"

#include <algorithm>
#include <compare>

namespace muster::kv {
namespace {

// As element_codec.cc writes them.
constexpr uint8_t kKindMask = 0x07;
constexpr uint8_t kMany = 0x08;
constexpr uint8_t kOwnDot = 0x10;
constexpr uint8_t kSameMutation = 0x08;
constexpr uint8_t kHasDeadline = 0x10;
constexpr uint8_t kOnNil = 0x20;

inline uint64_t ReadVarint(const char*& at) {
  auto byte = static_cast<uint8_t>(*at++);
  if (byte < 0x80) return byte;
  uint64_t value = byte & 0x7f;
  for (int shift = 7;; shift += 7) {
    byte = static_cast<uint8_t>(*at++);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
}

inline uint64_t ReadFixed(const char*& at) {
  uint64_t number = 0;
  std::memcpy(&number, at, sizeof(number));
  at += sizeof(number);
  return number;
}

inline absl::string_view ReadBytes(const char*& at) {
  const uint64_t size = ReadVarint(at);
  const absl::string_view bytes(at, size);
  at += size;
  return bytes;
}

inline PackedDot ReadDot(const char*& at) {
  PackedDot dot;
  dot.life = static_cast<uint32_t>(ReadVarint(at));
  dot.seq = ReadVarint(at);
  dot.index = static_cast<uint32_t>(ReadVarint(at));
  return dot;
}

inline int64_t ReadSigned(const char*& at) {
  const uint64_t zigzag = ReadVarint(at);
  return static_cast<int64_t>(zigzag >> 1 ^ (~(zigzag & 1) + 1));
}

// What all versions begin with: the tag is returned.
inline uint8_t ReadHead(const char*& at, PackedMutation& last,
                        uint32_t& index) {
  const auto tag = static_cast<uint8_t>(*at++);
  if ((tag & kSameMutation) == 0) {
    last.any = true;
    last.life = static_cast<uint32_t>(ReadVarint(at));
    last.seq = ReadVarint(at);
    last.stamp = ReadFixed(at);
  }
  index = static_cast<uint32_t>(ReadVarint(at));
  return tag;
}

inline VersionKind KindIn(uint8_t tag) {
  return static_cast<VersionKind>(tag & kKindMask);
}

inline void SkipOn(const char*& at, uint8_t tag) {
  if ((tag & kOnNil) == 0) ReadDot(at);
}

// Skips the content of a version, and notes in `out` what it shows.
inline void TakeContent(const char*& at, uint8_t tag, PackedElement& out) {
  switch (KindIn(tag)) {
    case VersionKind::kValue:
      if ((tag & kHasDeadline) != 0) ReadVarint(at);
      out.value = ReadBytes(at);
      return;
    case VersionKind::kPlace:
      out.place = ReadBytes(at);
      out.shown = true;
      return;
    case VersionKind::kCount:
      ReadVarint(at);
      SkipOn(at, tag);
      out.simple = false;
      return;
    case VersionKind::kScore: {
      const uint64_t bits = ReadFixed(at);
      std::memcpy(&out.score, &bits, sizeof(bits));
      return;
    }
    case VersionKind::kDeadline:
      ReadVarint(at);
      SkipOn(at, tag);
      return;
    case VersionKind::kMember:
    case VersionKind::kBirth:
      return;
  }
}

void ReadContent(const char*& at, uint8_t tag, const LifeTable& lives,
                 Version& out) {
  switch (out.kind) {
    case VersionKind::kValue:
      if ((tag & kHasDeadline) != 0) out.deadline.at_ms = ReadVarint(at);
      out.bytes = ReadBytes(at);
      return;
    case VersionKind::kPlace:
      out.bytes = ReadBytes(at);
      return;
    case VersionKind::kCount:
      out.sum = ReadSigned(at);
      if ((tag & kOnNil) == 0) out.on = ReadDot(at).In(lives);
      return;
    case VersionKind::kScore: {
      const uint64_t bits = ReadFixed(at);
      std::memcpy(&out.score, &bits, sizeof(bits));
      return;
    }
    case VersionKind::kDeadline:
      out.deadline.at_ms = ReadVarint(at);
      if ((tag & kOnNil) == 0) out.on = ReadDot(at).In(lives);
      return;
    case VersionKind::kMember:
    case VersionKind::kBirth:
      return;
  }
}

// The tag, the number of versions and the name; `at` is then at the versions.
inline uint64_t ReadName(const char*& at, PackedElement& out, bool& own) {
  const auto tag = static_cast<uint8_t>(*at++);
  out.kind = static_cast<ElementKind>(tag & kKindMask);
  own = (tag & kOwnDot) != 0;
  const uint64_t count = (tag & kMany) != 0 ? ReadVarint(at) : 1;
  out.name = {};
  if (out.kind >= ElementKind::kField && out.kind <= ElementKind::kScored) {
    out.name = ReadBytes(at);
  } else if (out.kind == ElementKind::kItem && !own) {
    out.item = ReadDot(at);
  }
  return count;
}

int Sign(std::strong_ordering order) {
  return std::is_lt(order) ? -1 : std::is_gt(order) ? 1 : 0;
}

}  // namespace

void ReadPacked(const char* at, const PackedMutation& before,
                PackedElement& out) {
  out.begin = at;
  out.before = before;
  out.after = before;
  bool own = false;
  const uint64_t count = ReadName(at, out, own);
  const bool item = out.kind == ElementKind::kItem;
  out.shown = out.kind != ElementKind::kKey && !item;
  out.value = {};
  out.place = {};
  out.simple = count == 1 || (item && count == 2);
  for (uint64_t i = 0; i < count; ++i) {
    uint32_t index = 0;
    const uint8_t tag = ReadHead(at, out.after, index);
    if (own && i == 0) out.item = {out.after.life, out.after.seq, index};
    TakeContent(at, tag, out);
  }
  // Two values, and no place, are not shown.
  if (item && !out.shown) out.simple = false;
  out.end = at;
}

void ReadVersions(const PackedElement& element, const LifeTable& lives,
                  Versions& out) {
  out.clear();
  const char* at = element.begin;
  PackedElement head;
  bool own = false;
  const uint64_t count = ReadName(at, head, own);
  PackedMutation last = element.before;
  for (uint64_t i = 0; i < count; ++i) {
    Version& version = out.emplace_back();
    const uint8_t tag = ReadHead(at, last, version.dot.index);
    version.kind = KindIn(tag);
    version.dot.life = lives[last.life];
    version.dot.seq = Seq(last.seq);
    version.stamp = Stamp(last.stamp);
    ReadContent(at, tag, lives, version);
  }
}

int CompareTo(const PackedElement& element, const ElementName& name,
              const LifeTable& lives) {
  if (element.kind != name.kind) return element.kind < name.kind ? -1 : 1;
  if (element.kind != ElementKind::kItem)
    return element.name.compare(name.name);
  return Sign(element.item.In(lives) <=> name.item);
}

int CompareName(const char* at, ElementKind kind, absl::string_view name) {
  PackedElement element;
  bool own = false;
  ReadName(at, element, own);
  if (element.kind != kind) return element.kind < kind ? -1 : 1;
  return element.name.compare(name);
}

PackedSpot FindPacked(absl::string_view elements, const LifeTable& lives,
                      const ElementName& name) {
  PackedSpot spot;
  PackedElement& element = spot.element;
  const char* at = elements.data();
  const char* const end = at + elements.size();
  PackedMutation last;
  while (at != end) {
    ReadPacked(at, last, element);
    const int order = CompareTo(element, name, lives);
    if (order == 0) {
      spot.found = true;
      return spot;
    }
    if (order > 0) break;
    at = element.end;
    last = element.after;
  }
  element.begin = at;
  element.end = at;
  element.before = last;
  element.after = last;
  return spot;
}

PackedChange MakeChange(absl::string_view elements, const PackedSpot& spot,
                        const ElementName& name, VersionSpan versions,
                        LifeTable& lives, std::string& out) {
  const PackedElement& old = spot.element;
  LastMutation last = old.before.Last(lives);
  if (!versions.empty()) AppendElement(name, versions, lives, last, out);
  PackedChange change;
  change.begin = static_cast<size_t>(old.begin - elements.data());
  change.end = static_cast<size_t>(old.end - elements.data());
  const LastMutation before = old.after.Last(lives);
  const bool same = last.any == before.any && last.life == before.life &&
                    last.seq == before.seq && last.stamp == before.stamp;
  if (change.end == elements.size() || same) return change;
  // What follows said its mutation against another one.
  PackedElement next;
  ReadPacked(old.end, old.after, next);
  Versions kept;
  ReadVersions(next, lives, kept);
  AppendElement(next.Name(lives), kept, lives, last, out);
  change.end += static_cast<size_t>(next.end - next.begin);
  return change;
}

}  // namespace muster::kv
