#include "side.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "crdt/check.h"
#include "crdt/keyspace/exchange.h"

namespace muster::kv {
namespace {

int64_t NumberOf(const std::string& word) {
  int64_t number = 0;
  MUSTER_CHECK(absl::SimpleAtoi(word, &number));
  return number;
}

bool IsA(const KeyView& view, Type type) {
  return !view.exists() || view.type() == type;
}

std::vector<absl::string_view> Rest(const Words& words) {
  return {words.begin() + 2, words.end()};
}

void RunOnElements(Transaction& tx, const Words& w, const KeyName& key) {
  const KeyView view = tx.Find(key);
  const std::string& name = w[0];
  if (name == "HSET" && IsA(view, Type::kHash)) {
    tx.PutField(key, w[2], w[3]);
  } else if (name == "HINCRBY" && IsA(view, Type::kHash)) {
    Entry entry;
    const bool there = view.Get(w[2], entry);
    if (!there || view.FieldInteger(w[2]).has_value()) {
      tx.IncrementField(key, w[2], NumberOf(w[3]));
    }
  } else if (name == "SADD" && IsA(view, Type::kSet)) {
    tx.AddMember(key, w[2]);
  } else if (name == "ZADD" && IsA(view, Type::kSortedSet)) {
    tx.PutScore(key, w[3], static_cast<double>(NumberOf(w[2])));
  } else if ((name == "HDEL" && view.type() == Type::kHash) ||
             (name == "SREM" && view.type() == Type::kSet) ||
             (name == "ZREM" && view.type() == Type::kSortedSet)) {
    tx.Remove(key, w[2]);
  }
}

void RunOnRanks(Transaction& tx, const Words& w, const KeyName& key) {
  const KeyView view = tx.Find(key);
  const Type type = w[0] == "LCUT"   ? Type::kList
                    : w[0] == "ZCUT" ? Type::kSortedSet
                                     : Type::kNone;
  if (type == Type::kNone || view.type() != type) return;
  const auto first = static_cast<uint64_t>(NumberOf(w[2]));
  if (first >= view.size()) return;
  const auto count = static_cast<uint64_t>(NumberOf(w[3]));
  tx.RemoveRanks(key, first, std::min(count, view.size() - first));
}

void RunOnList(Transaction& tx, const Words& w, const KeyName& key) {
  const KeyView view = tx.Find(key);
  const std::string& name = w[0];
  if (name == "RPUSH" || name == "LPUSH") {
    if (!IsA(view, Type::kList)) return;
    const auto end =
        name == "RPUSH" ? Transaction::End::kBack : Transaction::End::kFront;
    return tx.Push(key, end, Rest(w));
  }
  if (view.type() != Type::kList) return;
  Entry entry;
  if (name == "LPOP" || name == "RPOP") {
    MUSTER_CHECK(view.At(name == "LPOP" ? 0 : view.size() - 1, entry));
    tx.RemoveItem(key, entry.item);
  } else if (name == "LSET") {
    if (view.At(static_cast<uint64_t>(NumberOf(w[2])), entry)) {
      tx.SetItem(key, entry.item, w[3]);
    }
  } else if (name == "LINSERT") {
    const auto rank = static_cast<uint64_t>(NumberOf(w[3]));
    if (rank >= view.size()) return;
    MUSTER_CHECK(tx.Insert(key, rank,
                           w[2] == "AFTER" ? Transaction::Side::kAfter
                                           : Transaction::Side::kBefore,
                           w[4]));
  }
}

bool RunOnKey(Transaction& tx, const Words& w, const KeyName& key) {
  const KeyView view = tx.Find(key);
  const std::string& name = w[0];
  const auto at = [&w](size_t i) {
    return Deadline{static_cast<uint64_t>(NumberOf(w[i]))};
  };
  if (name == "SET") {
    tx.PutString(key, w[2], w.size() > 3 ? at(4) : Deadline());
  } else if (name == "INCRBY") {
    if (!view.exists() ||
        (view.type() == Type::kString && view.Integer().has_value())) {
      tx.Increment(key, NumberOf(w[2]));
    }
  } else if (name == "DEL") {
    tx.RemoveKey(key);
  } else if (name == "EXPIREAT") {
    tx.SetDeadline(key, at(2));
  } else if (name == "PERSIST") {
    tx.SetDeadline(key, Deadline());
  } else if (name == "RENAME") {
    tx.Move(key, {0, w[2]});
  } else if (name == "COPY") {
    tx.Copy(key, {0, w[2]});
  } else if (name == "FLUSH") {
    tx.Flush(0);
  } else if (name == "SETTLE") {
    tx.Settle(key);
  } else {
    return false;
  }
  return true;
}

void RunAll(Transaction& tx, const std::string& commands) {
  for (const Words& words : Parse(commands)) {
    KeyName key;
    if (words.size() > 1) key.key = words[1];
    if (RunOnKey(tx, words, key)) continue;
    RunOnElements(tx, words, key);
    RunOnList(tx, words, key);
    RunOnRanks(tx, words, key);
  }
}

std::string DotText(const Dot& dot) {
  return absl::StrCat(dot.life.lo, ".", dot.seq.value, ".", dot.index);
}

std::string ContentText(const Version& v) {
  switch (v.kind) {
    case VersionKind::kValue:
      return absl::StrCat("value ", v.bytes, " ", v.deadline.at_ms);
    case VersionKind::kCount:
      return absl::StrCat("count ", v.sum, " on ", DotText(v.on));
    case VersionKind::kMember:
      return "member";
    case VersionKind::kScore:
      return absl::StrCat("score ", v.score);
    case VersionKind::kPlace:
      return absl::StrCat("place ", v.bytes);
    case VersionKind::kBirth:
      return "birth";
    case VersionKind::kDeadline:
      return absl::StrCat("deadline ", v.deadline.at_ms, " on ", DotText(v.on));
  }
  return "?";
}

std::string Items(const KeyView& view, absl::string_view open,
                  absl::string_view close) {
  std::vector<std::string> items;
  const auto add = [&](const Entry& entry) {
    switch (view.type()) {
      case Type::kHash:
        items.push_back(absl::StrCat(entry.name, ": ", entry.value));
        break;
      case Type::kSortedSet:
        items.push_back(absl::StrCat(entry.score, " ", entry.name));
        break;
      case Type::kList:
        items.emplace_back(entry.value);
        break;
      default:
        items.emplace_back(entry.name);
    }
    return true;
  };
  if (view.type() == Type::kList || view.type() == Type::kSortedSet) {
    view.Walk(0, KeyView::Direction::kUp, add);
  } else {
    view.Scan(std::nullopt, add);
  }
  MUSTER_CHECK(items.size() == view.size());
  return absl::StrCat(open, absl::StrJoin(items, ", "), close);
}

}  // namespace

uint64_t Side::stamp = 1;

std::vector<Words> Parse(const std::string& commands) {
  std::vector<Words> parsed;
  for (absl::string_view command : absl::StrSplit(commands, ';')) {
    parsed.push_back(absl::StrSplit(command, ' ', absl::SkipEmpty()));
  }
  return parsed;
}

std::string Side::Run(const std::string& commands) {
  const Context base = state_.context();
  Transaction tx(state_, {base, life_, seq_.Next()}, Stamp(stamp++), now_);
  RunAll(tx, commands);
  const std::string mutation = tx.Commit();
  if (!mutation.empty()) seq_ = seq_.Next();
  return mutation;
}

void Side::TryRun(const std::string& commands) {
  const Context base = state_.context();
  Transaction tx(state_, {base, life_, seq_.Next()}, Stamp(stamp++), now_);
  RunAll(tx, commands);
  tx.Abandon();
}

void Side::Follow(const std::string& mutation, const Side& leader) {
  const Context base = state_.context();
  const Seq seq = base.Of(leader.life_).Next();
  MUSTER_CHECK(ValidateMutations(mutation, seq, 1));
  state_.Apply(mutation, {base, leader.life_, seq});
}

std::string Side::Show(const std::string& key) const {
  const KeyView view = state_.Find({0, key}, now_);
  std::string text;
  std::string scratch;
  switch (view.type()) {
    case Type::kNone:
      return "-";
    case Type::kString:
      text = std::string(view.String(scratch));
      break;
    case Type::kHash:
      text = Items(view, "{", "}");
      break;
    case Type::kList:
      text = Items(view, "[", "]");
      break;
    case Type::kSet:
    case Type::kSortedSet:
      text = Items(view, "(", ")");
      break;
    case Type::kStream:
      return "?";
  }
  if (!view.deadline().IsSet()) return text;
  return absl::StrCat(text, " until ", view.deadline().at_ms);
}

std::string Side::ShowAll() const {
  std::vector<std::string> keys;
  uint32_t cursor = 0;
  do {
    cursor = state_.ScanKeys(0, cursor, 10, now_, [&](absl::string_view key) {
      keys.emplace_back(key);
    });
  } while (cursor != 0);
  std::sort(keys.begin(), keys.end());
  std::string text;
  for (const std::string& key : keys) {
    absl::StrAppend(&text, key, " = ", Show(key), "\n");
  }
  return text;
}

std::string Side::Versions() const {
  std::vector<std::string> lines;
  const auto add = [&](const KeyName& key, const ElementName& element,
                       const kv::Versions& versions) {
    for (const Version& v : versions) {
      lines.push_back(absl::StrCat(key.key, " ", static_cast<int>(element.kind),
                                   " ", element.name, " ",
                                   DotText(element.item), " | ", DotText(v.dot),
                                   " ", v.stamp.value, " ", ContentText(v)));
    }
  };
  for (uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
    if (state_.digests().bucket(bucket) != 0) state_.ScanBucket(bucket, add);
  }
  std::sort(lines.begin(), lines.end());
  return absl::StrJoin(lines, "\n");
}

Keyspace Exchanged(const Keyspace& from, size_t part_bytes) {
  Keyspace collected;
  BucketReader reader(from);
  BucketWriter writer(collected);
  std::string part;
  for (uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
    if (from.digests().bucket(bucket) == 0) continue;
    while (reader.Next(bucket, part_bytes, part)) {
      MUSTER_CHECK(ValidatePart(part, bucket));
      writer.Add(part);
    }
  }
  collected.Cover(from.context());
  return collected;
}

}  // namespace muster::kv
