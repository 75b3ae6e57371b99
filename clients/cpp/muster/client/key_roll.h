// The roll by key: which keys are present, and not in how many tabs.
//
//   keys before: ann 1
//   diff: join ann (second tab)          -> ann: changed, 1 to 2
//   diff: join ann, leave ann (replaced) -> ann: changed, 2 to 2
//   diff: leave ann, leave ann           -> ann: last out, 2 to 0
//   (another node: a fresh state)        -> the difference, once it is complete
//
// Invariants
//   1. The changes reported, applied in order, always give keys().
//   2. Changes are reported when a state or a diff is complete, however many
//      messages that took: each key once, with its numbers before and after. A
//      key that came and went within it is not reported.
//   3. Changes are in the order in which a key was first touched. If only keys
//      are watched, a difference begins with the keys that are gone.
//
// Cost: O(log n) a change; memory for every key of the scope, and until a state
// or diff is complete for every key of it.
// Threads: none; one caller at a time.
#ifndef MUSTER_CLIENT_KEY_ROLL_H_
#define MUSTER_CLIENT_KEY_ROLL_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "muster/client/roll.h"
#include "muster/v1/presence.pb.h"

namespace muster::client {

struct KeyChange {
  enum class Kind {
    kPresent,  // It was there when the watch began.
    kFirstIn,  // It had no entry, and has.
    kChanged,  // An entry came, went, was updated or replaced.
    kLastOut,  // Its last entry has left.
  };
  Kind kind = Kind::kPresent;
  uint64_t before = 0;   // Entries of the key in the topic.
  uint64_t entries = 0;  // Now.
  // Topic and key. Unless only keys are watched, it is the whole entry that
  // came or was updated last, or, without such an entry, the one that left
  // last.
  v1::Entry entry;
};

class KeyRoll {
 public:
  // `detail`: of the request. With WATCH_DETAIL_KEYS the keys come from the
  // messages' keys; else they follow from entries.
  explicit KeyRoll(v1::WatchDetail detail = v1::WATCH_DETAIL_UNSPECIFIED)
      : keys_only_(detail == v1::WATCH_DETAIL_KEYS) {}

  // `changes` are those that a Roll has made of `message`. True if the message
  // completes a state or diff that has touched a key: `keys` are then its
  // changes, which may be none.
  bool Apply(const v1::WatchResponse& message,
             const std::vector<Change>& changes, std::vector<KeyChange>* keys);

  // The connection broke. A state that was not complete is forgotten.
  void Disconnected();

  // Entries by topic and key.
  using Keys = std::map<std::string, std::map<std::string, uint64_t>>;
  const Keys& keys() const { return keys_; }
  uint64_t entries(const std::string& topic, const std::string& key) const;

 private:
  // A key that was touched since the last report.
  struct Touched {
    uint64_t before = 0;
    v1::Entry entry;
    bool left = false;  // `entry` is one that left.
  };

  void ApplyEntry(const Change& change);
  void ApplyKeys(const v1::WatchResponse& message);
  // Applies the key to the arriving fresh state, if there is one, else to the
  // roll.
  void Told(const std::string& topic, const v1::KeyChange& key);
  void Added(const std::string& topic, const v1::Entry& entry, int by);
  void Compare();
  Touched& Touch(const std::string& topic, const std::string& key);
  void Set(const std::string& topic, const std::string& key, uint64_t entries);
  std::vector<KeyChange> Report();

  const bool keys_only_;
  bool known_ = false;  // A state has been complete.
  Keys keys_;
  // Keys only: a fresh state is arriving.
  bool comparing_ = false;
  Keys fresh_;
  std::vector<Touched> touched_;
  std::map<std::pair<std::string, std::string>, size_t> touched_of_;
};

}  // namespace muster::client

#endif  // MUSTER_CLIENT_KEY_ROLL_H_
