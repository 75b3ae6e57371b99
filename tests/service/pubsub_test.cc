// PubSub over gRPC: one node, two nodes, and bad input.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "muster/v1/pubsub.grpc.pb.h"
#include "tests/service/test_node.h"

namespace muster::service {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::HasSubstr;

class Subscriber
    : public TestStream<v1::SubscribeRequest, v1::SubscribeResponse> {
 public:
  explicit Subscriber(v1::PubSub::Stub* stub)
      : TestStream([stub](grpc::ClientContext* context) {
          return stub->Subscribe(context);
        }) {}

  // Sends it with the next number and reads until its answer; what comes
  // before is kept.
  v1::SubscribeResponse Request(v1::SubscribeRequest request) {
    request.set_number(++number_);
    EXPECT_TRUE(Write(request));
    v1::SubscribeResponse response;
    while (Read(&response) && response.number() == 0) Keep(response);
    EXPECT_EQ(response.number(), number_);
    return response;
  }
  void Subscribe(const std::string& channel) {
    v1::SubscribeRequest request;
    request.add_subscribe(channel);
    EXPECT_EQ(Request(request).errors_size(), 0);
  }
  // The next message: "channel payload [pattern]".
  std::string Next() {
    while (next_ == lines_.size()) {
      v1::SubscribeResponse response;
      if (!Read(&response)) return "the stream ended";
      Keep(response);
    }
    return lines_[next_++];
  }

 private:
  void Keep(const v1::SubscribeResponse& response) {
    if (response.messages_size() == 0) return;
    EXPECT_EQ(response.first(), lines_.size() + 1) << "numbers have no gap";
    for (const v1::PubSubMessage& message : response.messages()) {
      std::string line = message.channel() + " " + message.payload();
      if (!message.pattern().empty()) line += " " + message.pattern();
      lines_.push_back(line);
    }
  }

  uint64_t number_ = 0;
  std::vector<std::string> lines_;
  size_t next_ = 0;
};

// Publishes, and gives the number of subscriptions met by each message.
std::vector<uint64_t> Publish(
    v1::PubSub::Stub* stub,
    const std::vector<std::pair<std::string, std::string>>& messages) {
  v1::PublishRequest request;
  for (const auto& [channel, payload] : messages) {
    v1::PublishRequest::Message* message = request.add_messages();
    message->set_channel(channel);
    message->set_payload(payload);
  }
  v1::PublishResponse response;
  Context context;
  const grpc::Status status = stub->Publish(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return {response.subscriptions().begin(), response.subscriptions().end()};
}

class PubSubTest : public testing::Test {
 protected:
  void Start(Limits limits = {}) {
    a_ = std::make_unique<TestNode>("a", std::vector<std::string>{}, limits);
    ASSERT_TRUE(a_->WaitReady());
    at_a_ = v1::PubSub::NewStub(a_->Connect());
  }
  void StartTwo() {
    Start();
    b_ = std::make_unique<TestNode>("b",
                                    std::vector<std::string>{a_->address()});
    ASSERT_TRUE(b_->WaitReady());
    ASSERT_TRUE(WaitFor([this] { return a_->Status().links() == 1; }));
    at_b_ = v1::PubSub::NewStub(b_->Connect());
  }
  std::unique_ptr<TestNode> a_;
  std::unique_ptr<TestNode> b_;
  std::unique_ptr<v1::PubSub::Stub> at_a_;
  std::unique_ptr<v1::PubSub::Stub> at_b_;
};

TEST_F(PubSubTest, AMessageReachesItsSubscribersInOrder) {
  Start();
  Subscriber subscriber(at_a_.get());
  subscriber.Subscribe("news");
  EXPECT_THAT(
      Publish(at_a_.get(), {{"news", "1"}, {"other", "x"}, {"news", "2"}}),
      ElementsAre(1, 0, 1));
  EXPECT_EQ(subscriber.Next(), "news 1");
  EXPECT_EQ(subscriber.Next(), "news 2");
}

TEST_F(PubSubTest, NamesAndPayloadsAreAnyBytes) {
  Start();
  const std::string channel = "a\0\xff"s;
  Subscriber subscriber(at_a_.get());
  subscriber.Subscribe(channel);
  EXPECT_THAT(Publish(at_a_.get(), {{channel, "\xfe\0"s}}), ElementsAre(1));
  EXPECT_EQ(subscriber.Next(), channel + " " + "\xfe\0"s);
}

TEST_F(PubSubTest, APatternThatMatchesTooCountsAndComesTwice) {
  Start();
  Subscriber subscriber(at_a_.get());
  v1::SubscribeRequest request;
  request.add_subscribe("news");
  request.add_psubscribe("n[a-f]ws");
  EXPECT_EQ(subscriber.Request(request).errors_size(), 0);
  EXPECT_THAT(Publish(at_a_.get(), {{"news", "x"}}), ElementsAre(2));
  EXPECT_EQ(subscriber.Next(), "news x");
  EXPECT_EQ(subscriber.Next(), "news x n[a-f]ws");
}

// Whatever is published after the answer finds the subscription, at any node.
TEST_F(PubSubTest, ASubscriptionHoldsOnEveryNodeOnceItIsAnswered) {
  StartTwo();
  for (int i = 0; i < 50; ++i) {
    Subscriber subscriber(at_b_.get());
    const std::string channel = "c" + std::to_string(i);
    subscriber.Subscribe(channel);
    ASSERT_THAT(Publish(at_a_.get(), {{channel, "x"}}), ElementsAre(1)) << i;
    ASSERT_EQ(subscriber.Next(), channel + " x");
  }
}

TEST_F(PubSubTest, MessagesOfOnePublisherKeepTheirOrderOverNodes) {
  StartTwo();
  Subscriber subscriber(at_b_.get());
  subscriber.Subscribe("p");
  subscriber.Subscribe("q");
  for (int i = 0; i < 300; i += 3) {
    Publish(at_a_.get(), {{"p", std::to_string(i)},
                          {"q", std::to_string(i + 1)},
                          {"p", std::to_string(i + 2)}});
  }
  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(subscriber.Next(),
              (i % 3 == 1 ? "q " : "p ") + std::to_string(i));
  }
}

TEST_F(PubSubTest, NothingComesAfterAnUnsubscribeWasAnswered) {
  StartTwo();
  Subscriber subscriber(at_b_.get());
  subscriber.Subscribe("p");
  v1::SubscribeRequest request;
  request.add_unsubscribe("p");
  request.add_subscribe("marker");
  EXPECT_EQ(subscriber.Request(request).errors_size(), 0);
  EXPECT_THAT(Publish(at_a_.get(), {{"p", "late"}, {"marker", "x"}}),
              ElementsAre(0, 1));
  EXPECT_EQ(subscriber.Next(), "marker x");
}

TEST_F(PubSubTest, ChannelsAndCountsAreTheClusters) {
  StartTwo();
  Subscriber one(at_a_.get());
  Subscriber two(at_b_.get());
  one.Subscribe("news");
  two.Subscribe("news");
  two.Subscribe("nothing");
  v1::ChannelsRequest request;
  request.set_pattern("ne*");
  v1::ChannelsResponse channels;
  Context context;
  ASSERT_TRUE(at_a_->Channels(&context, request, &channels).ok());
  ASSERT_EQ(channels.channels_size(), 1);
  EXPECT_EQ(channels.channels(0).channel(), "news");
  EXPECT_EQ(channels.channels(0).subscribers(), 2u);
  v1::NumSubRequest names;
  names.add_channels("nothing");
  names.add_channels("none");
  v1::NumSubResponse counts;
  Context counts_context;
  ASSERT_TRUE(at_a_->NumSub(&counts_context, names, &counts).ok());
  EXPECT_EQ(counts.channels(0).subscribers(), 1u);
  EXPECT_EQ(counts.channels(1).subscribers(), 0u);
  // They go with the node.
  b_->runtime().Drain();
  EXPECT_TRUE(WaitFor([&] {
    return Publish(at_a_.get(), {{"news", "x"}}) == std::vector<uint64_t>{1};
  }));
}

TEST_F(PubSubTest, ASubscriberThatReadsTooSlowlyIsCutOff) {
  Limits limits;
  limits.max_subscriber_bytes = 64 << 10;
  Start(limits);
  Subscriber slow(at_a_.get());
  slow.Subscribe("p");
  Subscriber other(at_a_.get());
  other.Subscribe("q");
  const std::string payload(32 << 10, 'x');
  // The sockets' buffers take some of it.
  EXPECT_TRUE(WaitFor([&] {
    return Publish(at_a_.get(), {{"p", payload}, {"p", payload}}) ==
           std::vector<uint64_t>{0, 0};
  }));
  EXPECT_THAT(Publish(at_a_.get(), {{"q", "x"}}), ElementsAre(1));
  EXPECT_EQ(other.Next(), "q x");
  const grpc::Status status = slow.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("--max-subscriber-bytes"));
}

