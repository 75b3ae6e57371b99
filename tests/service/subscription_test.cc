// The C++ client's subscription against nodes of this process.
#include "muster/client/subscription.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/service/test_node.h"

namespace muster::service {
namespace {

using client::SubscribedName;
using client::Subscription;
using testing::ElementsAre;
using testing::HasSubstr;

class SubscriptionTest : public testing::Test {
 protected:
  SubscriptionTest() {
    a_ = std::make_unique<TestNode>("a");
    b_ = std::make_unique<TestNode>("b", std::vector{a_->address()});
    EXPECT_TRUE(a_->WaitReady() && b_->WaitReady());
    EXPECT_TRUE(WaitFor([this] { return a_->Status().links() == 1; }));
    client::ConnectionOptions options;
    options.addresses = {a_->address(), b_->address()};
    connection_ = std::make_unique<client::Connection>(std::move(options));
  }
  ~SubscriptionTest() override {
    if (subscription_) subscription_->Stop();
    if (runs_.joinable()) runs_.join();
  }

  void Run(Subscription::Options options) {
    subscription_ =
        std::make_unique<Subscription>(connection_.get(), std::move(options));
    runs_ = std::thread([this] {
      Subscription::Observer observer;
      observer.on_message = [this](const v1::PubSubMessage& message,
                                   uint64_t number) {
        Note(absl::StrCat(number, " ", message.channel(), " ",
                          message.payload()));
      };
      observer.on_missed = [this](std::optional<uint64_t> count) {
        Note(count ? absl::StrCat("missed ", *count) : "missed some");
      };
      observer.on_held = [this] { Note("held"); };
      observer.on_refused = [this](const SubscribedName& name,
                                   const absl::Status& status) {
        Note(
            absl::StrCat("refused ", name.name.size(), ": ", status.message()));
      };
      EXPECT_TRUE(subscription_->Run(observer).ok());
    });
  }
  void Note(std::string note) {
    absl::MutexLock lock(&mutex_);
    notes_.push_back(std::move(note));
  }
  std::vector<std::string> Notes() {
    absl::MutexLock lock(&mutex_);
    return notes_;
  }
  // What the observer was told, once it is so much.
  std::vector<std::string> FirstNotes(size_t count) {
    EXPECT_TRUE(WaitFor([&] { return Notes().size() >= count; }));
    return Notes();
  }

  void Publish(const TestNode& at, const std::string& channel,
               const std::string& payload) {
    v1::PublishRequest request;
    request.add_messages()->set_channel(channel);
    request.mutable_messages(0)->set_payload(payload);
    v1::PublishResponse response;
    Context context;
    const grpc::Status status = v1::PubSub::NewStub(at.Connect())
                                    ->Publish(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }

  std::unique_ptr<TestNode> a_;
  std::unique_ptr<TestNode> b_;
  std::unique_ptr<client::Connection> connection_;
  std::unique_ptr<Subscription> subscription_;

 private:
  absl::Mutex mutex_;
  std::vector<std::string> notes_ ABSL_GUARDED_BY(mutex_);
  std::thread runs_;
};

TEST_F(SubscriptionTest, MessagesOfAnyNodeAreNumbered) {
  Run({.channels = {"news"}, .patterns = {"chat.*"}});
  FirstNotes(1);
  Publish(*b_, "news", "x");
  Publish(*b_, "chat.1", "y");
  EXPECT_THAT(FirstNotes(3), ElementsAre("held", "1 news x", "2 chat.1 y"));
}

TEST_F(SubscriptionTest, ItHoldsAgainAtAnotherNodeAndTellsOfWhatMayBeMissed) {
  Run({.channels = {"news"}});
  FirstNotes(1);
  Publish(*b_, "news", "x");
  FirstNotes(2);
  a_.reset();
  FirstNotes(4);
  Publish(*b_, "news", "y");
  EXPECT_THAT(FirstNotes(5), ElementsAre("held", "1 news x", "missed some",
                                         "held", "2 news y"));
}

TEST_F(SubscriptionTest, NamesComeAndGoWhileItRuns) {
  Run({.channels = {"one"}});
  FirstNotes(1);
  subscription_->Add({"two", false});
  FirstNotes(2);
  Publish(*b_, "two", "x");
  FirstNotes(3);
  subscription_->Remove({"two", false});
  FirstNotes(4);
  Publish(*b_, "two", "y");
  Publish(*b_, "one", "z");
  EXPECT_THAT(FirstNotes(5),
              ElementsAre("held", "held", "1 two x", "held", "2 one z"));
}

TEST_F(SubscriptionTest, ARefusedNameIsReportedAndTheOthersHold) {
  Run({.channels = {"one", std::string(300, 'x')}});
  EXPECT_THAT(FirstNotes(2),
              ElementsAre(HasSubstr("refused 300: subscribe[1]"), "held"));
  Publish(*b_, "one", "x");
  EXPECT_THAT(FirstNotes(3).back(), "1 one x");
}

}  // namespace
}  // namespace muster::service
