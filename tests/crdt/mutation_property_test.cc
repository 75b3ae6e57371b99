// Encoding and decoding are each other's inverse, for all values.
#include <string>
#include <vector>

#include "crdt/mutation.h"
#include "gtest/gtest.h"
#include "rapidcheck/gtest.h"

namespace muster::crdt {
namespace {

using Kind = Mutation::Kind;

struct Owned {
  Kind kind = Kind::kPutEntry;
  uint64_t id_back = 0;       // How far before its seq; 0 creates.
  uint64_t session_back = 1;  // How far the session is before the id.
  SessionContent session;
  std::string topic;
  std::string key;
  std::string meta;
  Ref ref;
};

void showValue(const Owned& m, std::ostream& os) {
  os << "kind " << int{static_cast<uint8_t>(m.kind)} << ", id " << m.id_back
     << " back, session " << m.session_back << " back, topic " << m.topic
     << ", key " << m.key << ", " << m.meta.size() << " bytes of meta, ref seq "
     << m.ref.seq.value;
}

rc::Gen<uint64_t> AnyBits() {
  return rc::gen::apply(
      [](uint64_t value, uint64_t bits) { return value >> bits % 64; },
      rc::gen::arbitrary<uint64_t>(), rc::gen::arbitrary<uint64_t>());
}

rc::Gen<std::string> AnyName() {
  return rc::gen::nonEmpty(
      rc::gen::container<std::string>(rc::gen::inRange<char>('!', '~')));
}

rc::Gen<SessionContent> AnySession() {
  return rc::gen::exec([] {
    SessionContent content;
    content.session = {*AnyBits(), *AnyBits()};
    content.epoch = *AnyBits();
    content.resume = *AnyBits();
    content.grace_ms = static_cast<uint32_t>(*AnyBits());
    content.ttl_ms = static_cast<uint32_t>(*AnyBits());
    content.state = static_cast<SessionState>(*rc::gen::inRange(0, 5));
    if (content.state == SessionState::kMoved) {
      content.moved_life = {*AnyBits(), *AnyBits()};
      content.moved_seq = Seq(*AnyBits());
    }
    return content;
  });
}

rc::Gen<Owned> AnyMutation() {
  return rc::gen::exec([] {
    Owned m;
    m.kind = static_cast<Kind>(*rc::gen::inRange(1, 5));
    bool removes =
        m.kind == Kind::kRemoveSession || m.kind == Kind::kRemoveEntry;
    m.id_back = removes ? *rc::gen::inRange<uint64_t>(1, 1000)
                        : *rc::gen::inRange<uint64_t>(0, 1000);
    if (m.kind == Kind::kPutSession) m.session = *AnySession();
    if (m.kind != Kind::kPutEntry) return m;
    m.session_back = *rc::gen::inRange<uint64_t>(1, 1000);
    m.topic = *AnyName();
    m.key = *AnyName();
    m.meta = *rc::gen::arbitrary<std::string>();
    if (*rc::gen::arbitrary<bool>()) {
      uint64_t seq = *AnyBits() | 1;
      m.ref = {*AnyBits(), ElementId(1 + *AnyBits() % seq), Seq(seq)};
    }
    return m;
  });
}

void Encode(const Owned& m, Seq seq, std::string& out) {
  ElementId id(seq.value - m.id_back);
  switch (m.kind) {
    case Kind::kPutSession:
      return EncodePutSession(seq, id, m.session, out);
    case Kind::kPutEntry:
      return EncodePutEntry(
          seq, id,
          {ElementId(id.value - m.session_back), m.topic, m.key, m.meta, m.ref},
          out);
    case Kind::kRemoveSession:
    case Kind::kRemoveEntry:
      return EncodeRemove(m.kind, seq, id, out);
  }
}

void CheckSame(const Owned& m, Seq seq, const Mutation& out) {
  RC_ASSERT(out.kind == m.kind);
  RC_ASSERT(out.seq == seq);
  RC_ASSERT(out.id.value == seq.value - m.id_back);
  if (m.kind == Kind::kPutSession) RC_ASSERT(out.session == m.session);
  if (m.kind != Kind::kPutEntry) return;
  RC_ASSERT(out.entry.session.value == out.id.value - m.session_back);
  RC_ASSERT(out.entry.topic == m.topic);
  RC_ASSERT(out.entry.key == m.key);
  RC_ASSERT(out.entry.meta == m.meta);
  RC_ASSERT(out.entry.ref == m.ref);
}

RC_GTEST_PROP(MutationPropertyTest, ARunComesBackAsItWas, ()) {
  auto mutations = *rc::gen::container<std::vector<Owned>>(AnyMutation());
  Seq first(*rc::gen::inRange<uint64_t>(2001, uint64_t{1} << 60));
  std::string bytes;
  for (size_t i = 0; i < mutations.size(); ++i) {
    Encode(mutations[i], Seq(first.value + i), bytes);
  }
  RC_ASSERT(
      ValidateMutations(bytes, first, static_cast<uint32_t>(mutations.size())));
  absl::string_view decoded = bytes;
  absl::string_view skipped = bytes;
  for (size_t i = 0; i < mutations.size(); ++i) {
    Seq seq(first.value + i);
    Mutation out;
    RC_ASSERT(DecodeMutation(decoded, seq, out));
    CheckSame(mutations[i], seq, out);
    SkipMutation(skipped);
    RC_ASSERT(skipped.size() == decoded.size());
  }
  RC_ASSERT(decoded.empty());
}

RC_GTEST_PROP(MutationPropertyTest, AnyBytesAreRefusedOrSayTheSameAgain, ()) {
  auto bytes = *rc::gen::arbitrary<std::string>();
  absl::string_view rest = bytes;
  Mutation out;
  Seq seq(*rc::gen::inRange<uint64_t>(1, 300));
  if (!DecodeMutation(rest, seq, out)) return;
  std::string again;
  switch (out.kind) {
    case Kind::kPutSession:
      EncodePutSession(seq, out.id, out.session, again);
      break;
    case Kind::kPutEntry:
      EncodePutEntry(seq, out.id, out.entry, again);
      break;
    case Kind::kRemoveSession:
    case Kind::kRemoveEntry:
      EncodeRemove(out.kind, seq, out.id, again);
      break;
  }
  RC_ASSERT(again == bytes.substr(0, bytes.size() - rest.size()));
}

RC_GTEST_PROP(MutationPropertyTest, SeqGapsComeBack, ()) {
  auto gaps = *rc::gen::container<std::vector<uint64_t>>(
      rc::gen::inRange<uint64_t>(1, uint64_t{1} << 40));
  std::string bytes;
  Seq at;
  std::vector<Seq> seqs;
  for (uint64_t gap : gaps) {
    Seq next(at.value + gap);
    AppendElementSeq(at, next, bytes);
    seqs.push_back(next);
    at = next;
  }
  RC_ASSERT(ValidateSeqGaps(bytes, static_cast<uint32_t>(seqs.size())));
  absl::string_view rest = bytes;
  at = Seq();
  for (Seq wanted : seqs) {
    RC_ASSERT(DecodeSeqGap(rest, at));
    RC_ASSERT(at == wanted);
  }
  RC_ASSERT(rest.empty());
}

}  // namespace
}  // namespace muster::crdt
