// An exchange, as a peer that means no good may send it: parts and mutations in
// any order, each valid by itself. What is collected, and what it is joined
// into, are without fault.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "crdt/check.h"
#include "crdt/keyspace/collector.h"
#include "crdt/keyspace/exchange.h"
#include "crdt/keyspace/keyspace.h"
#include "crdt/keyspace/transaction.h"
#include "tests/fuzz/byte_source.h"

namespace {

using namespace muster::kv;
using muster::fuzz::ByteSource;

constexpr LifeId kHere{0, 1};
constexpr LifeId kThere{0, 2};
constexpr size_t kPartBytes = 24;

// The keys of the seeds, as `life` has them: something of each type.
void Fill(Keyspace& state, LifeId life, uint64_t due) {
  Transaction tx(state, {state.context(), life, Seq(1)}, StampAt(1000, 0),
                 Time());
  tx.PutString({0, "k"}, "5", Deadline{due});
  tx.Increment({0, "k"}, 2);
  tx.PutField({0, "h"}, "f", "v");
  tx.PutField({0, "h"}, "g", "w");
  tx.SetDeadline({0, "h"}, Deadline{due});
  tx.AddMember({0, "s"}, "m");
  tx.AddMember({0, "s"}, "n");
  tx.PutScore({0, "z"}, "m", 1);
  tx.Push({0, "l"}, Transaction::End::kBack, {"a", "b"});
  tx.Commit();
}

// The peer, which may also do as it should.
class Peer {
 public:
  explicit Peer(const Keyspace& own) {
    Fill(state_, kThere, 3000);
    context_ = state_.context();
    for (uint32_t i = 0; i < kBuckets; ++i) {
      if (own.digests().bucket(i) != state_.digests().bucket(i)) {
        differing_.push_back(i);
      }
    }
    collector_.emplace(own, differing_, context_);
  }

  // False: the exchange is over.
  bool Act(ByteSource& source) {
    switch (source.Byte() % 7) {
      case 0:
        AddPart(source.Text());
        return true;
      case 1:
        if (collector_->bucket().has_value()) collector_->End();
        return true;
      case 2:
      case 3:
        return Apply(source.Text());
      case 4:
        AddAgain(source.Text());
        return true;
      case 5:
        AddRightPart();
        return true;
      default:
        if (const auto key = collector_->FirstAgain()) {
          collector_->AddAgain(*key, ReadKey(state_, key->name(), kPartBytes));
        }
        return true;
    }
  }

  const Collector& collector() const { return *collector_; }

 private:
  void AddPart(absl::string_view part) {
    const auto bucket = collector_->bucket();
    if (bucket.has_value() && ValidatePart(part, *bucket)) {
      collector_->Add(part);
    }
  }

  void AddRightPart() {
    const auto bucket = collector_->bucket();
    if (!bucket.has_value()) return;
    std::string part;
    if (reader_.Next(*bucket, kPartBytes, part)) {
      collector_->Add(part);
    } else {
      collector_->End();
    }
  }

  bool Apply(absl::string_view mutation) {
    if (!ValidateMutations(mutation, seq_, 1)) return true;
    const Seen seen{context_, kThere, seq_};
    seq_ = seq_.Next();
    return collector_->Apply(mutation, seen) == Collector::Outcome::kApplied;
  }

  void AddAgain(absl::string_view part) {
    const auto key = collector_->FirstAgain();
    if (!key.has_value()) return;
    std::vector<std::string> parts;
    if (ValidatePart(part, BucketOf(HashOf(key->name())))) {
      parts.emplace_back(part);
    }
    collector_->AddAgain(*key, parts);
  }

  Keyspace state_;
  BucketReader reader_{state_};
  Context context_;
  std::vector<uint32_t> differing_;
  std::optional<Collector> collector_;
  Seq seq_{2};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ByteSource source(data, size);
  Keyspace own;
  Fill(own, kHere, 2000);
  Peer peer(own);
  while (!source.empty()) {
    if (!peer.Act(source)) return 0;
  }
  const Collector& collector = peer.collector();
  MUSTER_CHECK(collector.state().Audit().empty());
  if (!collector.IsWhole()) return 0;
  for (const uint32_t bucket : collector.buckets()) {
    own.JoinBucket(collector.state(), bucket);
  }
  own.Cover(collector.state().context());
  MUSTER_CHECK(own.Audit().empty());
  return 0;
}
