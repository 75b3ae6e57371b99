// Pub/sub on two nodes, beside a real redis-server in the same run; see
// docs/benchmarks.md.
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "bench/cluster.h"
#include "bench/probes.h"
#include "bench/redis_peer.h"
#include "bench/report.h"
#include "muster/v1/pubsub.grpc.pb.h"

namespace muster::bench {
namespace {

constexpr size_t kBatch = 100;
constexpr size_t kPayload = 64;
// Batches that a publisher has under way, of ours and of Redis.
constexpr size_t kInFlight = 8;

// One Subscribe stream. What comes is told on a thread of gRPC.
class Listener final : public grpc::ClientBidiReactor<v1::SubscribeRequest,
                                                      v1::SubscribeResponse> {
 public:
  using OnMessages = std::function<void(const v1::SubscribeResponse&)>;
  Listener(v1::PubSub::Stub& stub, const std::string& channel,
           OnMessages on_messages)
      : on_messages_(std::move(on_messages)) {
    stub.async()->Subscribe(&context_, this);
    request_.set_number(1);
    request_.add_subscribe(channel);
    StartWrite(&request_);
    StartRead(&response_);
    StartCall();
  }
  ~Listener() override {
    context_.TryCancel();
    done_.WaitForNotification();
  }
  void WaitHeld() { held_.WaitForNotification(); }
  // Reads nothing from the next response on.
  void StopReading() { reading_ = false; }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    if (response_.number() != 0) held_.Notify();
    if (response_.messages_size() > 0) on_messages_(response_);
    if (reading_) StartRead(&response_);
  }
  void OnDone(const grpc::Status&) override { done_.Notify(); }

 private:
  grpc::ClientContext context_;
  const OnMessages on_messages_;
  v1::SubscribeRequest request_;
  v1::SubscribeResponse response_;
  std::atomic<bool> reading_{true};
  absl::Notification held_;
  absl::Notification done_;
};

std::unique_ptr<v1::PubSub::Stub> StubOf(const Node& node) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return v1::PubSub::NewStub(grpc::CreateCustomChannel(
      node.process.address(), grpc::InsecureChannelCredentials(), arguments));
}

v1::PublishRequest Batch(const std::string& channel, size_t count,
                         size_t payload = kPayload) {
  v1::PublishRequest request;
  for (size_t i = 0; i < count; ++i) {
    v1::PublishRequest::Message* message = request.add_messages();
    message->set_channel(channel);
    message->set_payload(std::string(payload, 'x'));
  }
  return request;
}

void Publish(v1::PubSub::Stub& stub, const v1::PublishRequest& request) {
  grpc::ClientContext context;
  v1::PublishResponse response;
  const grpc::Status status = stub.Publish(&context, request, &response);
  if (!status.ok()) Die(absl::StrCat("publish: ", status.error_message()));
}

// From before one publish at `at` until its subscriber at `to` has it.
Samples OneAtATime(const Node& at, const Node& to, size_t count) {
  const auto publisher = StubOf(at);
  const auto subscriber = StubOf(to);
  std::atomic<Nanos> heard{0};
  Listener listener(*subscriber, "single",
                    [&](const v1::SubscribeResponse&) { heard = Clock(); });
  listener.WaitHeld();
  const v1::PublishRequest request = Batch("single", 1);
  Samples samples;
  for (size_t i = 0; i < count; ++i) {
    heard = 0;
    const Nanos begun = Clock();
    Publish(*publisher, request);
    while (heard == 0) std::this_thread::yield();
    samples.Add(heard - begun);
  }
  return samples;
}

// A publisher that keeps some calls under way.
class Publisher {
 public:
  Publisher(v1::PubSub::Stub& stub, v1::PublishRequest request)
      : stub_(stub), request_(std::move(request)) {}
  ~Publisher() { Await(0); }

  // Returns once at most kInFlight calls are under way.
  void Publish() {
    {
      absl::MutexLock lock(&mutex_);
      ++under_way_;
    }
    auto* call = new Call;
    stub_.async()->Publish(
        &call->context, &request_, &call->response,
        [this, call](const grpc::Status& status) {
          if (!status.ok())
            Die(absl::StrCat("publish: ", status.error_message()));
          delete call;
          absl::MutexLock lock(&mutex_);
          --under_way_;
        });
    Await(kInFlight);
  }

