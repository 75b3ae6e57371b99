#include "crdt/mutation.h"

#include <cstring>

#include "crdt/element_tag.h"

namespace muster::crdt {
namespace {

constexpr uint8_t kHasRef = 0x10;
constexpr uint8_t kHasRoot = 0x20;
constexpr uint8_t kKnownBits = kKindMask | kCreates | kHasRef | kHasRoot;

void AppendFixed64(uint64_t value, std::string& out) {
  char bytes[8];
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(value >> (8 * i));
  out.append(bytes, 8);
}

bool TakeFixed64(absl::string_view& bytes, uint64_t& value) {
  if (bytes.size() < 8) return false;
  value = 0;
  for (int i = 0; i < 8; ++i) {
    value |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[i])) << (8 * i);
  }
  bytes.remove_prefix(8);
  return true;
}

bool TakeName(absl::string_view& bytes, absl::string_view& name) {
  return TakeString(bytes, kMaxNameBytes, name) && !name.empty() &&
         IsValidUtf8(name);
}

bool TakeUint32(absl::string_view& bytes, uint32_t& value) {
  uint64_t wide = 0;
  if (!TakeVarint(bytes, wide) || wide > UINT32_MAX) return false;
  value = static_cast<uint32_t>(wide);
  return true;
}

void AppendTag(Mutation::Kind kind, Seq seq, ElementId id, uint8_t bits,
               std::string& out) {
  AppendTag(static_cast<uint8_t>(kind) | bits, seq, id, out);
}

bool TakeSession(absl::string_view& bytes, SessionContent& out) {
  if (!TakeFixed64(bytes, out.session.hi) ||
      !TakeFixed64(bytes, out.session.lo) || !TakeVarint(bytes, out.epoch) ||
      !TakeVarint(bytes, out.resume) || !TakeUint32(bytes, out.grace_ms) ||
      !TakeUint32(bytes, out.ttl_ms) || bytes.empty()) {
    return false;
  }
  uint8_t state = static_cast<uint8_t>(bytes[0]);
  bytes.remove_prefix(1);
  if (state > static_cast<uint8_t>(SessionState::kEnded)) return false;
  out.state = static_cast<SessionState>(state);
  out.moved_life = {};
  out.moved_seq = {};
  if (out.state != SessionState::kMoved) return true;
  return TakeFixed64(bytes, out.moved_life.hi) &&
         TakeFixed64(bytes, out.moved_life.lo) &&
         TakeVarint(bytes, out.moved_seq.value);
}

bool TakeEntry(absl::string_view& bytes, Seq seq, uint8_t tag,
               EntryContent& out) {
  if (!TakeDistance(bytes, seq, out.session) || !TakeName(bytes, out.topic) ||
      !TakeName(bytes, out.key) ||
      !TakeString(bytes, kMaxMetaBytes, out.meta)) {
    return false;
  }
  out.ref = {};
  out.root = {};
  if ((tag & kHasRef) == 0) return (tag & kHasRoot) == 0;
  if (!TakeFixed64(bytes, out.ref.life) ||
      !TakeVarint(bytes, out.ref.id.value) ||
      !TakeVarint(bytes, out.ref.seq.value) || out.ref.id.value == 0 ||
      out.ref.id.value > out.ref.seq.value) {
    return false;
  }
  if ((tag & kHasRoot) == 0) return true;
  return TakeFixed64(bytes, out.root.life) &&
         TakeVarint(bytes, out.root.id.value) && out.root.id.value != 0;
}

}  // namespace

void EncodePutSession(Seq seq, ElementId id, const SessionContent& content,
                      std::string& out) {
  AppendTag(Mutation::Kind::kPutSession, seq, id, 0, out);
  AppendFixed64(content.session.hi, out);
  AppendFixed64(content.session.lo, out);
  AppendVarint(content.epoch, out);
  AppendVarint(content.resume, out);
  AppendVarint(content.grace_ms, out);
  AppendVarint(content.ttl_ms, out);
  out.push_back(static_cast<char>(content.state));
  if (content.state != SessionState::kMoved) return;
  AppendFixed64(content.moved_life.hi, out);
  AppendFixed64(content.moved_life.lo, out);
  AppendVarint(content.moved_seq.value, out);
}

void EncodePutEntry(Seq seq, ElementId id, const EntryContent& content,
                    std::string& out) {
  const bool has_ref = !content.ref.IsNone();
  const bool has_root = has_ref && !content.root.IsNone();
  const int bits = (has_ref ? kHasRef : 0) | (has_root ? kHasRoot : 0);
  AppendTag(Mutation::Kind::kPutEntry, seq, id, static_cast<uint8_t>(bits),
            out);
  AppendVarint(seq.value - content.session.value, out);
  AppendString(content.topic, out);
  AppendString(content.key, out);
  AppendString(content.meta, out);
  if (!has_ref) return;
  AppendFixed64(content.ref.life, out);
  AppendVarint(content.ref.id.value, out);
  AppendVarint(content.ref.seq.value, out);
  if (!has_root) return;
  AppendFixed64(content.root.life, out);
  AppendVarint(content.root.id.value, out);
}

