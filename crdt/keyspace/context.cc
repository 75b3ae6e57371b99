#include "crdt/keyspace/context.h"

#include <xxhash.h>

#include <algorithm>

namespace muster::kv {
namespace {

uint64_t DigestOf(const LifeId& life, Seq seq) {
  const uint64_t numbers[] = {life.hi, life.lo, seq.value};
  return XXH3_64bits(numbers, sizeof(numbers));
}

}  // namespace

Seq Context::Of(const LifeId& life) const {
  const auto at = seqs_.find(life);
  return at == seqs_.end() ? Seq() : at->second;
}

bool Context::Contains(const Context& other) const {
  return std::all_of(
      other.seqs_.begin(), other.seqs_.end(),
      [this](const auto& seen) { return Of(seen.first) >= seen.second; });
}

void Context::Cover(const LifeId& life, Seq seq) {
  if (seq.value == 0) return;
  Seq& seen = seqs_[life];
  if (seen >= seq) return;
  if (seen.value != 0) digest_ -= DigestOf(life, seen);
  digest_ += DigestOf(life, seq);
  seen = seq;
}

void Context::Join(const Context& other) {
  for (const auto& [life, seq] : other.seqs_) Cover(life, seq);
}

void Context::Drop(const LifeId& life) {
  const auto at = seqs_.find(life);
  if (at == seqs_.end()) return;
  digest_ -= DigestOf(life, at->second);
  seqs_.erase(at);
}

}  // namespace muster::kv
