// An exchange between a source and a sink that share nothing but frames.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "crdt/keyspace/op.h"
#include "crdt/keyspace/transaction.h"
#include "node/core/keyspace/exchange_sink.h"
#include "node/core/keyspace/exchange_source.h"

namespace muster::core {
namespace {

const crdt::LifeId kSource{1, 1};
const crdt::LifeId kSink{2, 2};
const Term kTerm{3, kSource};

class ExchangeTest : public testing::Test {
 protected:
  ExchangeTest()
      : source_shared_(options_, kSource, 1, [](crdt::LifeId) { return true; }),
        sink_shared_(options_, kSink, 2, [](crdt::LifeId) { return true; }) {
    log_.Reset(0, crdt::Seq());
    sink_shared_.peers.Set({{kSource, crdt::Incarnation(1), true}}, Instant{});
  }

  // What the source's leader writes.
  void Write(const std::string& key, const std::string& value) {
    const kv::Seen seen{base_, kSource, log_.last(0).Next()};
    kv::Transaction tx(source_shared_.state, seen,
                       source_shared_.clock.NextStamp(), kv::Time(1));
    tx.PutString({0, key}, value, kv::Deadline{});
    log_.Append(0, tx.Commit(), 1);
  }
  void Fill(int keys) {
    for (int i = 0; i < keys; ++i) {
      Write(absl::StrCat("key", i), absl::StrCat("value", i));
    }
  }
  void Begin() { sink_.emplace(sink_shared_, kSource, kTerm, base_, 1); }
  // One frame of each side to the other. False: nothing was on its way.
  bool Carry() {
    std::vector<KvMail> to_source = std::exchange(sink_shared_.mail, {});
    for (KvMail& mail : to_source) {
      if (auto* begin = std::get_if<KvExchangeBegin>(&mail.body)) {
        source_.emplace(source_shared_, kSink, *begin, &log_);
      } else if (auto* want = std::get_if<KvExchangeWant>(&mail.body)) {
        source_->OnWant(*want);
        wanted_ += want->buckets.size();
      } else if (auto* ack = std::get_if<KvExchangeAck>(&mail.body)) {
        source_->OnAck(*ack);
      }
    }
    if (source_.has_value()) {
      size_t budget = 2;
      source_->Pump(budget);
    }
    std::vector<KvMail> to_sink = std::exchange(source_shared_.mail, {});
    for (KvMail& mail : to_sink) {
      if (auto* digests = std::get_if<KvExchangeDigests>(&mail.body)) {
        sink_->OnDigests(*digests);
      } else if (auto* part = std::get_if<KvExchangePart>(&mail.body)) {
        bytes_ += part->bytes->size();
        if (lose_ > 0 && --lose_ == 0) continue;
        sink_->OnPart(*part);
      }
    }
    while (sink_->RunJob()) {
    }
    return !to_source.empty() || !to_sink.empty();
  }
  void Run() {
    while (Carry()) {
    }
  }
  const kv::Keyspace& mine() const { return sink_shared_.state; }
  const kv::Keyspace& theirs() const { return source_shared_.state; }

  KeyspaceOptions options_;
  kv::Context base_;
  KvShared source_shared_;
  KvShared sink_shared_;
  crdt::MutationLog log_{kv::KeyspaceGrammar(), 1 << 20};
  std::optional<ExchangeSource> source_;
  std::optional<ExchangeSink> sink_;
  size_t wanted_ = 0;
  size_t bytes_ = 0;
  int lose_ = 0;  // The so many-th part.
};

TEST_F(ExchangeTest, BringsAnEmptyNodeEverything) {
  Fill(3000);
  Begin();
  Run();
  EXPECT_EQ(sink_->state(), ExchangeSink::State::kJoined);
  EXPECT_EQ(mine().digests().all(), theirs().digests().all());
  EXPECT_EQ(mine().context(), theirs().context());
  EXPECT_EQ(sink_->upto(), log_.last(0));
  EXPECT_TRUE(source_->done());
  EXPECT_EQ(mine().Audit(), "");
}

TEST_F(ExchangeTest, BringsOnlyWhatDiffers) {
  Fill(3000);
  Begin();
  Run();
  for (int i = 0; i < 10; ++i) Write(absl::StrCat("key", i * 100), "new");
  wanted_ = bytes_ = 0;
  Begin();
  Run();
  EXPECT_EQ(mine().digests().all(), theirs().digests().all());
  EXPECT_LE(wanted_, 10u);
  EXPECT_LT(bytes_, 4096u);
}

TEST_F(ExchangeTest, TakesInWhatIsWrittenMeanwhile) {
  Fill(2000);
  Begin();
  for (int i = 0; Carry(); ++i) {
    if (i < 300) Write(absl::StrCat("key", i * 7), absl::StrCat("later", i));
  }
  EXPECT_EQ(sink_->state(), ExchangeSink::State::kJoined);
  // What came after the last part is for whoever follows.
  EXPECT_EQ(mine().context().Of(kSource), sink_->upto());
  crdt::Seq seq = sink_->upto();
  for (const KvExchangePart& part : sink_->TakeLater()) {
    absl::string_view bytes = *part.bytes;
    ASSERT_EQ(part.first, seq.Next());
    for (uint32_t i = 0; i < part.count; ++i) {
      const absl::string_view before = bytes;
      kv::SkipMutation(bytes);
      seq = seq.Next();
      sink_shared_.state.Apply(before.substr(0, before.size() - bytes.size()),
                               {base_, kSource, seq});
    }
  }
  EXPECT_EQ(seq, log_.last(0));
  EXPECT_EQ(mine().digests().all(), theirs().digests().all());
}

TEST_F(ExchangeTest, ALostFrameChangesNothing) {
  Fill(2000);
  Begin();
  lose_ = 20;
  Run();
  EXPECT_EQ(sink_->state(), ExchangeSink::State::kFailed);
  EXPECT_TRUE(mine().context().empty());
  EXPECT_EQ(mine().Keys(0), 0u);
  EXPECT_TRUE(source_->over());
  EXPECT_FALSE(source_->done());
}

TEST_F(ExchangeTest, EndsWithASourceThatFallsSilent) {
  Fill(100);
  Begin();
  sink_shared_.now = sink_shared_.now + KvPeers::kPatience;
  sink_->Tick();
  EXPECT_EQ(sink_->state(), ExchangeSink::State::kAsked);
  sink_shared_.now = sink_shared_.now + absl::Milliseconds(1);
  sink_->Tick();
  EXPECT_EQ(sink_->state(), ExchangeSink::State::kFailed);
}

TEST_F(ExchangeTest, ARefusalEndsIt) {
  Fill(100);
  Begin();
  KvExchangePart refused;
  refused.exchange = 1;
  refused.number = 1;
  refused.kind = KvExchangePart::Kind::kRefused;
  sink_->OnPart(refused);
  EXPECT_EQ(sink_->state(), ExchangeSink::State::kFailed);
}

}  // namespace
}  // namespace muster::core
