#include "crdt/interest.h"

#include <xxhash.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "crdt/check.h"
#include "crdt/element_tag.h"

namespace muster::crdt {
namespace {

using Kind = InterestMutation::Kind;

bool TakeChannel(absl::string_view& bytes, absl::string_view& name) {
  return TakeString(bytes, kMaxChannelBytes, name) && !name.empty();
}

// A stream's digest is the sum of these over its live elements.
uint64_t DigestOf(Seq seq, const InterestSet::Element& element) {
  const uint64_t numbers[] = {seq.value, element.id.value, element.subscribers,
                              element.pattern ? 1u : 0u};
  return XXH3_64bits_withSeed(element.name.data(), element.name.size(),
                              XXH3_64bits(numbers, sizeof(numbers)));
}

}  // namespace

// ------------------------------------------------------------------- bytes

void EncodeInterest(const InterestMutation& mutation, std::string& out) {
  AppendTag(static_cast<uint8_t>(mutation.kind), mutation.seq, mutation.id,
            out);
  if (mutation.kind == Kind::kRemove) return;
  AppendString(mutation.name, out);
  AppendVarint(mutation.subscribers, out);
}

bool DecodeInterest(absl::string_view& bytes, Seq seq, InterestMutation& out) {
  if (bytes.empty() || seq.value == 0) return false;
  const auto tag = static_cast<uint8_t>(bytes[0]);
  bytes.remove_prefix(1);
  if ((tag & ~(kKindMask | kCreates)) != 0) return false;
  const bool creates = (tag & kCreates) != 0;
  out.kind = static_cast<Kind>(tag & kKindMask);
  out.seq = seq;
  out.id = ElementId(seq.value);
  if (!creates && !TakeDistance(bytes, seq, out.id)) return false;
  out.name = {};
  out.subscribers = 0;
  switch (out.kind) {
    case Kind::kPutChannel:
    case Kind::kPutPattern:
      return TakeChannel(bytes, out.name) &&
             TakeVarint(bytes, out.subscribers) && out.subscribers > 0;
    case Kind::kRemove:
      return !creates;
  }
  return false;
}

void SkipInterest(absl::string_view& bytes) {
  const auto tag = static_cast<uint8_t>(bytes[0]);
  bytes.remove_prefix(1);
  uint64_t number = 0;
  if ((tag & kCreates) == 0) TakeVarint(bytes, number);
  if (static_cast<Kind>(tag & kKindMask) == Kind::kRemove) return;
  TakeVarint(bytes, number);
  bytes.remove_prefix(number);
  TakeVarint(bytes, number);
}

bool ValidateInterest(absl::string_view bytes, Seq first, uint32_t count) {
  InterestMutation mutation;
  for (uint32_t n = 0; n < count; ++n) {
    if (!DecodeInterest(bytes, Seq(first.value + n), mutation)) return false;
  }
  return bytes.empty();
}

bool DecodeInterestElement(absl::string_view& bytes, Seq& previous,
                           InterestMutation& out) {
  return DecodeSeqGap(bytes, previous) &&
         DecodeInterest(bytes, previous, out) && out.kind != Kind::kRemove;
}

bool ValidateInterestElements(absl::string_view bytes, uint32_t count) {
  Seq seq;
  InterestMutation mutation;
  for (uint32_t n = 0; n < count; ++n) {
    if (!DecodeInterestElement(bytes, seq, mutation)) return false;
  }
  return bytes.empty();
}

const Grammar& InterestGrammar() {
  static constexpr Grammar kGrammar = {
      &SkipRun<&SkipInterest>, &ValidateInterest, &ValidateInterestElements};
  return kGrammar;
}

// ----------------------------------------------------------------- the set

void InterestSet::AddStream(StreamIdx stream) {
  if (stream >= streams_.size()) streams_.resize(stream + 1);
  MUSTER_CHECK(!streams_[stream].used);
  streams_[stream].used = true;
}

bool InterestSet::RemoveSome(StreamIdx stream, size_t budget) {
  StreamElements& s = streams_[stream];
  for (; budget > 0 && !s.by_seq.empty(); --budget) {
    Erase(stream, s.by_seq.begin()->first);
  }
  if (!s.by_seq.empty()) return false;
  s = {};
  return true;
}

bool InterestSet::Apply(StreamIdx stream, const InterestMutation& mutation,
                        uint16_t round) {
  const StreamElements& s = streams_[stream];
  const auto known = s.seq_of.find(mutation.id);
  if (mutation.kind == Kind::kRemove) {
    if (known != s.seq_of.end() && known->second < mutation.seq) {
      Erase(stream, known->second);
    }
    return true;
  }
  if (known != s.seq_of.end() && known->second > mutation.seq) return true;
  return Put(stream, mutation, round);
}

bool InterestSet::Put(StreamIdx stream, const InterestMutation& mutation,
                      uint16_t round) {
  const StreamElements& s = streams_[stream];
  const bool pattern = mutation.kind == Kind::kPutPattern;
  const auto known = s.seq_of.find(mutation.id);
  if (known != s.seq_of.end()) {
    const Element& had = s.by_seq.at(known->second);
    if (had.pattern != pattern || had.name != mutation.name) return false;
    Erase(stream, known->second);
  }
  Insert(stream, mutation.seq,
         {mutation.id, std::string(mutation.name), pattern,
          mutation.subscribers, round});
  return true;
}

bool InterestSet::SetRound(StreamIdx stream, Seq seq, uint16_t round) {
  Elements& elements = streams_[stream].by_seq;
  const auto at = elements.find(seq);
  if (at == elements.end()) return false;
  at->second.round = round;
  return true;
}

void InterestSet::EncodeElement(StreamIdx stream, Seq seq,
                                std::string& out) const {
  const Element& element = streams_[stream].by_seq.at(seq);
  InterestMutation put;
  put.kind = element.pattern ? Kind::kPutPattern : Kind::kPutChannel;
  put.seq = seq;
  put.id = element.id;
  put.name = element.name;
  put.subscribers = element.subscribers;
  EncodeInterest(put, out);
}

void InterestSet::Insert(StreamIdx stream, Seq seq, Element element) {
  StreamElements& s = streams_[stream];
  // Two elements of one seq would be a lie of the stream's writer: the later
  // word stands.
  if (s.by_seq.contains(seq)) Erase(stream, seq);
  Count(stream, element, static_cast<int64_t>(element.subscribers));
  s.digest += DigestOf(seq, element);
  s.seq_of[element.id] = seq;
  s.by_seq.emplace(seq, std::move(element));
}

void InterestSet::Erase(StreamIdx stream, Seq seq) {
  StreamElements& s = streams_[stream];
  const auto at = s.by_seq.find(seq);
  Count(stream, at->second, -static_cast<int64_t>(at->second.subscribers));
  s.digest -= DigestOf(seq, at->second);
  s.seq_of.erase(at->second.id);
  s.by_seq.erase(at);
}

void InterestSet::Count(StreamIdx stream, const Element& element,
                        int64_t change) {
  Names& names = NamesOf(element.pattern);
  auto name = names.find(element.name);
  if (name == names.end()) name = names.emplace(element.name, Holders()).first;
  Holders& holders = name->second;
  auto holder =
      std::find_if(holders.begin(), holders.end(),
                   [stream](const Holder& h) { return h.stream == stream; });
  if (holder == holders.end()) {
    holder = holders.insert(holders.end(), {stream, 0});
  }
  holder->subscribers += static_cast<uint64_t>(change);
  if (holder->subscribers == 0) holders.erase(holder);
  if (holders.empty()) names.erase(name);
}

std::string InterestSet::Audit() const {
  InterestSet again;
  for (StreamIdx i = 0; i < streams_.size(); ++i) {
    if (!streams_[i].used) continue;
    again.AddStream(i);
    for (const auto& [seq, element] : streams_[i].by_seq) {
      const auto id = streams_[i].seq_of.find(element.id);
      if (id == streams_[i].seq_of.end() || id->second != seq) {
        return absl::StrCat("stream ", i, ": id ", element.id.value,
                            " does not lead to seq ", seq.value);
      }
      again.Insert(i, seq, element);
    }
    if (again.streams_[i].digest != streams_[i].digest) {
      return absl::StrCat("stream ", i, ": the digest is not its elements'");
    }
  }
  const auto total = [](const Names& names) {
    uint64_t sum = 0;
    for (const auto& [name, holders] : names) {
      for (const Holder& holder : holders) sum += holder.subscribers;
    }
    return sum;
  };
  if (total(again.channels_) != total(channels_) ||
      total(again.patterns_) != total(patterns_) ||
      again.channels_.size() != channels_.size() ||
      again.patterns_.size() != patterns_.size()) {
    return "the counts by name are not those of the elements";
  }
  return "";
}

}  // namespace muster::crdt
