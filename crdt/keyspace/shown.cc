#include "crdt/keyspace/shown.h"

#include <algorithm>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace muster::kv {
namespace {

constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

// The latest deadline that was set on `anchor`, or null.
const Version* DeadlineOn(VersionSpan key, const Dot& anchor) {
  const Version* latest = nullptr;
  for (const Version& version : key) {
    if (version.kind != VersionKind::kDeadline || version.on != anchor) {
      continue;
    }
    if (latest == nullptr || IsLater(version, *latest)) latest = &version;
  }
  return latest;
}

void Keep(const Version* version, Versions& kept) {
  if (version != nullptr) kept.push_back(*version);
}

void Sort(Versions& versions) {
  std::sort(versions.begin(), versions.end(),
            [](const Version& a, const Version& b) {
              return a.dot != b.dot ? a.dot < b.dot : a.kind < b.kind;
            });
}

}  // namespace

const Version* Latest(VersionSpan versions, VersionKind kind) {
  const Version* latest = nullptr;
  for (const Version& version : versions) {
    if (version.kind != kind) continue;
    if (latest == nullptr || IsLater(version, *latest)) latest = &version;
  }
  return latest;
}

bool Counts(const Version& version, const Version* root) {
  return version.kind == VersionKind::kCount &&
         (root == nullptr || version.on == root->dot);
}

std::optional<int64_t> ParseInteger(absl::string_view text) {
  // As Redis: no sign but '-', no zeros in front, no blanks.
  const absl::string_view digits =
      !text.empty() && text[0] == '-' ? text.substr(1) : text;
  if (digits.empty() || digits.size() > 19) return std::nullopt;
  if (digits[0] == '0' && text.size() > 1) return std::nullopt;
  for (char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
  }
  int64_t number = 0;
  if (!absl::SimpleAtoi(text, &number)) return std::nullopt;
  return number;
}

std::optional<int64_t> ShownInteger(VersionSpan versions) {
  const Version* root = Latest(versions, VersionKind::kValue);
  std::optional<int64_t> base = 0;
  if (root != nullptr) base = ParseInteger(root->bytes);
  if (!base.has_value()) return std::nullopt;
  __int128 sum = *base;
  bool any = root != nullptr;
  for (const Version& version : versions) {
    if (!Counts(version, root)) continue;
    sum += version.sum;
    any = true;
  }
  if (!any) return std::nullopt;
  return static_cast<int64_t>(std::clamp<__int128>(sum, kMin, kMax));
}

absl::string_view ShownValue(VersionSpan versions, std::string& scratch) {
  const Version* root = Latest(versions, VersionKind::kValue);
  const bool counted =
      std::any_of(versions.begin(), versions.end(),
                  [root](const Version& v) { return Counts(v, root); });
  if (counted) {
    if (const std::optional<int64_t> number = ShownInteger(versions)) {
      scratch = absl::StrCat(*number);
      return scratch;
    }
  }
  return root == nullptr ? absl::string_view() : root->bytes;
}

bool IsShown(ElementKind kind, VersionSpan versions) {
  for (const Version& version : versions) {
    switch (version.kind) {
      case VersionKind::kValue:
      case VersionKind::kCount:
        if (kind != ElementKind::kItem) return true;
        break;
      case VersionKind::kMember:
      case VersionKind::kScore:
      case VersionKind::kPlace:
        return true;
      case VersionKind::kBirth:
      case VersionKind::kDeadline:
        break;
    }
  }
  return false;
}

Stamp ShownStamp(VersionSpan versions) {
  const Version* root = Latest(versions, VersionKind::kValue);
  Stamp latest;
  for (const Version& version : versions) {
    if (version.kind == VersionKind::kCount && !Counts(version, root)) continue;
    latest = std::max(latest, version.stamp);
  }
  return latest;
}

Dot Anchor(VersionSpan string, VersionSpan key) {
  if (const Version* root = Latest(string, VersionKind::kValue)) {
    return root->dot;
  }
  const Version* birth = Latest(key, VersionKind::kBirth);
  return birth == nullptr ? Dot() : birth->dot;
}

Deadline ShownDeadline(VersionSpan string, VersionSpan key) {
  if (const Version* set = DeadlineOn(key, Anchor(string, key))) {
    return set->deadline;
  }
  const Version* root = Latest(string, VersionKind::kValue);
  return root == nullptr ? Deadline() : root->deadline;
}

Versions Settled(ElementKind kind, VersionSpan versions, const Dot& anchor) {
  Versions kept;
  const Version* root = Latest(versions, VersionKind::kValue);
  switch (kind) {
    case ElementKind::kKey:
      for (const Version& version : versions) {
        const bool birth = version.kind == VersionKind::kBirth;
        if (birth && version.dot == anchor) kept.push_back(version);
      }
      Keep(DeadlineOn(versions, anchor), kept);
      break;
    case ElementKind::kString:
    case ElementKind::kField:
      Keep(root, kept);
      for (const Version& version : versions) {
        if (Counts(version, root)) kept.push_back(version);
      }
      break;
    case ElementKind::kMember:
      Keep(Latest(versions, VersionKind::kMember), kept);
      break;
    case ElementKind::kScored:
      Keep(Latest(versions, VersionKind::kScore), kept);
      break;
    case ElementKind::kItem:
      if (const Version* place = Latest(versions, VersionKind::kPlace)) {
        Keep(place, kept);
        Keep(root, kept);
      }
      break;
  }
  Sort(kept);
  return kept;
}

}  // namespace muster::kv
