// What is shown of concurrent versions: pure functions of the versions.
//
//   versions of a field                               shown
//   value "5" (a, 3), value "9" (b, 2) later          "9"
//   value "5" (a, 3), count +2 on (a, 3) by a,
//     count +3 on (a, 3) by b                         "10"
//   value "7" (c, 1) later, count +2 on (a, 3) by a   "7"
//   count +2 on nil by a, count +3 on nil by b        "5"
//
// A *root* is a version of kind kValue. Counts count if they are on the root
// that is shown; without any root all of them count. The sum saturates at
// int64. docs/consistency.md has the table.
#ifndef MUSTER_CRDT_KEYSPACE_SHOWN_H_
#define MUSTER_CRDT_KEYSPACE_SHOWN_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "crdt/keyspace/types.h"

namespace muster::kv {

using VersionSpan = absl::Span<const Version>;

// The latest version of a kind, or null.
const Version* Latest(VersionSpan versions, VersionKind kind);
// Whether it counts, where `root` is the latest value.
bool Counts(const Version& version, const Version* root);

// Of a string, a field, or the value of an item. An integer that was counted
// is written to `scratch`, which the view then refers to.
absl::string_view ShownValue(VersionSpan versions, std::string& scratch);
// The same as a number, or nothing: it is no int64 as Redis writes one.
std::optional<int64_t> ShownInteger(VersionSpan versions);
std::optional<int64_t> ParseInteger(absl::string_view text);

// Whether an element of the kind shows anything; an item without a place and
// the element kKey do not.
bool IsShown(ElementKind kind, VersionSpan versions);
// The latest stamp of what it shows. REQUIRES: it is shown.
Stamp ShownStamp(VersionSpan versions);

// What a deadline of a key is set on: the root of a string, else the latest
// birth, else nil. `string` is empty where the key shows another type.
Dot Anchor(VersionSpan string, VersionSpan key);
// The deadline in force: the latest that was set on the anchor, else the one
// that the root was written with.
Deadline ShownDeadline(VersionSpan string, VersionSpan key);

// The versions that remain once the element is settled: what it shows.
// Of the element kKey only those on `anchor`.
Versions Settled(ElementKind kind, VersionSpan versions, const Dot& anchor);

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_SHOWN_H_
