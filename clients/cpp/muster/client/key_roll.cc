#include "muster/client/key_roll.h"

#include <utility>

namespace muster::client {
namespace {

using Kind = Change::Kind;

uint64_t EntriesIn(const KeyRoll::Keys& keys, const std::string& topic,
                   const std::string& key) {
  const auto in = keys.find(topic);
  if (in == keys.end()) return 0;
  const auto found = in->second.find(key);
  return found == in->second.end() ? 0 : found->second;
}

void SetIn(KeyRoll::Keys* keys, const std::string& topic,
           const std::string& key, uint64_t entries) {
  auto& in = (*keys)[topic];
  if (entries != 0) {
    in[key] = entries;
  } else {
    in.erase(key);
  }
  if (in.empty()) keys->erase(topic);
}

KeyChange::Kind KindOf(uint64_t before, uint64_t entries, bool known) {
  if (!known) return KeyChange::Kind::kPresent;
  if (before == 0) return KeyChange::Kind::kFirstIn;
  return entries == 0 ? KeyChange::Kind::kLastOut : KeyChange::Kind::kChanged;
}

}  // namespace

bool KeyRoll::Apply(const v1::WatchResponse& message,
                    const std::vector<Change>& changes,
                    std::vector<KeyChange>* keys) {
  if (keys_only_) {
    ApplyKeys(message);
  } else {
    for (const Change& change : changes) ApplyEntry(change);
  }
  keys->clear();
  if (message.version().empty()) return false;
  const bool some = !touched_.empty();
  if (some) *keys = Report();
  known_ |= message.state_complete();
  return some;
}

void KeyRoll::Disconnected() {
  comparing_ = false;
  fresh_.clear();
}

uint64_t KeyRoll::entries(const std::string& topic,
                          const std::string& key) const {
  return EntriesIn(keys_, topic, key);
}

void KeyRoll::ApplyEntry(const Change& change) {
  if (change.kind == Kind::kCount || change.kind == Kind::kSynced) return;
  const v1::Entry& entry = change.entry;
  const bool left = change.kind == Kind::kLeave;
  Touched& touched = Touch(entry.topic(), entry.key());
  if (!left || touched.left || touched.entry.ref().empty()) {
    touched.entry = entry;
    touched.left = left;
  }
  if (change.kind == Kind::kUpdate) return;
  const uint64_t before = entries(entry.topic(), entry.key());
  SetIn(&keys_, entry.topic(), entry.key(), left ? before - 1 : before + 1);
}

// ---------------------------------------------------------------- keys only

void KeyRoll::ApplyKeys(const v1::WatchResponse& message) {
  if (message.reset()) {
    comparing_ = true;
    fresh_.clear();
  }
  // A node that does not know `detail` sends entries.
  for (const v1::TopicState& state : message.state()) {
    for (const v1::KeyChange& key : state.keys()) Told(state.topic(), key);
    for (const v1::Entry& entry : state.entries()) {
      Added(state.topic(), entry, 1);
    }
  }
  if (message.state_complete() && comparing_) Compare();
  for (const v1::TopicDiff& diff : message.diffs()) {
    for (const v1::Entry& entry : diff.joins()) Added(diff.topic(), entry, 1);
    for (const v1::Entry& entry : diff.leaves()) Added(diff.topic(), entry, -1);
    for (const v1::KeyChange& key : diff.keys()) Told(diff.topic(), key);
  }
}

void KeyRoll::Told(const std::string& topic, const v1::KeyChange& key) {
  if (comparing_) {
    SetIn(&fresh_, topic, key.key(), key.entries());
  } else {
    Set(topic, key.key(), key.entries());
  }
}

void KeyRoll::Added(const std::string& topic, const v1::Entry& entry, int by) {
  v1::KeyChange key;
  key.set_key(entry.key());
  const uint64_t had = EntriesIn(comparing_ ? fresh_ : keys_, topic, key.key());
  key.set_entries(by < 0 && had == 0 ? 0 : had + by);
  Told(topic, key);
}

void KeyRoll::Compare() {
  comparing_ = false;
  const Keys fresh = std::exchange(fresh_, {});
  const Keys before = keys_;
  for (const auto& [topic, keys] : before) {
    for (const auto& [key, entries] : keys) {
      if (EntriesIn(fresh, topic, key) == 0) Set(topic, key, 0);
    }
  }
  for (const auto& [topic, keys] : fresh) {
    for (const auto& [key, entries] : keys) Set(topic, key, entries);
  }
}

void KeyRoll::Set(const std::string& topic, const std::string& key,
                  uint64_t entries) {
  if (EntriesIn(keys_, topic, key) == entries) return;
  Touch(topic, key);
  SetIn(&keys_, topic, key, entries);
}

// ------------------------------------------------------------------ reports

KeyRoll::Touched& KeyRoll::Touch(const std::string& topic,
                                 const std::string& key) {
  const auto [at, is_new] =
      touched_of_.try_emplace({topic, key}, touched_.size());
  if (!is_new) return touched_[at->second];
  Touched& touched = touched_.emplace_back();
  touched.before = entries(topic, key);
  touched.entry.set_topic(topic);
  touched.entry.set_key(key);
  return touched;
}

std::vector<KeyChange> KeyRoll::Report() {
  touched_of_.clear();
  std::vector<KeyChange> changes;
  for (Touched& touched : std::exchange(touched_, {})) {
    const uint64_t now = entries(touched.entry.topic(), touched.entry.key());
    if (touched.before == 0 && now == 0) continue;
    if (keys_only_ && touched.before == now) continue;
    changes.push_back({KindOf(touched.before, now, known_), touched.before, now,
                       std::move(touched.entry)});
  }
  return changes;
}

}  // namespace muster::client
