#include "crdt/keyspace/key_edit.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

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
    : store_(store), name_(name), row_(store.Find(name)) {
  if (row_ != kNone) {
    blob_ = store.Read(row_);
  } else {
    loaded_ = true;
  }
}

uint64_t KeyEdit::Hash() {
  if (!hashed_) hash_ = HashOf(name_);
  hashed_ = true;
  return hash_;
}

// ------------------------------------------------------------------ reading

Versions KeyEdit::Get(const ElementName& name) const {
  if (blob_.large != nullptr) return blob_.large->Get(name);
  Versions versions;
  if (!loaded_) {
    const PackedSpot spot = FindPacked(blob_.elements, store_.lives(), name);
    if (spot.found) ReadVersions(spot.element, store_.lives(), versions);
    return versions;
  }
  const auto at = std::lower_bound(
      elements_.begin(), elements_.end(), name,
      [](const Element& e, const ElementName& n) { return e.name < n; });
  if (at != elements_.end() && at->name == name) versions = at->versions;
  return versions;
}

void KeyEdit::ForEach(Visit visit) const {
  for (const Element& element : elements_) {
    visit(element.name, element.versions);
  }
  Element element;
  if (blob_.large != nullptr) {
    const RankedList& list = blob_.large->by_name();
    for (auto at = list.begin(); !list.AtEnd(at); at = list.Next(at)) {
      blob_.large->Decode(list[at], element.name, element.versions);
      visit(element.name, element.versions);
    }
  } else if (!loaded_) {
    ForPacked(blob_.elements, [&](const PackedElement& packed) {
      ReadVersions(packed, store_.lives(), element.versions);
      visit(packed.Name(store_.lives()), element.versions);
      return true;
    });
  }
}

Type KeyEdit::type() const {
  if (blob_.large == nullptr && !loaded_) return blob_.type;
  TypeFinder finder;
  const auto add = [&finder](const ElementName& name,
                             const Versions& versions) {
    finder.Add(name, versions);
  };
  if (blob_.large == nullptr) {
    ForEach(add);
    return finder.type();
  }
  Type only = Type::kNone;
  int types = 0;
  for (uint8_t kind = 1; kind < kElementKinds; ++kind) {
    if (blob_.large->shown(static_cast<ElementKind>(kind)) == 0) continue;
    only = static_cast<Type>(kind);
    ++types;
  }
  if (types < 2) return only;
  ForEach(add);
  return finder.type();
}

Deadline KeyEdit::DeadlineAs(Type type) const {
  const Versions string =
      type == Type::kString ? Get(ElementKind::kString) : Versions();
  return ShownDeadline(string, Get(ElementKind::kKey));
}

// ----------------------------------------------------------------- changing

void KeyEdit::Load() {
  if (loaded_ || blob_.large != nullptr) return;
  ForPacked(blob_.elements, [this](const PackedElement& packed) {
    Element& element = elements_.emplace_back();
    element.name = packed.Name(store_.lives());
    ReadVersions(packed, store_.lives(), element.versions);
    return true;
  });
  loaded_ = true;
}

void KeyEdit::Note(const ElementName& name, VersionSpan before,
                   VersionSpan after) {
  changed_ = true;
  const uint64_t hash = Hash();
  uint64_t change = 0;
  for (const Version& version : before) {
    change -= DigestOf(hash, name, version);
  }
  for (const Version& version : after) {
    change += DigestOf(hash, name, version);
  }
  store_.AddDigest(name_.db, BucketOf(hash), change);
  for (const Version& version : after) store_.Cover(name_.db, version.dot);
  if (blob_.large != nullptr) blob_.large->AddDigest(change);
  if (store_.journal() == nullptr) return;
  store_.journal()->NoteElement(name_, name, before, store_.lives());
}

void KeyEdit::EditLarge(const ElementName& name, ChangeOne change) {
  LargeKey& large = *blob_.large;
  const LargeKey::Spot spot = large.Find(name);
  Versions before;
  if (spot.found) ReadVersions(spot.element, store_.lives(), before);
  Versions after = before;
  change(after);
  if (before.empty() && after.empty()) return;
  Note(name, before, after);
  large.Put(spot, name, after);
  head_changed_ |= !IsCollection(name.kind);
}

void KeyEdit::EditLoaded(const ElementName& name, ChangeOne change) {
  auto at = std::lower_bound(
      elements_.begin(), elements_.end(), name,
      [](const Element& e, const ElementName& n) { return e.name < n; });
  const bool found = at != elements_.end() && at->name == name;
  Versions after;
  if (found) after = at->versions;
  change(after);
  if (!found && after.empty()) return;
  Note(name, found ? VersionSpan(at->versions) : VersionSpan(), after);
  if (!found) {
    elements_.insert(at, Element{name, after});
  } else if (after.empty()) {
    elements_.erase(at);
  } else {
    at->versions = after;
  }
}

