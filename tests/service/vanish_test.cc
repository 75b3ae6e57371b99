// Clients that vanish at any moment: nothing crashes, and nothing is left.
#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/service/test_node.h"

namespace muster::service {
namespace {

void Pause(std::mt19937* random) {
  std::this_thread::sleep_for(std::chrono::microseconds((*random)() % 3000));
}

void SessionThatVanishes(v1::Presence::Stub* stub, std::mt19937* random) {
  SessionsClient stream(stub);
  std::thread canceller([&stream, random_copy = *random]() mutable {
    Pause(&random_copy);
    stream.Cancel();
  });
  v1::SessionsResponse response;
  for (uint64_t number = 1; number < 20; ++number) {
    v1::SessionsRequest request;
    request.set_number(number);
    for (uint32_t slot = 0; slot < 20; ++slot) {
      v1::SessionPart* part = request.add_parts();
      part->set_slot(slot);
      if (number == 1) part->mutable_open();
      part->add_track()->set_topic("t");
      part->mutable_track(0)->set_key(std::to_string((*random)()));
    }
    if (!stream.Write(request)) break;
    if ((*random)() % 2 == 0 && !stream.Read(&response)) break;
  }
  canceller.join();
}

void WatchThatVanishes(v1::Presence::Stub* stub, std::mt19937* random) {
  Context context;
  v1::WatchRequest request;
  request.add_topics("t");
  const auto stream = stub->Watch(&context, request);
  std::thread canceller([&context, random_copy = *random]() mutable {
    Pause(&random_copy);
    context.TryCancel();
  });
  v1::WatchResponse response;
  while (stream->Read(&response)) {
  }
  stream->Finish();
  canceller.join();
}

void CallThatVanishes(v1::Presence::Stub* stub, std::mt19937* random) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::microseconds((*random)() % 1500));
  v1::ListRequest request;
  request.set_topic("t");
  v1::ListResponse response;
  stub->List(&context, request, &response);
}

void MemberWatchThatVanishes(v1::Cluster::Stub* stub, std::mt19937* random) {
  Context context;
  const auto stream = stub->WatchMembers(&context, {});
  Pause(random);
  context.TryCancel();
  stream->Finish();
}

TEST(VanishTest, ClientsThatCancelAtAnyMomentLeaveNothingBehind) {
  TestNode node("a");
  ASSERT_TRUE(node.WaitReady());
  constexpr int kThreads = 4;
  constexpr int kRounds = 60;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&node, i] {
      std::mt19937 random(i);
      auto presence = node.Presence();
      auto cluster = node.Cluster();
      for (int round = 0; round < kRounds; ++round) {
        switch (random() % 5) {
          case 0:
            WatchThatVanishes(presence.get(), &random);
            break;
          case 1:
            CallThatVanishes(presence.get(), &random);
            break;
          case 2:
            MemberWatchThatVanishes(cluster.get(), &random);
            break;
          case 3:
            // The whole connection with all that is on it.
            presence = node.Presence();
            break;
          default:
            SessionThatVanishes(presence.get(), &random);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(WaitFor([&] {
    const v1::StatusResponse status = node.Status();
    return status.entries() == 0 && status.watchers() == 0;
  })) << node.Status().DebugString();
}

TEST(VanishTest, ANodeThatStopsEndsEveryCall) {
  std::vector<std::thread> threads;
  std::atomic<int> running{0};
  {
    TestNode node("a");
    ASSERT_TRUE(node.WaitReady());
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&running, channel = node.Connect(), i] {
        const auto stub = v1::Presence::NewStub(channel);
        ++running;
        if (i % 2 == 0) {
          SessionsClient stream(stub.get());
          v1::SessionsRequest request;
          request.set_number(1);
          request.add_parts()->mutable_open();
          v1::SessionsResponse response;
          while (stream.Ask(request, &response)) {
            request.set_number(request.number() + 1);
          }
        } else {
          Context context;
          v1::WatchRequest request;
          request.add_topics("t");
          const auto stream = stub->Watch(&context, request);
          v1::WatchResponse response;
          while (stream->Read(&response)) {
          }
          EXPECT_FALSE(stream->Finish().ok());
        }
      });
    }
    ASSERT_TRUE(WaitFor([&] {
      return running == 8 && node.Status().sessions() == 4 &&
             node.Status().watchers() == 4;
    }));
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace muster::service
