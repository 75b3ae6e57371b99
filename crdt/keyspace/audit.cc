// The audit of a keyspace: everything that is kept incrementally, worked
// out again.
#include <array>
#include <bit>

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
    std::array<uint64_t, kTypes> keys{};
    size_t due = 0;
    for (RowIdx row : store_.AllOf(db)) {
      std::string wrong = CheckKey(row);
      if (!wrong.empty()) return wrong;
      ++keys[static_cast<size_t>(store_.Read(row).type)];
      due += store_.Read(row).deadline.IsSet();
    }
    if (due != store_.due(db)) return "deadlines without a key";
    for (size_t type = 0; type < kTypes; ++type) {
      const uint64_t counted = store_.usage(db, static_cast<Type>(type)).keys;
      if (keys[type] == counted) continue;
      return absl::StrCat("database ", db, " has ", keys[type],
                          " keys of type ", type, ", not ", counted);
    }
    return CheckBuckets(db);
  }

  std::string CheckSums() const {
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
    if (store_.Find(blob.name) != row) return wrong("its row is not found");
    KeyEdit edit(store_, blob.name);
    uint64_t elements = 0;
    uint64_t ordered = 0;
    uint64_t shown = 0;
    uint8_t kinds = 0;
    edit.ForEach([&](const ElementName& name, const Versions& versions) {
      ++elements;
      shown += TypeOf(name.kind) == blob.type && IsShown(name.kind, versions);
      kinds |= 1u << static_cast<unsigned>(name.kind);
      ordered +=
          name.kind >= ElementKind::kScored && IsShown(name.kind, versions);
      for (const Version& version : versions) {
        digests_.Add(BucketOf(hash), DigestOf(hash, name, version));
      }
    });
    if (elements == 0) return wrong("no elements");
    if (ShownType(edit) != blob.type) return wrong("type");
    const bool collection = blob.type >= Type::kHash && blob.large == nullptr;
    if (collection && shown != blob.shown) return wrong("shown");
    if (blob.large == nullptr && (std::popcount(kinds & ~1u) > 1) != blob.mixed)
      return wrong("mixed");
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
    if (due.IsSet() && !store_.IsDueKept(blob.name.db, due.at_ms, row)) {
      return wrong("its deadline is not kept");
    }
    return "";
  }

  static Type ShownType(const KeyEdit& edit) {
    TypeFinder finder;
    edit.ForEach([&finder](const ElementName& name, const Versions& versions) {
      finder.Add(name, versions);
    });
    return finder.type();
  }

  std::string CheckBuckets(uint8_t db) {
    uint64_t rows = 0;
    for (uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
      store_.ForBucket(db, bucket, [&](RowIdx row) {
        rows += BucketOf(HashOf(store_.Read(row).name)) == bucket;
      });
    }
    return rows == store_.rows(db) ? "" : "rows are not in their buckets";
  }

  KeyStore& store_;
  BucketDigests digests_;
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
