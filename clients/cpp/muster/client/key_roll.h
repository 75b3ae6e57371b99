// The roll by key: who is there, and not in how many tabs.
//
//   keys before: ann 1
//   diff: join ann (second tab)          -> ann: changed, 1 to 2
//   diff: join ann, leave ann (replaced) -> ann: changed, 2 to 2
//   diff: leave ann, leave ann           -> ann: last out, 2 to 0
//   (another node: a fresh state)        -> the difference, once it is complete
//
// Invariants
//   1. What is reported, applied in order, always gives keys().
//   2. It is reported when a state or a diff is complete, however many messages
//      that took: each key once, with what it had before and has now. A key
//      that came and went within it is not reported.
//   3. Changes are in the order in which a key was first touched. Where only
//      keys are watched, a difference has those that are gone first.
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
  // Topic and key. Unless only keys are watched, all of the entry that came or
  // was updated last, or if none was, of the one that left last.
  v1::Entry entry;
};

class KeyRoll {
 public:
  // `detail`: of the request. Only of WATCH_DETAIL_KEYS are the keys read in
  // messages; else they follow from entries.
  explicit KeyRoll(v1::WatchDetail detail = v1::WATCH_DETAIL_UNSPECIFIED)
      : keys_only_(detail == v1::WATCH_DETAIL_KEYS) {}

  // `changes` is what a Roll has made of `message`. True if a state or diff is
  // complete with it that has touched a key: `keys` is then what that has
  // changed, which may be nothing.
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
  // To the fresh state, if one is arriving, else to the roll.
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
