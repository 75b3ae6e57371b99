// The audit of a keyspace: everything that is kept incrementally, worked
// out again.
#include "absl/strings/str_cat.h"
#include "crdt/keyspace/apply.h"
#include "crdt/keyspace/key_edit.h"
#include "crdt/keyspace/key_store.h"
#include "crdt/keyspace/keyspace.h"

namespace muster::kv {
namespace {

// One key at a time; the sums of all of them in the end.
class Auditor {
 public:
  explicit Auditor(KeyStore& store) : store_(store) {}

  std::string Check(uint8_t db) {
    uint64_t shown = 0;
    for (RowIdx row : store_.Database(db)) {
      std::string wrong = CheckKey(row);
      if (!wrong.empty()) return wrong;
      shown += store_.Read(row).type != Type::kNone;
    }
    if (shown == store_.shown(db)) return "";
    return absl::StrCat("database ", db, " shows ", shown, " keys, not ",
                        store_.shown(db));
  }

  std::string CheckSums() const {
    if (due_ != store_.due().size()) return "deadlines without a key";
    for (uint32_t i = 0; i < kBuckets; ++i) {
      if (digests_.bucket(i) != store_.digests().bucket(i)) {
        return absl::StrCat("bucket ", i, ": the digest is not its versions'");
      }
    }
    for (uint32_t i = 0; i < kGroups; ++i) {
      if (digests_.group(i) != store_.digests().group(i)) {
        return absl::StrCat("group ", i, ": the digest is not its buckets'");
      }
    }
    return digests_.all() == store_.digests().all() ? "" : "the digest of all";
  }

 private:
  std::string CheckKey(RowIdx row) {
    const KeyBlob blob = store_.Read(row);
    const auto wrong = [&blob](absl::string_view what) {
      return absl::StrCat("key ", blob.name.key, ": ", what);
    };
    const uint64_t hash = HashOf(blob.name);
    if (static_cast<uint32_t>(hash) != store_.HashAt(row)) return wrong("hash");
    KeyEdit edit(store_, blob.name);
    uint64_t elements = 0;
    uint64_t ordered = 0;
    edit.ForEach([&](const ElementName& name, const Versions& versions) {
      ++elements;
      ordered +=
          name.kind >= ElementKind::kScored && IsShown(name.kind, versions);
      for (const Version& version : versions) {
        digests_.Add(BucketOf(hash), DigestOf(hash, name, version));
      }
    });
    if (elements == 0) return wrong("no elements");
    if (edit.type() != blob.type) return wrong("type");
    if (blob.large != nullptr && (elements != blob.large->by_name().size() ||
                                  ordered != blob.large->by_order().size())) {
      return wrong("orders");
    }
    const Versions string = blob.type == Type::kString
                                ? edit.Get({ElementKind::kString, {}, {}})
                                : Versions();
    const Deadline due =
        ShownDeadline(string, edit.Get({ElementKind::kKey, {}, {}}));
    if (due != blob.deadline) return wrong("deadline");
    if (due.IsSet() && !store_.due().contains({due.at_ms, row})) {
      return wrong("its deadline is not kept");
    }
    due_ += due.IsSet();
    return "";
  }

  KeyStore& store_;
  BucketDigests digests_;
  size_t due_ = 0;
};

}  // namespace

std::string Keyspace::Audit() const {
  Auditor auditor(*store_);
  for (uint8_t db = 0; db < kDatabases; ++db) {
    std::string wrong = auditor.Check(db);
    if (!wrong.empty()) return wrong;
  }
  return auditor.CheckSums();
}

}  // namespace muster::kv
