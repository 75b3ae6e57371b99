// The only source of chance in a simulation: xoshiro256**, seeded through
// splitmix64. Integers only, and none of the standard distributions, so that
// one seed gives one run with every compiler and standard library.
//
// Source: Blackman, Vigna, Scrambled linear pseudorandom number generators
// (2018).
#ifndef MUSTER_TESTS_SIM_RNG_H_
#define MUSTER_TESTS_SIM_RNG_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace muster::sim {

inline uint64_t SplitMix64(uint64_t& state) {
  state += 0x9e3779b97f4a7c15u;
  uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

class Rng {
 public:
  explicit Rng(uint64_t seed) {
    for (uint64_t& word : state_) word = SplitMix64(seed);
  }

  uint64_t Next() {
    const uint64_t result = Rotate(state_[1] * 5, 7) * 9;
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = Rotate(state_[3], 45);
    return result;
  }
  // 0 … n−1; 0 if n is 0. The bias of the modulus is of no matter here.
  uint64_t Below(uint64_t n) { return n == 0 ? 0 : Next() % n; }
  // Both ends included.
  int64_t Range(int64_t low, int64_t high) {
    return low +
           static_cast<int64_t>(Below(static_cast<uint64_t>(high - low) + 1));
  }
  bool Chance(uint32_t per_million) { return Below(1'000'000) < per_million; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  // An index, drawn by weight; 0 if all weights are 0.
  size_t Weighted(const std::vector<uint32_t>& weights) {
    uint64_t sum = 0;
    for (uint32_t w : weights) sum += w;
    uint64_t at = Below(sum);
    for (size_t i = 0; i < weights.size(); ++i) {
      if (at < weights[i]) return i;
      at -= weights[i];
    }
    return 0;
  }
  template <typename T>
  const T& Pick(const std::vector<T>& from) {
    return from[Below(from.size())];
  }
  // A generator of its own for a part of the run, so that one part's draws
  // do not move another's.
  Rng Fork() { return Rng(Next()); }

 private:
  static uint64_t Rotate(uint64_t x, int k) {
    return (x << k) | (x >> (64 - k));
  }
  uint64_t state_[4];
};

}  // namespace muster::sim

#endif  // MUSTER_TESTS_SIM_RNG_H_
