// What is known of keys with deadlines, from what clients were told: until when
// each is there for certain, and until when it may be.
//
//   SET e v PX 500   called at 100, answered at 130
//   there until 600 at least, and until 630 at most (give or take the slack)
//
// K9 a key that is due is there for nobody, and one that is not due is there.
//
// Only for keys of which one call is under way at a time. Units: microseconds.
#ifndef MUSTER_TESTS_SIM_KEY_DEADLINES_H_
#define MUSTER_TESTS_SIM_KEY_DEADLINES_H_

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace muster::sim {

class KeyDeadlines {
 public:
  // How far the clocks that decide may be off.
  explicit KeyDeadlines(int64_t slack) : slack_(slack) {}

  // An answered call; what is wrong with its result, or "".
  [[nodiscard]] std::string Answered(const std::vector<std::string>& words,
                                     const std::string& result, int64_t called,
                                     int64_t answered);
  // Nothing is known of it any more.
  void Forget(const std::string& key) { keys_.erase(key); }

 private:
  static constexpr int64_t kForever = std::numeric_limits<int64_t>::max() / 2;
  struct Known {
    int64_t certainly = 0;
    int64_t possibly = kForever;
  };
  void Set(Known& known, int64_t ms, int64_t called, int64_t answered) const;

  int64_t slack_;
  std::map<std::string, Known> keys_;
};

}  // namespace muster::sim

#endif  // MUSTER_TESTS_SIM_KEY_DEADLINES_H_
