// Keys on one node and on three, beside a real redis-server in the same run;
// see docs/benchmarks.md.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "bench/cluster.h"
#include "bench/empty_server.h"
#include "bench/redis_peer.h"
#include "bench/report.h"
#include "muster/v1/kv.grpc.pb.h"

namespace muster::bench {
namespace {

using Words = std::vector<std::string>;
// The words of a command; `i` numbers it.
using MakeCommand = std::function<Words(size_t i)>;

constexpr char kExecute[] = "/muster.v1.Kv/Execute";
constexpr size_t kBatch = 100;
// Calls under way: of batches, and of single operations.
constexpr size_t kBatchesInFlight = 8;
constexpr size_t kSinglesInFlight = 16;
// Distinct keys, as redis-benchmark -r has it, and requests made beforehand: as
// it does, so that to make them is not measured.
constexpr size_t kKeys = 100'000;
constexpr size_t kMade = 1'000;

grpc::ByteBuffer ToBuffer(const google::protobuf::Message& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

std::string KeyOf(absl::string_view prefix, size_t i) {
  // Spread over all keys by a multiplier that is prime to their number.
  return absl::StrCat(prefix, absl::Dec(i * 7'919 % kKeys, absl::kZeroPad12));
}

std::vector<grpc::ByteBuffer> Batches(const MakeCommand& make) {
  std::vector<grpc::ByteBuffer> made;
  for (size_t n = 0; n < kMade; ++n) {
    v1::KvExecuteRequest request;
    for (size_t i = 0; i < kBatch; ++i) {
      const Words words = make(n * kBatch + i);
      request.add_commands()->mutable_args()->Add(words.begin(), words.end());
    }
    made.push_back(ToBuffer(request));
  }
  return made;
}

// A client that keeps some calls under way, of requests that are bytes.
class Caller {
 public:
  Caller(const std::string& address, std::string method)
      : method_(std::move(method)), stub_(ChannelTo(address)) {}

  // Makes `count` calls with the requests in turn; nanoseconds that took.
  Nanos Run(const std::vector<grpc::ByteBuffer>& requests, size_t count,
            size_t in_flight) {
    const Nanos begun = Clock();
    for (size_t i = 0; i < count; ++i) {
      Await(in_flight - 1);
      Start(requests[i % requests.size()]);
    }
    Await(0);
    return Clock() - begun;
  }

 private:
  struct Call {
    grpc::ClientContext context;
    grpc::ByteBuffer response;
  };
  static std::shared_ptr<grpc::Channel> ChannelTo(const std::string& address) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(
        address, grpc::InsecureChannelCredentials(), arguments);
  }
  void Start(const grpc::ByteBuffer& request) {
    {
      absl::MutexLock lock(&mutex_);
      ++under_way_;
    }
    auto* call = new Call;
    stub_.UnaryCall(
        &call->context, method_, grpc::StubOptions(), &request, &call->response,
        [this, call](const grpc::Status& status) {
          if (!status.ok()) {
            Die(absl::StrCat(method_, ": ", status.error_message()));
          }
          delete call;
          absl::MutexLock lock(&mutex_);
          --under_way_;
        });
  }
  void Await(size_t calls) {
    absl::MutexLock lock(&mutex_);
    const auto few = [this, calls]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
      return under_way_ <= calls;
    };
    mutex_.Await(absl::Condition(&few));
  }

  const std::string method_;
  grpc::GenericStub stub_;
  absl::Mutex mutex_;
  size_t under_way_ ABSL_GUARDED_BY(mutex_) = 0;
};

double PerSecond(size_t count, Nanos time) {
  return static_cast<double>(count) / (static_cast<double>(time) / 1e9);
}

// Dies unless the node answers each of the commands with a value.
void CheckAnswers(const std::string& address, const grpc::ByteBuffer& request) {
  v1::KvExecuteRequest parsed;
  grpc::Slice slice;
  grpc::ByteBuffer copy(request);
  if (!copy.DumpToSingleSlice(&slice).ok() ||
      !parsed.ParseFromArray(slice.begin(), static_cast<int>(slice.size()))) {
    Die("a request cannot be read");
  }
  const auto stub = v1::Kv::NewStub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::KvExecuteResponse response;
  const grpc::Status status = stub->Execute(&context, parsed, &response);
  if (!status.ok()) Die(absl::StrCat("Execute: ", status.error_message()));
  if (response.values_size() != parsed.commands_size()) Die("answers missing");
  for (const v1::KvValue& value : response.values()) {
    if (value.kind_case() == v1::KvValue::kError) Die(value.error());
  }
}

// ------------------------------------------------------------------- Redis

// Requests a second of one of redis-benchmark's tests.
double RedisBenchmark(int port, const std::string& test, size_t requests) {
  const std::string command =
      absl::StrCat("redis-benchmark -h 127.0.0.1 -p ", port, " -P 16 -q --csv ",
                   "-r ", kKeys, " -n ", requests, " -t ", test);
  FILE* out = popen(command.c_str(), "r");
  if (out == nullptr) Die("redis-benchmark cannot be run");
  std::string text;
  char buffer[4096];
  while (std::fgets(buffer, sizeof(buffer), out) != nullptr) text += buffer;
  pclose(out);
  // "SET","123456.78","0.5",…
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<std::string> cells = absl::StrSplit(line, '"');
    double rate = 0;
    if (cells.size() > 3 && absl::SimpleAtod(cells[3], &rate)) return rate;
  }
  Die(absl::StrCat("redis-benchmark -t ", test, " printed no rate: ", text));
}

// ---------------------------------------------------------------- one node

struct Operation {
  std::string name;   // "set"
  std::string redis;  // The test of redis-benchmark.
  MakeCommand make;
};

std::vector<Operation> Operations() {
  return {
      {"set", "set",
       [](size_t i) {
         return Words{"SET", KeyOf("key:", i), "xxx"};
       }},
      {"get", "get",
       [](size_t i) {
         return Words{"GET", KeyOf("key:", i)};
       }},
      {"incr", "incr",
       [](size_t i) {
         return Words{"INCR", KeyOf("counter:", i)};
       }},
      {"hset", "hset",
       [](size_t i) {
         return Words{"HSET", "myhash", KeyOf("element:", i), "xxx"};
       }},
      {"lpush", "lpush",
       [](size_t) {
         return Words{"LPUSH", "mylist", "xxx"};
       }},
      {"rpop", "rpop",
       [](size_t) {
         return Words{"RPOP", "mylist"};
       }},
      {"zadd", "zadd",
       [](size_t i) {
         return Words{"ZADD", "myzset", absl::StrCat(i * 7'919 % kKeys),
                      KeyOf("element:", i)};
       }},
  };
}

void MeasureBatches(const Node& node, int redis, size_t commands,
                    Report& report) {
  Caller caller(node.process.address(), kExecute);
  for (const Operation& operation : Operations()) {
    Progress(absl::StrCat("batches of ", operation.name));
    const std::vector<grpc::ByteBuffer> requests = Batches(operation.make);
    CheckAnswers(node.process.address(), requests.front());
    const size_t calls = commands / kBatch;
    caller.Run(requests, calls / 10, kBatchesInFlight);
    const double ours = PerSecond(
        calls * kBatch, caller.Run(requests, calls, kBatchesInFlight));
    const double theirs = RedisBenchmark(redis, operation.redis, commands);
    report.Add(
        {absl::StrCat(operation.name, "_rate"),
         absl::StrCat(operation.name, ", 100 a call, 8 calls under way"), "/s"},
        1, ours, {});
    report.Add(
        {absl::StrCat("redis_", operation.name, "_rate"),
         absl::StrCat("redis-benchmark -P 16 -t ", operation.redis), "/s"},
        1, theirs, {});
    report.Add(
        {absl::StrCat(operation.name, "_ratio"), "of that, per cent", ""}, 1,
        100 * ours / theirs, Goal::AtLeast(100));
  }
}

void MeasureSingles(const Node& node, const EmptyServer& empty, size_t calls,
                    Report& report) {
  Progress("single calls, 16 under way");
  std::vector<grpc::ByteBuffer> sets;
  std::vector<grpc::ByteBuffer> gets;
  for (size_t i = 0; i < kMade; ++i) {
    v1::KvSetRequest set;
    set.set_key(KeyOf("key:", i));
    set.set_value("xxx");
    sets.push_back(ToBuffer(set));
    v1::KvKeyRequest get;
    get.set_key(set.key());
    gets.push_back(ToBuffer(get));
  }
  const auto rate = [&](const std::string& address, const char* method,
                        const std::vector<grpc::ByteBuffer>& requests) {
    Caller caller(address, method);
    caller.Run(requests, calls / 10, kSinglesInFlight);
    return PerSecond(calls, caller.Run(requests, calls, kSinglesInFlight));
  };
  const double nothing = rate(empty.address(), EmptyServer::kMethod, gets);
  const double set = rate(node.process.address(), "/muster.v1.Kv/Set", sets);
  const double get = rate(node.process.address(), "/muster.v1.Kv/Get", gets);
  report.Add({"empty_rate", "an empty unary call, 16 under way", "/s"}, 1,
             nothing, {});
  report.Add({"unary_set_rate", "Set", "/s"}, 1, set, {});
  report.Add({"unary_get_rate", "Get", "/s"}, 1, get, {});
  report.Add({"unary_set_ratio", "Set / empty call, per cent", ""}, 1,
             100 * set / nothing, Goal::AtLeast(85));
  report.Add({"unary_get_ratio", "Get / empty call, per cent", ""}, 1,
             100 * get / nothing, Goal::AtLeast(85));
}

// ------------------------------------------------------------- three nodes

struct Trio {
  explicit Trio(const Settings& settings)
      : a(StartNode(settings, "a", {})),
        b(StartNode(settings, "b", {a.get()})),
        c(StartNode(settings, "c", {a.get()})) {
    WaitLinked({&a->client, &b->client, &c->client});
  }
  // A node that follows, once both others do.
  const Node& Follower() {
    const Node* follower = nullptr;
    WaitUntil("one node leads and two follow", absl::Seconds(20), [&] {
      size_t following = 0;
      for (Node* node : {a.get(), b.get(), c.get()}) {
        const v1::KeyspaceStatus keyspace = node->client.Status().keyspace();
        if (keyspace.role() != v1::KEYSPACE_ROLE_FOLLOWING ||
            keyspace.exchanging()) {
          continue;
        }
        ++following;
        follower = node;
      }
      return following == 2;
    });
    return *follower;
  }
  std::unique_ptr<Node> a, b, c;
};

void MeasureFollower(Trio& trio, size_t commands, Report& report) {
  Progress("writes at a follower of three nodes");
  const Node& follower = trio.Follower();
  const std::vector<grpc::ByteBuffer> requests = Batches([](size_t i) {
    return Words{"SET", KeyOf("key:", i), "xxx"};
  });
  CheckAnswers(follower.process.address(), requests.front());
  Caller caller(follower.process.address(), kExecute);
  const size_t calls = commands / kBatch;
  caller.Run(requests, calls / 10, kBatchesInFlight);
  report.Add(
      {"follower_rate",
       "three nodes, SET at a follower, 100 a call, 8 under way", "/s"},
      3,
      PerSecond(calls * kBatch, caller.Run(requests, calls, kBatchesInFlight)),
      Goal::AtLeast(300'000));
  Samples samples;
  v1::KvSetRequest set;
  set.set_key("one");
  set.set_value("xxx");
  const std::vector<grpc::ByteBuffer> one = {ToBuffer(set)};
  Caller single(follower.process.address(), "/muster.v1.Kv/Set");
  single.Run(one, 200, 1);
  for (size_t i = 0; i < 3'000; ++i) samples.Add(single.Run(one, 1, 1));
  report.Add({"follower_p50", "the same, one at a time", "ms"}, 3,
             Millis(samples.Percentile(50)), Goal::AtMost(0.5));
  report.Add({"follower_p99", "the same, p99", "ms"}, 3,
             Millis(samples.Percentile(99)), Goal::AtMost(2));
}

int Main(int argc, char** argv) {
  CLI::App app("Benchmarks of keys on this machine, beside redis-server");
  Settings settings;
  std::string commit = "unknown";
  size_t commands = 2'000'000;
  bool json = false;
  app.add_option("--binary", settings.binary, "Path of `muster`")->required();
  app.add_option("--commit", commit, "Shown in the report");
  app.add_option("--runs", settings.runs, "Of which the median is shown")
      ->check(CLI::Range(1, 100));
  app.add_option("--commands", commands, "Of each row")
      ->check(CLI::Range(10'000, 100'000'000));
  app.add_flag("--json", json, "JSON as the last line");
  CLI11_PARSE(app, argc, argv);
  const EmptyServer empty;  // Before this process uses gRPC.
  Report report("kv", commit, "nodes");
  for (size_t run = 0; run < settings.runs; ++run) {
    {
      const RedisProcess redis;
      const std::unique_ptr<Node> node = StartNode(settings, "a", {});
      WaitLinked({&node->client});
      MeasureBatches(*node, redis.port(), commands, report);
      MeasureSingles(*node, empty, commands / 20, report);
    }
    Trio trio(settings);
    MeasureFollower(trio, commands, report);
  }
  std::fputs(report.Table().c_str(), stdout);
  if (json) std::puts(report.Json().c_str());
  return 0;
}

}  // namespace
}  // namespace muster::bench

int main(int argc, char** argv) { return muster::bench::Main(argc, argv); }
