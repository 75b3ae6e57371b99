// The randomness of commands: SPOP, SRANDMEMBER, RANDOMKEY.
//
// splitmix64: the caller gives the seed, so that one seed gives one answer.
#ifndef MUSTER_NODE_COMMANDS_RANDOM_H_
#define MUSTER_NODE_COMMANDS_RANDOM_H_

#include <cstdint>

namespace muster::commands {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // 0 … n−1. REQUIRES: n > 0. The bias of the modulus is of no matter here.
  uint64_t Below(uint64_t n) { return Next() % n; }

 private:
  uint64_t state_;
};

}  // namespace muster::commands

#endif  // MUSTER_NODE_COMMANDS_RANDOM_H_
