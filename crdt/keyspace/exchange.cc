#include "crdt/keyspace/exchange.h"

#include <algorithm>
#include <optional>

#include "crdt/check.h"
#include "crdt/keyspace/element_codec.h"
#include "crdt/keyspace/key_edit.h"
#include "crdt/keyspace/key_store.h"
#include "crdt/keyspace/wire.h"

namespace muster::kv {
namespace {

enum class KeyTag : uint8_t { kNew = 0, kSame = 1 };

// Where a reader is: the last element that it sent.
struct Cursor {
  KeyName key;
  ElementName element;
};

// Collects the elements of one part.
class PartWriter {
 public:
  explicit PartWriter(size_t max_bytes) : max_bytes_(max_bytes) {}

  // False: the part is full without it.
  bool Add(const KeyName& key, const ElementName& name,
           const Versions& versions) {
    const size_t before = body_.size();
    const LastMutation last = last_;
    if (key_ == key) {
      body_.push_back(static_cast<char>(KeyTag::kSame));
    } else {
      body_.push_back(static_cast<char>(KeyTag::kNew));
      body_.push_back(static_cast<char>(key.db));
      AppendVarint(key.key.size(), body_);
      body_.append(key.key.data(), key.key.size());
    }
    AppendElement(name, versions, lives_, last_, body_);
    const bool bound = name.kind == ElementKind::kString && key_ == key;
    if (before > 0 && !bound &&
        body_.size() + size_t{16} * lives_.size() > max_bytes_) {
      body_.resize(before);
      last_ = last;
      return false;
    }
    key_ = key;
    return true;
  }
  bool empty() const { return body_.empty(); }
  void Finish(std::string& out) const {
    out.clear();
    AppendVarint(lives_.size(), out);
    for (uint32_t i = 0; i < lives_.size(); ++i) AppendLife(lives_[i], out);
    out += body_;
  }

 private:
  size_t max_bytes_;
  std::optional<KeyName> key_;
  LastMutation last_;
  LifeTable lives_;
  std::string body_;
};

// Adds the elements of a key behind `after`; false: the part is full.
// `sent` is set to each that was added.
bool AddKey(const KeyStore& store, const KeyBlob& blob,
            const ElementName* after, PartWriter& part, Cursor& sent) {
  ElementName name;
  Versions versions;
  const auto add = [&] {
    if (!part.Add(blob.name, name, versions)) return false;
    sent = {blob.name, name};
    return true;
  };
  if (blob.large == nullptr) {
    bool all = true;
    ForPacked(blob.elements, [&](const PackedElement& element) {
      name = element.Name(store.lives());
      ReadVersions(element, store.lives(), versions);
      return all = (after != nullptr && !(*after < name)) || add();
    });
    return all;
  }
  const RankedList& list = blob.large->by_name();
  auto at = after == nullptr ? list.begin() : blob.large->FindName(*after);
  for (; !list.AtEnd(at); at = list.Next(at)) {
    blob.large->Decode(list[at], name, versions);
    if ((after == nullptr || *after < name) && !add()) return false;
  }
  return true;
}

bool TakeLives(absl::string_view& bytes, LifeTable& lives) {
  uint64_t count = 0;
  if (!TakeVarint(bytes, count) || count > bytes.size() / 16) return false;
  for (uint64_t i = 0; i < count; ++i) {
    LifeId life;
    if (!TakeLife(bytes, life) || lives.NumberOf(life) != i) return false;
  }
  return true;
}

bool TakeKey(absl::string_view& bytes, bool any, KeyName& key) {
  uint8_t tag = 0;
  if (!TakeByte(bytes, tag)) return false;
  if (tag == static_cast<uint8_t>(KeyTag::kSame)) return any;
  return tag == static_cast<uint8_t>(KeyTag::kNew) && TakeByte(bytes, key.db) &&
         key.db < kDatabases && TakeBytes(bytes, key.key) &&
         key.key.size() <= kMaxKeyBytes;
}

}  // namespace

bool BucketReader::Next(uint32_t bucket, size_t max_bytes, std::string& out) {
  if (bucket != bucket_) begun_ = false;
  bucket_ = bucket;
  const KeyStore& store = *state_.store_;
  PartWriter part(max_bytes);
  const ElementName after{kind_, name_, item_};
  Cursor sent;
  for (RowIdx row : store.Bucket(bucket)) {
    const KeyBlob blob = store.Read(row);
    if (begun_ && blob.name < key_.name()) continue;
    const bool inside = begun_ && blob.name == key_.name();
    if (!AddKey(store, blob, inside ? &after : nullptr, part, sent)) break;
  }
  if (part.empty()) {
    begun_ = false;
    return false;
  }
  begun_ = true;
  key_ = {sent.key.db, std::string(sent.key.key)};
  kind_ = sent.element.kind;
  item_ = sent.element.item;
  name_ = std::string(sent.element.name);
  part.Finish(out);
  return true;
}

bool ValidatePart(absl::string_view bytes, uint32_t bucket) {
  LifeTable lives;
  if (!TakeLives(bytes, lives)) return false;
  bool any = false;
  Cursor last;
  LastMutation mutation;
  Versions versions;
  for (; !bytes.empty(); any = true) {
    Cursor next = last;
    if (!TakeKey(bytes, any, next.key) ||
        BucketOf(HashOf(next.key)) != bucket ||
        !TakeElement(bytes, lives, mutation, next.element, versions)) {
      return false;
    }
    if (any && next.key < last.key) return false;
    if (any && next.key == last.key && !(last.element < next.element)) {
      return false;
    }
    last = next;
  }
  return any;
}

void ReadPart(
    absl::string_view part,
    absl::FunctionRef<void(const KeyName&, const ElementName&, const Versions&)>
        visit) {
  LifeTable lives;
  MUSTER_CHECK(TakeLives(part, lives));
  KeyName key;
  ElementName name;
  Versions versions;
  LastMutation mutation;
  while (!part.empty()) {
    MUSTER_CHECK(TakeKey(part, true, key));
    MUSTER_CHECK(TakeElement(part, lives, mutation, name, versions));
    visit(key, name, versions);
  }
}

std::vector<std::string> ReadKey(const Keyspace& state, const KeyName& key,
                                 size_t max_bytes) {
  std::vector<std::string> parts;
  std::optional<PartWriter> part(max_bytes);
  const auto finish = [&] {
    if (!part->empty()) part->Finish(parts.emplace_back());
    part.emplace(max_bytes);
  };
  state.ScanKey(key, [&](const KeyName& name, const ElementName& element,
                         const Versions& versions) {
    if (part->Add(name, element, versions)) return;
    finish();
    MUSTER_CHECK(part->Add(name, element, versions));
  });
  finish();
  return parts;
}

void BucketWriter::Add(absl::string_view part) {
  std::optional<KeyEdit> edit;
  KeyName last;
  ReadPart(part, [&](const KeyName& key, const ElementName& name,
                     const Versions& versions) {
    if (!edit.has_value() || key != last) edit.emplace(*collected_.store_, key);
    last = key;
    edit->Set(name, versions);
  });
}

}  // namespace muster::kv