// Each is refused with a sentence that names the field, the value and the
// rule; nothing else ends.
TEST_F(PubSubTest, BadInputIsRefusedAndEndsNothingElse) {
  Start();
  struct Case {
    std::string channel;
    std::string payload;
    std::string words;
  };
  for (const Case& bad :
       {Case{"", "x", "messages[1].channel is empty"},
        Case{std::string(300, 'c'), "x",
             "messages[1].channel is 300 bytes; the limit is 256"},
        Case{"c", std::string(70'000, 'x'),
             "messages[1].payload is 70000 bytes; the limit is 65536"}}) {
    v1::PublishRequest request;
    request.add_messages()->set_channel("fine");
    request.add_messages()->set_channel(bad.channel);
    request.mutable_messages(1)->set_payload(bad.payload);
    v1::PublishResponse response;
    Context context;
    const grpc::Status status = at_a_->Publish(&context, request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr(bad.words));
  }
  Subscriber subscriber(at_a_.get());
  v1::SubscribeRequest request;
  request.add_unsubscribe("never");
  request.add_subscribe("fine");
  request.add_subscribe("");
  request.add_psubscribe(std::string(300, 'c'));
  const v1::SubscribeResponse response = subscriber.Request(request);
  ASSERT_EQ(response.errors_size(), 3);
  EXPECT_EQ(response.errors(0).list(), v1::SubscribeError::LIST_UNSUBSCRIBE);
  EXPECT_EQ(response.errors(0).code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(response.errors(1).list(), v1::SubscribeError::LIST_SUBSCRIBE);
  EXPECT_EQ(response.errors(1).index(), 1u);
  EXPECT_EQ(response.errors(2).list(), v1::SubscribeError::LIST_PSUBSCRIBE);
  EXPECT_THAT(response.errors(2).message(), HasSubstr("--max-channel-bytes"));
  EXPECT_THAT(Publish(at_a_.get(), {{"fine", "x"}}), ElementsAre(1));
  EXPECT_EQ(subscriber.Next(), "fine x");
}

TEST_F(PubSubTest, ARequestWithoutANumberEndsItsStreamAlone) {
  Start();
  Subscriber bad(at_a_.get());
  ASSERT_TRUE(bad.Write({}));
  const grpc::Status status = bad.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("number is 0"));
}

TEST_F(PubSubTest, ADrainingNodeTellsItsSubscribersToMove) {
  Start();
  Subscriber subscriber(at_a_.get());
  subscriber.Subscribe("p");
  a_->runtime().Drain();
  v1::SubscribeResponse response;
  ASSERT_TRUE(subscriber.Read(&response));
  EXPECT_TRUE(response.moving());
  EXPECT_EQ(subscriber.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace muster::service