void EncodeRemove(Mutation::Kind kind, Seq seq, ElementId id,
                  std::string& out) {
  AppendTag(kind, seq, id, 0, out);
}

bool DecodeMutation(absl::string_view& bytes, Seq seq, Mutation& out) {
  if (bytes.empty() || seq.value == 0) return false;
  uint8_t tag = static_cast<uint8_t>(bytes[0]);
  bytes.remove_prefix(1);
  if ((tag & ~kKnownBits) != 0) return false;
  bool creates = (tag & kCreates) != 0;
  out.kind = static_cast<Mutation::Kind>(tag & kKindMask);
  out.seq = seq;
  out.id = ElementId(seq.value);
  if (!creates && !TakeDistance(bytes, seq, out.id)) return false;
  const bool refers = (tag & (kHasRef | kHasRoot)) != 0;
  if (refers && out.kind != Mutation::Kind::kPutEntry) return false;
  switch (out.kind) {
    case Mutation::Kind::kPutSession:
      return TakeSession(bytes, out.session);
    case Mutation::Kind::kPutEntry:
      return TakeEntry(bytes, seq, tag, out.entry) &&
             out.entry.session < out.id;
    case Mutation::Kind::kRemoveSession:
    case Mutation::Kind::kRemoveEntry:
      return !creates;
  }
  return false;
}

void SkipMutation(absl::string_view& bytes) {
  auto skip_varint = [&bytes] {
    size_t i = 0;
    while ((static_cast<uint8_t>(bytes[i]) & 0x80) != 0) ++i;
    bytes.remove_prefix(i + 1);
  };
  auto skip_string = [&bytes] {
    uint64_t size = 0;
    TakeVarint(bytes, size);
    bytes.remove_prefix(size);
  };
  uint8_t tag = static_cast<uint8_t>(bytes[0]);
  bytes.remove_prefix(1);
  if ((tag & kCreates) == 0) skip_varint();
  switch (static_cast<Mutation::Kind>(tag & kKindMask)) {
    case Mutation::Kind::kPutSession: {
      bytes.remove_prefix(16);
      for (int i = 0; i < 4; ++i) skip_varint();
      auto state = static_cast<SessionState>(bytes[0]);
      bytes.remove_prefix(1);
      if (state == SessionState::kMoved) {
        bytes.remove_prefix(16);
        skip_varint();
      }
      return;
    }
    case Mutation::Kind::kPutEntry:
      skip_varint();
      for (int i = 0; i < 3; ++i) skip_string();
      if ((tag & kHasRef) != 0) {
        bytes.remove_prefix(8);
        skip_varint();
        skip_varint();
      }
      if ((tag & kHasRoot) != 0) {
        bytes.remove_prefix(8);
        skip_varint();
      }
      return;
    case Mutation::Kind::kRemoveSession:
    case Mutation::Kind::kRemoveEntry:
      return;
  }
}

bool ValidateMutations(absl::string_view bytes, Seq first, uint32_t count) {
  Mutation mutation;
  for (uint32_t i = 0; i < count; ++i) {
    if (!DecodeMutation(bytes, Seq(first.value + i), mutation)) return false;
  }
  return bytes.empty();
}

bool DecodeElement(absl::string_view& bytes, Seq& previous, Mutation& out) {
  return DecodeSeqGap(bytes, previous) &&
         DecodeMutation(bytes, previous, out) &&
         (out.kind == Mutation::Kind::kPutSession ||
          out.kind == Mutation::Kind::kPutEntry);
}

bool ValidateElements(absl::string_view bytes, uint32_t count) {
  Mutation mutation;
  Seq previous;
  for (uint32_t i = 0; i < count; ++i) {
    if (!DecodeElement(bytes, previous, mutation)) return false;
  }
  return bytes.empty();
}

const Grammar& PresenceGrammar() {
  static constexpr Grammar kGrammar = {&SkipRun<&SkipMutation>,
                                       &ValidateMutations, &ValidateElements};
  return kGrammar;
}

bool IsValidUtf8(absl::string_view bytes) {
  const auto* p = reinterpret_cast<const uint8_t*>(bytes.data());
  const uint8_t* end = p + bytes.size();
  while (p < end) {
    if (end - p >= 8) {
      uint64_t word;
      std::memcpy(&word, p, 8);
      if ((word & 0x8080808080808080u) == 0) {
        p += 8;
        continue;
      }
    }
    uint8_t lead = *p++;
    if (lead < 0x80) continue;
    int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || end - p < more) return false;
    uint32_t code = lead & (0x3f >> more);
    for (int i = 0; i < more; ++i, ++p) {
      if ((*p & 0xc0) != 0x80) return false;
      code = code << 6 | (*p & 0x3f);
    }
    constexpr uint32_t kLowest[] = {0, 0x80, 0x800, 0x10000};
    if (code < kLowest[more] || code > 0x10ffff ||
        (code >= 0xd800 && code <= 0xdfff)) {
      return false;
    }
  }
  return true;
}

}  // namespace muster::crdt
