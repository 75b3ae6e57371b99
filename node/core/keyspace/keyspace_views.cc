// What is shown of the keyspace on this node.
#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "crdt/keyspace/buckets.h"
#include "crdt/keyspace/shown.h"
#include "node/core/keyspace/replicated_keyspace.h"

namespace muster::core {
namespace {

// Bytes of a value that are shown.
constexpr size_t kShownBytes = 64;

std::string Short(absl::string_view bytes) {
  const bool cut = bytes.size() > kShownBytes;
  return absl::StrCat("\"", absl::CHexEscape(bytes.substr(0, kShownBytes)),
                      cut ? "..." : "", "\"");
}

std::string DotText(const kv::Dot& dot) {
  if (dot.IsNil()) return "nil";
  return absl::StrCat(absl::Hex(dot.life.hi, absl::kZeroPad16), " ",
                      dot.seq.value, ".", dot.index);
}

std::string TextOf(const kv::ElementName& element) {
  switch (element.kind) {
    case kv::ElementKind::kKey:
      return "key";
    case kv::ElementKind::kString:
      return "string";
    case kv::ElementKind::kField:
      return absl::StrCat("field ", Short(element.name));
    case kv::ElementKind::kMember:
    case kv::ElementKind::kScored:
      return absl::StrCat("member ", Short(element.name));
    case kv::ElementKind::kItem:
      return absl::StrCat("item ", DotText(element.item));
  }
  return "?";
}

std::string TextOf(const kv::Version& version) {
  switch (version.kind) {
    case kv::VersionKind::kValue:
      return absl::StrCat("value ", Short(version.bytes));
    case kv::VersionKind::kCount:
      return absl::StrCat("count ", version.sum, " on ", DotText(version.on));
    case kv::VersionKind::kMember:
      return "member";
    case kv::VersionKind::kScore:
      return absl::StrCat("score ", version.score);
    case kv::VersionKind::kPlace:
      return absl::StrCat("place ", absl::BytesToHexString(version.bytes));
    case kv::VersionKind::kBirth:
      return "birth";
    case kv::VersionKind::kDeadline:
      return absl::StrCat("deadline ", version.deadline.at_ms, " on ",
                          DotText(version.on));
  }
  return "?";
}

absl::string_view TextOf(kv::Type type) {
  switch (type) {
    case kv::Type::kNone:
      return "none";
    case kv::Type::kString:
      return "string";
    case kv::Type::kHash:
      return "hash";
    case kv::Type::kSet:
      return "set";
    case kv::Type::kSortedSet:
      return "zset";
    case kv::Type::kList:
      return "list";
    case kv::Type::kStream:
      return "stream";
  }
  return "?";
}

// Whether the version is part of what its element shows.
bool IsPartOfShown(const kv::ElementName& element, const kv::Versions& versions,
                   const kv::Version& version, kv::Type type) {
  if (element.kind == kv::ElementKind::kKey) return true;
  if (kv::TypeOf(element.kind) != type) return false;
  if (!kv::IsShown(element.kind, versions)) return false;
  const kv::Versions settled = kv::Settled(element.kind, versions, kv::Dot{});
  return std::find(settled.begin(), settled.end(), version) != settled.end();
}

}  // namespace

KvExplainReply ReplicatedKeyspace::Explain(const kv::KeyName& key,
                                           size_t limit) const {
  KvExplainReply reply;
  reply.bucket = kv::BucketOf(kv::HashOf(key));
  const kv::KeyView view = shared_.state.Find(key, shared_.clock.now());
  reply.type = std::string(TextOf(view.type()));
  if (view.exists()) reply.due_ms = view.deadline().at_ms;
  shared_.state.ScanKey(
      key, [&](const kv::KeyName&, const kv::ElementName& element,
               const kv::Versions& versions) {
        for (const kv::Version& version : versions) {
          if (reply.versions.size() == limit) {
            reply.more = true;
            return;
          }
          reply.versions.push_back(
              {TextOf(element), TextOf(version), "", version.dot.life,
               version.dot.seq, version.dot.index, version.stamp.value >> 16,
               IsPartOfShown(element, versions, version, view.type())});
        }
      });
  return reply;
}

std::vector<commands::Watched> ReplicatedKeyspace::Watch(
    const std::vector<kv::OwnedKey>& keys) const {
  std::vector<commands::Watched> watched;
  watched.reserve(keys.size());
  for (const kv::OwnedKey& key : keys) {
    watched.push_back(
        commands::Watch(shared_.state, key.name(), shared_.clock.now()));
  }
  return watched;
}

KvStatusView ReplicatedKeyspace::Status() const {
  KvStatusView view;
  view.role = role();
  view.position = position();
  view.promised = promised_;
  view.exchanging = following_.has_value() && !following_->whole();
  view.context_lives = shared_.state.context().size();
  view.context_digest = shared_.state.context().digest();
  view.digest = shared_.state.digests().all();
  view.joins = counters_.joins;
  view.joined_buckets = counters_.joined_buckets;
  view.settled_keys = counters_.settled;
  if (leading_.has_value()) {
    view.followers = leading_->followers().View();
    view.alone = leading_->followers().alone();
    view.settled_keys += leading_->settled_keys();
  }
  if (following_.has_value()) {
    view.joins += following_->joins();
    view.joined_buckets += following_->joined_buckets();
  }
  view.calls_waiting = calls_.waiting();
  view.blocked = calls_.blocked();
  view.unsettled = shared_.state.unsettled();
  view.bytes = shared_.state.bytes();
  for (uint8_t db = 0; db < kv::kDatabases; ++db) {
    view.keys.push_back(shared_.state.Keys(db));
  }
  return view;
}

std::vector<std::pair<std::string, uint64_t>> ReplicatedKeyspace::Counters()
    const {
  return {{"kv_terms_led", counters_.terms_led},
          {"kv_terms_followed", counters_.terms_followed},
          {"kv_joins", counters_.joins},
          {"kv_joined_buckets", counters_.joined_buckets},
          {"kv_calls_answered", counters_.answered}};
}

}  // namespace muster::core
