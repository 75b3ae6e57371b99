#include "crdt/keyspace/key_edit.h"

#include <algorithm>

#include "crdt/check.h"
#include "crdt/keyspace/element_codec.h"

namespace muster::kv {
namespace {

bool IsCollection(ElementKind kind) { return kind >= ElementKind::kField; }

}  // namespace

void TypeFinder::Add(const ElementName& name, VersionSpan versions) {
  if (!IsShown(name.kind, versions)) return;
  const Type type = TypeOf(name.kind);
  const Stamp stamp = ShownStamp(versions);
  if (type_ != Type::kNone &&
      std::pair(stamp, type) < std::pair(latest_, type_)) {
    return;
  }
  type_ = type;
  latest_ = stamp;
}

KeyEdit::KeyEdit(KeyStore& store, const KeyName& name)
    : store_(store),
      name_(name),
      hash_(HashOf(name)),
      bucket_(BucketOf(hash_)),
      row_(store.Find(name, hash_)) {
  if (row_ == kNone) return;
  const KeyBlob blob = store.Read(row_);
  large_ = blob.large;
  absl::string_view rest = blob.elements;
  LastMutation last;
  while (!rest.empty()) {
    Element& element = elements_.emplace_back();
    MUSTER_CHECK(
        TakeElement(rest, store.lives(), last, element.name, element.versions));
  }
}

Versions KeyEdit::Get(const ElementName& name) const {
  if (large_ != nullptr) return large_->Get(name);
  const auto at = std::lower_bound(
      elements_.begin(), elements_.end(), name,
      [](const Element& e, const ElementName& n) { return e.name < n; });
  if (at == elements_.end() || at->name != name) return {};
  return at->versions;
}

void KeyEdit::Note(const ElementName& name, const Versions& before,
                   const Versions& after) {
  changed_ = true;
  uint64_t change = 0;
  for (const Version& version : before) {
    change -= DigestOf(hash_, name, version);
  }
  for (const Version& version : after) {
    change += DigestOf(hash_, name, version);
  }
  store_.digests().Add(bucket_, change);
  if (large_ != nullptr) large_->AddDigest(change);
  if (store_.journal() == nullptr) return;
  JournalEntry& entry = store_.journal()->emplace_back();
  entry.key = {name_.db, std::string(name_.key)};
  entry.kind = name.kind;
  entry.name = std::string(name.name);
  entry.item = name.item;
  LastMutation last;
  if (!before.empty()) {
    AppendElement(name, before, store_.lives(), last, entry.element);
  }
}

void KeyEdit::Set(const ElementName& name, const Versions& versions) {
  const EditLimit* limit = store_.limit();
  if (limit != nullptr && limit->key == name_ && limit->last < name) return;
  if (large_ != nullptr) {
    const Versions before = large_->Get(name);
    if (before.empty() && versions.empty()) return;
    Note(name, before, versions);
    large_->Set(name, versions);
    return;
  }
  auto at = std::lower_bound(
      elements_.begin(), elements_.end(), name,
      [](const Element& e, const ElementName& n) { return e.name < n; });
  if (at == elements_.end() || at->name != name) {
    if (versions.empty()) return;
    Note(name, {}, versions);
    elements_.insert(at, Element{name, versions});
    return;
  }
  Note(name, at->versions, versions);
  if (versions.empty()) {
    elements_.erase(at);
  } else {
    at->versions = versions;
  }
}

void KeyEdit::ForEach(Visit visit) const {
  for (const Element& element : elements_) {
    visit(element.name, element.versions);
  }
  if (large_ == nullptr) return;
  const RankedList& list = large_->by_name();
  Element element;
  for (auto at = list.begin(); !list.AtEnd(at); at = list.Next(at)) {
    large_->Decode(list[at], element.name, element.versions);
    visit(element.name, element.versions);
  }
}

void KeyEdit::Update(Change change) {
  // Changes are collected first: a large key must not change under ForEach.
  std::vector<Element> changes;
  ForEach([&](const ElementName& name, const Versions& versions) {
    Versions after = versions;
    if (change(name, after)) changes.push_back({name, std::move(after)});
  });
  for (const Element& element : changes) Set(element.name, element.versions);
}

Type KeyEdit::type() const {
  TypeFinder finder;
  if (large_ == nullptr) {
    for (const Element& element : elements_) {
      finder.Add(element.name, element.versions);
    }
    return finder.type();
  }
  Type only = Type::kNone;
  int types = 0;
  for (uint8_t kind = 1; kind < kElementKinds; ++kind) {
    if (large_->shown(static_cast<ElementKind>(kind)) == 0) continue;
    only = static_cast<Type>(kind);
    ++types;
  }
  if (types < 2) return only;
  ForEach([&finder](const ElementName& name, const Versions& versions) {
    finder.Add(name, versions);
  });
  return finder.type();
}

std::string KeyEdit::Packed() const {
  std::string bytes;
  LastMutation last;
  for (const Element& element : elements_) {
    AppendElement(element.name, element.versions, store_.lives(), last, bytes);
  }
  return bytes;
}

void KeyEdit::Enlarge() {
  large_ = new LargeKey(store_.slab(), store_.lives(), store_.large_bytes());
  for (const Element& element : elements_) {
    large_->Set(element.name, element.versions);
    for (const Version& version : element.versions) {
      large_->AddDigest(DigestOf(hash_, element.name, version));
    }
  }
}

KeyBlob KeyEdit::Blob() const {
  KeyBlob blob;
  blob.name = name_;
  blob.type = type();
  const Versions string = blob.type == Type::kString
                              ? Get({ElementKind::kString, {}, {}})
                              : Versions();
  blob.deadline = ShownDeadline(string, Get({ElementKind::kKey, {}, {}}));
  return blob;
}

void KeyEdit::EraseKey() {
  if (row_ != kNone) {
    store_.Erase(row_);  // And with it what is large.
  } else {
    delete large_;
  }
}

void KeyEdit::Commit() {
  if (!changed_) return;
  changed_ = false;
  if (large_ != nullptr ? large_->empty() : elements_.empty()) {
    return EraseKey();
  }
  KeyBlob blob = Blob();
  std::string packed;
  if (large_ == nullptr) {
    packed = Packed();
    if (packed.size() > KeyStore::kMaxPackedBytes &&
        IsCollection(elements_.back().name.kind)) {
      Enlarge();
    }
  }
  blob.large = large_;
  if (large_ == nullptr) blob.elements = packed;
  store_.Write(row_, hash_, blob);
}

}  // namespace muster::kv