 private:
  struct Call {
    grpc::ClientContext context;
    v1::PublishResponse response;
  };
  void Await(size_t calls) {
    absl::MutexLock lock(&mutex_);
    const auto few = [this, calls]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
      return under_way_ <= calls;
    };
    mutex_.Await(absl::Condition(&few));
  }

  v1::PubSub::Stub& stub_;
  const v1::PublishRequest request_;
  absl::Mutex mutex_;
  size_t under_way_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Messages a second from one publisher at `at`, in batches, to one channel and
// `subscribers` streams, half at each of `to`.
double Throughput(const Node& at, const std::vector<const Node*>& to,
                  size_t subscribers, size_t batches) {
  const auto stub = StubOf(at);
  std::vector<std::unique_ptr<v1::PubSub::Stub>> stubs;
  for (const Node* node : to) stubs.push_back(StubOf(*node));
  std::atomic<size_t> come{0};
  std::vector<std::unique_ptr<Listener>> listeners;
  for (size_t i = 0; i < subscribers; ++i) {
    listeners.push_back(std::make_unique<Listener>(
        *stubs[i % stubs.size()], "many",
        [&](const v1::SubscribeResponse& response) {
          come += static_cast<size_t>(response.messages_size());
        }));
  }
  for (const auto& listener : listeners) listener->WaitHeld();
  const size_t total = batches * kBatch * subscribers;
  const Nanos begun = Clock();
  {
    Publisher publisher(*stub, Batch("many", kBatch));
    for (size_t i = 0; i < batches; ++i) {
      publisher.Publish();
      // The bound of what waits is not what is measured.
      while ((i + 1) * kBatch * subscribers - come > (4u << 20) / kPayload) {
        std::this_thread::yield();
      }
    }
  }
  WaitUntil("all messages have come", absl::Seconds(60),
            [&] { return come >= total; });
  return static_cast<double>(total) /
         (static_cast<double>(Clock() - begun) / 1e9);
}

// The same of Redis: deliveries a second.
double RedisThroughput(int port, size_t subscribers, size_t batches) {
  RedisAudience audience(port, "many", subscribers);
  const size_t total = batches * kBatch * subscribers;
  Nanos end = 0;
  std::thread reader([&] { end = audience.ReadUntil(total); });
  const RedisConnection publisher = ConnectRedis(port);
  const std::string payload(kPayload, 'x');
  const Nanos begun = Clock();
  for (size_t i = 0; i < batches; ++i) {
    SendToRedis(publisher.get(), "many", payload, kBatch);
    if (i >= kInFlight) ReadFromRedis(publisher.get(), kBatch);
  }
  ReadFromRedis(publisher.get(), std::min(batches, kInFlight) * kBatch);
  reader.join();
  return static_cast<double>(total) / (static_cast<double>(end - begun) / 1e9);
}

double RedisLatency(int port, size_t count) {
  RedisAudience audience(port, "single", 1);
  const RedisConnection publisher = ConnectRedis(port);
  const std::string payload(kPayload, 'x');
  Samples samples;
  for (size_t i = 0; i < count; ++i) {
    const Nanos begun = Clock();
    SendToRedis(publisher.get(), "single", payload, 1);
    ReadFromRedis(publisher.get(), 1);
    samples.Add(audience.ReadUntil(1) - begun);
  }
  return Millis(samples.Percentile(50));
}

void MeasureLatency(const Pair& pair, int redis, Report& report) {
  constexpr size_t kCount = 2'000;
  Progress("one message at a time");
  Samples other = OneAtATime(*pair.a, *pair.b, kCount);
  report.Add({"other_node_p50", "publish until heard at the other node", "ms"},
             1, Millis(other.Percentile(50)), Goal::AtMost(0.5));
  report.Add({"other_node_p99", "the same, p99", "ms"}, 1,
             Millis(other.Percentile(99)), {});
  Samples same = OneAtATime(*pair.a, *pair.a, kCount);
  report.Add({"same_node_p50", "at the same node", "ms"}, 1,
             Millis(same.Percentile(50)), {});
  report.Add({"redis_p50", "Redis, by hiredis", "ms"}, 1,
             RedisLatency(redis, kCount), {});
}