bool KeyEdit::FitHead(const ElementName& name, VersionSpan before,
                      VersionSpan after, KeyBlob& head) const {
  if (head.mixed || head.type == Type::kNone) return false;
  const bool string = head.type == Type::kString;
  if (name.kind == ElementKind::kKey) {
    head.deadline =
        ShownDeadline(string ? Get(ElementKind::kString) : Versions(), after);
    return true;
  }
  if (TypeOf(name.kind) != head.type) return false;
  if (string) {
    head.deadline = ShownDeadline(after, Get(ElementKind::kKey));
    return !after.empty();
  }
  const int shown =
      head.shown + IsShown(name.kind, after) - IsShown(name.kind, before);
  head.shown = static_cast<uint16_t>(shown);
  return shown > 0;
}

bool KeyEdit::EditInPlace(const ElementName& name, ChangeOne change) {
  const PackedSpot spot = FindPacked(blob_.elements, store_.lives(), name);
  Versions before;
  if (spot.found) ReadVersions(spot.element, store_.lives(), before);
  Versions after = before;
  change(after);
  if (before.empty() && after.empty()) return true;
  KeyBlob head = blob_;
  if (!FitHead(name, before, after, head)) return false;
  std::string& bytes = store_.scratch();
  bytes.clear();
  const PackedChange made =
      MakeChange(blob_.elements, spot, name, after, store_.lives(), bytes);
  const size_t size =
      blob_.elements.size() - (made.end - made.begin) + bytes.size();
  if (size > KeyStore::kMaxPackedBytes && head.type != Type::kString) {
    return false;
  }
  Note(name, before, after);
  changed_ = false;
  store_.Splice(row_, blob_, head, made, bytes);
  blob_ = store_.Read(row_);
  return true;
}

void KeyEdit::Edit(const ElementName& name, ChangeOne change) {
  if (blob_.large != nullptr) return EditLarge(name, change);
  if (!loaded_ && EditInPlace(name, change)) return;
  Load();
  EditLoaded(name, change);
}

void KeyEdit::Set(const ElementName& name, const Versions& versions) {
  Edit(name, [&versions](Versions& old) { old = versions; });
}

void KeyEdit::Update(Change change) {
  // Changes are collected first: a large key must not change under ForEach.
  Load();
  std::vector<Element> changes;
  ForEach([&](const ElementName& name, const Versions& versions) {
    Versions after = versions;
    if (change(name, after)) changes.push_back({name, std::move(after)});
  });
  for (const Element& element : changes) Set(element.name, element.versions);
}

bool KeyEdit::DetachIfSeen(const Seen& seen) {
  Commit();
  if (blob_.large == nullptr || !blob_.large->bounds().IsSeen(seen)) {
    return false;
  }
  store_.Detach(row_);
  row_ = kNone;
  blob_ = KeyBlob();
  loaded_ = true;
  return true;
}

// --------------------------------------------------------------- committing

void KeyEdit::Enlarge() {
  blob_.large = new LargeKey(store_.slab(), store_.lives(), store_.scratch(),
                             store_.large_bytes());
  for (const Element& element : elements_) {
    blob_.large->Set(element.name, element.versions);
    for (const Version& version : element.versions) {
      blob_.large->AddDigest(DigestOf(Hash(), element.name, version));
    }
  }
}

void KeyEdit::CommitLarge() {
  if (blob_.large->empty()) return store_.Erase(row_);
  const Type shown = type();
  if (shown == blob_.type && !head_changed_) return store_.CountLarge(row_);
  blob_.name = name_;
  blob_.type = shown;
  blob_.deadline = DeadlineAs(shown);
  head_changed_ = false;
  store_.Write(row_, blob_);
}

void KeyEdit::CommitLoaded() {
  if (elements_.empty()) {
    if (row_ != kNone) store_.Erase(row_);
    return;
  }
  const Type shown = type();
  KeyBlob blob;
  blob.name = name_;
  blob.type = shown;
  blob.deadline = DeadlineAs(shown);
  const auto first = std::find_if(
      elements_.begin(), elements_.end(),
      [](const Element& e) { return e.name.kind != ElementKind::kKey; });
  blob.mixed = first != elements_.end() &&
               first->name.kind != elements_.back().name.kind;
  std::string packed;
  LastMutation last;
  for (const Element& element : elements_) {
    AppendElement(element.name, element.versions, store_.lives(), last, packed);
    blob.shown += TypeOf(element.name.kind) == shown &&
                  IsShown(element.name.kind, element.versions);
  }
  if (packed.size() > KeyStore::kMaxPackedBytes &&
      IsCollection(elements_.back().name.kind)) {
    Enlarge();
    blob.large = blob_.large;
  } else {
    blob.elements = packed;
  }
  store_.Write(row_, blob);
}

void KeyEdit::Commit() {
  if (!changed_) return;
  changed_ = false;
  if (blob_.large != nullptr) {
    CommitLarge();
  } else {
    CommitLoaded();
  }
}

}  // namespace muster::kv
