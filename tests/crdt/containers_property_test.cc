// The containers below the store against naive models, in random histories.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <list>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "crdt/group_index.h"
#include "crdt/log.h"
#include "crdt/mutation.h"
#include "crdt/paged_array.h"
#include "crdt/slab.h"
#include "gtest/gtest.h"

namespace muster::crdt {
namespace {

class ContainersPropertyTest : public testing::TestWithParam<uint64_t> {
 protected:
  uint64_t Below(uint64_t limit) { return random_() % limit; }
  std::mt19937_64 random_{GetParam()};
};

struct Traits {
  std::vector<uint64_t>* hashes;
  std::vector<RingLinks>* link;
  RingLinks& links(uint32_t i) const { return (*link)[i]; }
  uint64_t hash(uint32_t i) const { return (*hashes)[i]; }
  void prefetch(uint32_t) const {}
};

TEST_P(ContainersPropertyTest, ARingKeepsTheOrderOfEachHash) {
  constexpr uint32_t kRecords = 6000;
  std::vector<uint64_t> hashes(kRecords);
  std::vector<RingLinks> links(kRecords);
  for (uint64_t& hash : hashes) {
    hash = random_() % 3000 * 0x9e3779b97f4a7c15u;
  }
  GroupIndex<Traits> index(Traits{&hashes, &links});
  const size_t empty_bytes = index.bytes();
  std::map<uint64_t, std::list<uint32_t>> model;
  std::vector<bool> in(kRecords);
  // Waxing and waning, so that it grows and shrinks through every size.
  for (int step = 0; step < 60000; ++step) {
    auto i = static_cast<uint32_t>(Below(kRecords));
    std::list<uint32_t>& group = model[hashes[i]];
    bool waning = step / 15000 % 2 == 1;
    if (!in[i]) {
      if (waning && Below(8) != 0) continue;
      group.push_back(i);
      ASSERT_EQ(index.Insert(i), group.front());
      in[i] = true;
    } else if (Below(waning ? 2 : 8) == 0) {
      index.Erase(i);
      group.remove(i);
      in[i] = false;
    } else {
      group.remove(i);
      if (Below(2) == 0) {
        index.MoveToFront(i);
        group.push_front(i);
      } else {
        index.MoveToBack(i);
        group.push_back(i);
      }
      ASSERT_EQ(index.Alone(i), group.size() == 1);
    }
    if (step % 1500 != 0) continue;
    size_t live = 0;
    for (const auto& [hash, wanted] : model) {
      std::list<uint32_t> found;
      for (uint32_t j = index.First(hash); j != kNone; j = index.Next(j)) {
        found.push_back(j);
      }
      ASSERT_EQ(found, wanted) << "step " << step;
      live += wanted.size();
    }
    ASSERT_EQ(index.size(), live);
  }
  for (uint32_t i = 0; i < kRecords; ++i) {
    if (in[i]) index.Erase(i);
  }
  ASSERT_EQ(index.size(), 0u);
  ASSERT_EQ(index.bytes(), empty_bytes);
}

TEST_P(ContainersPropertyTest, ASlabKeepsEveryBlobAndLittleElse) {
  Slab slab;
  std::vector<std::pair<Slab::Handle, std::string>> live;
  for (int step = 0; step < 20000; ++step) {
    bool waning = step / 5000 % 2 == 1;
    if (!live.empty() && Below(10) < (waning ? 7u : 3u)) {
      size_t at = Below(live.size());
      auto& [handle, wanted] = live[at];
      ASSERT_EQ(std::memcmp(slab.Data(handle), wanted.data(), wanted.size()),
                0);
      slab.Free(handle);
      std::swap(live[at], live.back());
      live.pop_back();
      continue;
    }
    size_t size = 1 + (Below(20) == 0 ? Below(9000) : Below(200));
    std::string blob(size, static_cast<char>(random_()));
    Slab::Handle handle = slab.Alloc(size);
    std::memcpy(slab.Data(handle), blob.data(), size);
    live.emplace_back(handle, blob);
  }
  for (const auto& [handle, wanted] : live) {
    ASSERT_EQ(std::memcmp(slab.Data(handle), wanted.data(), wanted.size()), 0);
    slab.Free(handle);
  }
  // One page a class at most; 16 classes have larger ones.
  EXPECT_LE(slab.bytes(), size_t{66} * (64 << 10) + size_t{16} * (256 << 10));
}

TEST_P(ContainersPropertyTest, APagedArrayNeverHandsOutALiveIndex) {
  PagedArray<uint64_t, 3> array;
  std::map<uint32_t, uint64_t> model;
  for (int step = 0; step < 20000; ++step) {
    bool waning = step / 4000 % 2 == 1;
    if (!model.empty() && Below(10) < (waning ? 7u : 3u)) {
      auto it = model.lower_bound(
          static_cast<uint32_t>(Below(model.rbegin()->first + 1)));
      ASSERT_EQ(array[it->first], it->second);
      array.Free(it->first);
      model.erase(it);
    } else {
      uint32_t i = array.Alloc();
      ASSERT_EQ(array[i], 0u);
      array[i] = random_();
      ASSERT_TRUE(model.emplace(i, array[i]).second);
    }
    ASSERT_EQ(array.size(), model.size());
  }
  for (const auto& [i, value] : model) ASSERT_EQ(array[i], value);
}

TEST_P(ContainersPropertyTest, TheLogReadsWhatIsInItAndKeepsItsBudget) {
  constexpr size_t kBudget = 200 << 10;
  constexpr uint32_t kStreams = 4;
  MutationLog log(PresenceGrammar(), kBudget);
  // Of each stream: where it began, and every mutation since.
  std::vector<uint64_t> base(kStreams);
  std::vector<std::vector<std::string>> model(kStreams);
  std::vector<MutationLog::Cursor> cursors(kStreams);
  for (uint32_t s = 0; s < kStreams; ++s) log.Reset(s, Seq(0));
  for (int step = 0; step < 6000; ++step) {
    auto s = static_cast<uint32_t>(std::min(Below(6), Below(kStreams)));
    if (Below(300) == 0) {
      log.Drop(s);
      base[s] = Below(1000);
      log.Reset(s, Seq(base[s]));
      model[s].clear();
      cursors[s] = {Seq(base[s])};
    }
    std::string run;
    uint64_t count = 1 + Below(5);
    for (uint64_t i = 0; i < count; ++i) {
      uint64_t seq = base[s] + model[s].size() + 2;
      std::string meta(Below(50) == 0 ? Below(40000) : Below(200), 'm');
      model[s].emplace_back();
      EncodePutEntry(Seq(seq), ElementId(seq), {ElementId(1), "t", "k", meta},
                     model[s].back());
      run += model[s].back();
    }
    log.Append(s, run, static_cast<uint32_t>(count));
    ASSERT_LE(log.bytes(), kBudget);
    ASSERT_EQ(log.last(s).value, base[s] + model[s].size());
    auto r = static_cast<uint32_t>(Below(kStreams));
    MutationLog::Cursor& cursor = cursors[r];
    if (!log.Reaches(r, cursor.at)) {
      ASSERT_LT(cursor.at, log.start(r));
      cursor = {log.start(r)};
    }
    while (auto got = log.Read(r, cursor, 1 + Below(5000))) {
      std::string wanted;
      for (uint32_t i = 0; i < got->count; ++i) {
        wanted += model[r].at(got->first.value - base[r] - 1 + i);
      }
      ASSERT_EQ(got->bytes, wanted);
      if (Below(4) == 0) break;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ContainersPropertyTest,
                         testing::Range<uint64_t>(1, 21));

}  // namespace
}  // namespace muster::crdt