void MeasureThroughput(const Pair& pair, int redis, Report& report) {
  constexpr size_t kBatches = 10'000;
  Progress("batches to one subscriber");
  const double other = Throughput(*pair.a, {pair.b.get()}, 1, kBatches);
  const double same = Throughput(*pair.a, {pair.a.get()}, 1, kBatches);
  const double theirs = RedisThroughput(redis, 1, kBatches);
  report.Add({"other_node_rate",
              "batches of 100, 8 under way, to the other node", "/s"},
             1, other, Goal::AtLeast(300'000));
  report.Add({"same_node_rate", "on one node", "/s"}, 1, same, {});
  report.Add({"redis_rate", "Redis, pipelines of 100, 8 under way", "/s"}, 1,
             theirs, {});
  report.Add({"same_node_ratio", "one node / Redis, per cent", ""}, 1,
             100 * same / theirs, Goal::AtLeast(100));
}

void MeasureFanOut(const Pair& pair, int redis, Report& report) {
  constexpr size_t kSubscribers = 1'000;
  constexpr size_t kBatches = 30;
  Progress("1,000 subscribers of one channel");
  const double ours =
      Throughput(*pair.a, {pair.a.get(), pair.b.get()}, kSubscribers, kBatches);
  const double theirs = RedisThroughput(redis, kSubscribers, kBatches);
  report.Add({"fan_out", "deliveries, 1,000 subscribers on two nodes", "/s"},
             kSubscribers, ours, Goal::AtLeast(50'000));
  report.Add({"redis_fan_out", "Redis, 1,000 subscribers", "/s"}, kSubscribers,
             theirs, {});
  report.Add({"fan_out_ratio", "two nodes / Redis, per cent", ""}, kSubscribers,
             100 * ours / theirs, {});
}

// A subscriber that never reads, of 20 MB a second that others do read.
void MeasureSlow(const Pair& pair, Report& report) {
  Progress("a subscriber that never reads");
  const auto stub = StubOf(*pair.a);
  const auto noise = StubOf(*pair.a);
  const v1::PublishRequest batch = Batch("flood", kBatch, 2 << 10);
  std::atomic<bool> stop{false};
  const auto flood = [&] {
    while (!stop) {
      Publish(*noise, batch);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  };
  Listener reads(*stub, "flood", [](const v1::SubscribeResponse&) {});
  reads.WaitHeld();
  std::thread alone(flood);
  Samples before = OneAtATime(*pair.a, *pair.b, 1'000);
  stop = true;
  alone.join();
  const auto slow_stub = StubOf(*pair.a);
  Listener slow(*slow_stub, "flood", [](const v1::SubscribeResponse&) {});
  slow.WaitHeld();
  slow.StopReading();
  RssProbe memory(pair.a->process);
  stop = false;
  std::thread beside(flood);
  Samples after = OneAtATime(*pair.a, *pair.b, 1'000);
  stop = true;
  beside.join();
  report.Add({"alone_p99", "others' p99, alone", "ms"}, 1,
             Millis(before.Percentile(99)), {});
  report.Add({"beside_slow_p99", "beside one that never reads", "ms"}, 1,
             Millis(after.Percentile(99)), {});
  report.Add({"slow_memory", "the node grew by", "MiB"}, 1,
             static_cast<double>(memory.Growth()) / (1 << 20),
             Goal::AtMost(64));
}

int Main(int argc, char** argv) {
  CLI::App app("Pub/sub benchmarks on this machine, beside redis-server");
  Settings settings;
  std::string commit = "unknown";
  bool json = false;
  app.add_option("--binary", settings.binary, "Path of `muster`")->required();
  app.add_option("--commit", commit, "Shown in the report");
  app.add_option("--runs", settings.runs, "Of which the median is shown")
      ->check(CLI::Range(1, 100));
  app.add_flag("--json", json, "JSON as the last line");
  CLI11_PARSE(app, argc, argv);
  Report report("pubsub", commit, "subscribers");
  for (size_t run = 0; run < settings.runs; ++run) {
    const RedisProcess redis;
    const Pair pair(settings);
    MeasureLatency(pair, redis.port(), report);
    MeasureThroughput(pair, redis.port(), report);
    MeasureFanOut(pair, redis.port(), report);
    MeasureSlow(pair, report);
  }
  std::fputs(report.Table().c_str(), stdout);
  if (json) std::puts(report.Json().c_str());
  return 0;
}

}  // namespace
}  // namespace muster::bench

int main(int argc, char** argv) { return muster::bench::Main(argc, argv); }
