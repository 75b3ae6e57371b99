#include "crdt/keyspace/transfer.h"

#include <algorithm>
#include <list>
#include <string>
#include <vector>

#include "crdt/keyspace/element_codec.h"
#include "crdt/keyspace/key_edit.h"

namespace muster::kv {
namespace {

struct Element {
  ElementName name;
  Versions versions;
};

// What the leader had seen of the source, of the type that this shows.
struct Source {
  Type type = Type::kNone;
  Deadline deadline;
  std::vector<Element> elements;
};

Source ReadSource(const KeyEdit& edit, const Seen& seen) {
  Source source;
  TypeFinder finder;
  Versions key;
  Versions string;
  edit.ForEach([&](const ElementName& name, const Versions& versions) {
    Element element{name, {}};
    for (const Version& version : versions) {
      if (seen.Covers(version.dot)) element.versions.push_back(version);
    }
    finder.Add(name, element.versions);
    if (name.kind == ElementKind::kKey) key = element.versions;
    if (name.kind == ElementKind::kString) string = element.versions;
    if (IsShown(name.kind, element.versions)) {
      source.elements.push_back(std::move(element));
    }
  });
  source.type = finder.type();
  std::erase_if(source.elements, [&](const Element& e) {
    return TypeOf(e.name.kind) != source.type;
  });
  if (source.type != Type::kString) string.clear();
  source.deadline = ShownDeadline(string, key);
  return source;
}

void SortAsList(std::vector<Element>& elements) {
  std::sort(elements.begin(), elements.end(),
            [](const Element& a, const Element& b) {
              const auto& p = Latest(a.versions, VersionKind::kPlace)->bytes;
              const auto& q = Latest(b.versions, VersionKind::kPlace)->bytes;
              return p != q ? p < q : a.name.item < b.name.item;
            });
}

class Destination {
 public:
  Destination(KeyStore& store, const Op& op, const Seen& seen, Stamp stamp)
      : edit_(store, op.to), seen_(seen) {
    made_.dot = {seen.leader, seen.seq, op.index};
    made_.stamp = stamp;
  }

  void Clear() {
    edit_.Update([this](const ElementName&, Versions& versions) {
      const size_t before = versions.size();
      versions.erase(std::remove_if(versions.begin(), versions.end(),
                                    [this](const Version& v) {
                                      return seen_.Covers(v.dot);
                                    }),
                     versions.end());
      return versions.size() != before;
    });
  }

  void Open(Deadline deadline) {
    Version birth = made_;
    birth.kind = VersionKind::kBirth;
    Add({ElementKind::kKey, {}, {}}, birth);
    if (!deadline.IsSet()) return;
    Version due = made_;
    due.kind = VersionKind::kDeadline;
    due.deadline = deadline;
    due.on = made_.dot;
    Add({ElementKind::kKey, {}, {}}, due);
  }

  // `index` is that of an item in its list.
  void Put(const Element& from, uint32_t index, Deadline deadline) {
    ElementName name = from.name;
    Version version = made_;
    switch (name.kind) {
      case ElementKind::kString:
        version.deadline = deadline;
        [[fallthrough]];
      case ElementKind::kField:
        version.bytes = Value(from.versions);
        break;
      case ElementKind::kMember:
        version.kind = VersionKind::kMember;
        break;
      case ElementKind::kScored:
        version.kind = VersionKind::kScore;
        version.score = Latest(from.versions, VersionKind::kScore)->score;
        break;
      case ElementKind::kItem: {
        version.dot.index += index;
        name.item = version.dot;
        version.bytes = Value(from.versions);
        Version place = version;
        place.kind = VersionKind::kPlace;
        place.bytes = Latest(from.versions, VersionKind::kPlace)->bytes;
        Add(name, place);
        break;
      }
      case ElementKind::kKey:
        return;
    }
    Add(name, version);
  }

 private:
  void Add(const ElementName& name, const Version& version) {
    Versions versions = edit_.Get(name);
    Insert(versions, version);
    edit_.Set(name, versions);
  }

  absl::string_view Value(const Versions& versions) {
    std::string scratch;
    const absl::string_view value = ShownValue(versions, scratch);
    if (value.data() != scratch.data()) return value;
    return numbers_.emplace_back(std::move(scratch));
  }

  std::list<std::string> numbers_;  // What was folded; edit_ refers to it.
  KeyEdit edit_;
  const Seen& seen_;
  Version made_;
};

}  // namespace

void TransferKey(KeyStore& store, const Op& op, const Seen& seen, Stamp stamp) {
  const KeyEdit from(store, op.key);
  Source source = ReadSource(from, seen);
  if (source.type == Type::kList) SortAsList(source.elements);
  Destination to(store, op, seen, stamp);
  to.Clear();
  if (source.type == Type::kNone) return;
  if (source.type != Type::kString) to.Open(source.deadline);
  uint32_t index = 0;
  for (const Element& element : source.elements) {
    to.Put(element, index++, source.deadline);
  }
}

}  // namespace muster::kv
