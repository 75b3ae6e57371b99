// Elements with their versions as bytes: in the state and in exchanges alike.
//
//   element  := tag [count] name version*          count: if kMany
//   name     := nothing | bytes | life seq index   by kind; kOwnDot: that of
//                                                  the first version
//   version  := tag [life seq stamp[8]] index content
//   content  := value: [deadline] bytes | count: sum [dot] | score: double[8]
//               place: bytes | deadline: at [dot]  | member, birth: nothing
//
// A version of the same life, seq and stamp as the one before it says so by a
// bit (kSameMutation): five fields of one HSET name their mutation once. Lives
// are numbers of a LifeTable.
//
// Cost: O(bytes), no allocation but the versions beyond two. Decoded strings
// are views into the bytes.
#ifndef MUSTER_CRDT_KEYSPACE_ELEMENT_CODEC_H_
#define MUSTER_CRDT_KEYSPACE_ELEMENT_CODEC_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "crdt/keyspace/life_table.h"
#include "crdt/keyspace/shown.h"
#include "crdt/keyspace/types.h"

namespace muster::kv {

// The mutation of the version before, in a run of elements.
struct LastMutation {
  bool any = false;
  LifeId life;
  Seq seq;
  Stamp stamp;
};

// Whether a version of this kind can be of an element of that kind.
bool Fits(ElementKind element, VersionKind version);
// Their order in an element.
inline bool IsBefore(const Version& a, const Version& b) {
  return a.dot != b.dot ? a.dot < b.dot : a.kind < b.kind;
}

// Puts a version in its place; of one dot and kind the later put stays.
void Insert(Versions& versions, const Version& version);

// REQUIRES: there is a version.
void AppendElement(const ElementName& name, VersionSpan versions,
                   LifeTable& lives, LastMutation& last, std::string& out);

// Takes one element off the front of `bytes`. False: they do not begin with
// one as AppendElement writes it: an unknown kind, one that does not fit, a
// life beyond the table, versions out of order, a bad place or score.
bool TakeElement(absl::string_view& bytes, const LifeTable& lives,
                 LastMutation& last, ElementName& name, Versions& versions);

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_ELEMENT_CODEC_H_
