// A whole node in this process, on a free port of 127.0.0.1, and what tests do
// to it as a client.
#ifndef MUSTER_TESTS_SERVICE_TEST_NODE_H_
#define MUSTER_TESTS_SERVICE_TEST_NODE_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "muster/v1/cluster.grpc.pb.h"
#include "muster/v1/presence.grpc.pb.h"
#include "node/runtime/runtime.h"
#include "node/service/client_services.h"

namespace muster::service {

// No test waits longer than this for anything.
inline constexpr std::chrono::seconds kPatience{20};

// Until `condition` holds; false if it never does.
inline bool WaitFor(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

class TestNode {
 public:
  explicit TestNode(const std::string& name, std::vector<std::string> join = {},
                    Limits limits = {},
                    std::function<void(RuntimeOptions&)> adjust = {},
                    std::string admin_token = "") {
    RuntimeOptions options;
    options.listen = "127.0.0.1:0";
    options.core.node = name;
    options.core.join = std::move(join);
    if (adjust) adjust(options);
    runtime_ = std::make_unique<Runtime>(options);
    services_ = std::make_unique<ClientServices>(
        ServiceOptions{name, "muster", "test", limits, std::move(admin_token)},
        runtime_.get());
    const absl::Status status =
        runtime_->Start(services_->all(), services_->sink());
    EXPECT_TRUE(status.ok()) << status;
  }
  ~TestNode() { runtime_.reset(); }

  std::string address() const { return runtime_->listen_address(); }
  Runtime& runtime() { return *runtime_; }
  ClientServices& services() { return *services_; }

  // A connection of its own.
  std::shared_ptr<grpc::Channel> Connect() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(
        address(), grpc::InsecureChannelCredentials(), arguments);
  }
  std::unique_ptr<v1::Presence::Stub> Presence() const {
    return v1::Presence::NewStub(Connect());
  }
  std::unique_ptr<v1::Cluster::Stub> Cluster() const {
    return v1::Cluster::NewStub(Connect());
  }

  v1::StatusResponse Status() {
    v1::StatusResponse status;
    grpc::ClientContext context;
    EXPECT_TRUE(Cluster()->Status(&context, {}, &status).ok());
    return status;
  }
  bool WaitReady() {
    return WaitFor([this] { return Status().ready(); });
  }

 private:
  std::unique_ptr<ClientServices> services_;
  std::unique_ptr<Runtime> runtime_;
};

// A context with a deadline, so that no call hangs a test.
class Context : public grpc::ClientContext {
 public:
  Context() { set_deadline(std::chrono::system_clock::now() + kPatience); }
};

// A Session or Sessions stream.
template <class Request, class Response>
class TestStream {
 public:
  using Stream = grpc::ClientReaderWriter<Request, Response>;
  template <class Open>
  explicit TestStream(Open open) : stream_(open(&context_)) {}
  ~TestStream() {
    context_.TryCancel();
    if (stream_) stream_->Finish();
  }
  bool Write(const Request& request) { return stream_->Write(request); }
  bool Read(Response* response) { return stream_->Read(response); }
  // Sends and reads the answer.
  bool Ask(const Request& request, Response* response) {
    return Write(request) && Read(response);
  }
  void HalfClose() { stream_->WritesDone(); }
  // Reads what is left; the status of the call.
  grpc::Status Finish() {
    Response response;
    while (stream_->Read(&response)) {
    }
    const grpc::Status status = stream_->Finish();
    stream_.reset();
    return status;
  }
  void Cancel() { context_.TryCancel(); }

 private:
  Context context_;
  std::unique_ptr<Stream> stream_;
};

class SessionClient
    : public TestStream<v1::SessionRequest, v1::SessionResponse> {
 public:
  explicit SessionClient(v1::Presence::Stub* stub)
      : TestStream([stub](grpc::ClientContext* context) {
          return stub->Session(context);
        }) {}
  // Opens; the token.
  std::string Open(uint32_t grace_ms = 0) {
    v1::SessionRequest request;
    request.mutable_open()->set_grace_ms(grace_ms);
    v1::SessionResponse response;
    EXPECT_TRUE(Ask(request, &response));
    return response.opened().token();
  }
  // The ref, or "" if it failed.
  std::string Track(const std::string& topic, const std::string& key,
                    const std::string& meta = "") {
    v1::SessionRequest request;
    v1::TrackOp* op = request.add_track();
    op->set_topic(topic);
    op->set_key(key);
    op->set_meta(meta);
    v1::SessionResponse response;
    EXPECT_TRUE(Ask(request, &response));
    return response.tracked_refs_size() == 1 ? response.tracked_refs(0) : "";
  }
};

class SessionsClient
    : public TestStream<v1::SessionsRequest, v1::SessionsResponse> {
 public:
  explicit SessionsClient(v1::Presence::Stub* stub)
      : TestStream([stub](grpc::ClientContext* context) {
          return stub->Sessions(context);
        }) {}
};

inline uint64_t CountOf(v1::Presence::Stub* stub, const std::string& topic) {
  v1::CountRequest request;
  if (!topic.empty()) request.set_topic(topic);
  v1::CountResponse response;
  Context context;
  const grpc::Status status = stub->Count(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.entries();
}

}  // namespace muster::service

#endif  // MUSTER_TESTS_SERVICE_TEST_NODE_H_
