// What tests do to the keys of a TestNode.
#ifndef MUSTER_TESTS_SERVICE_KV_CLIENT_H_
#define MUSTER_TESTS_SERVICE_KV_CLIENT_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "muster/v1/kv.grpc.pb.h"
#include "node/codec/kv_codec.h"
#include "tests/service/test_node.h"

namespace muster::service {

using Words = std::vector<std::string>;

inline v1::KvExecuteRequest CallOf(const std::vector<Words>& commands) {
  v1::KvExecuteRequest request;
  for (const Words& words : commands) {
    request.add_commands()->mutable_args()->Add(words.begin(), words.end());
  }
  return request;
}

// As redis-cli prints it.
inline std::string TextOf(const v1::KvValue& value) {
  commands::Reply reply;
  codec::AppendReply(value, reply);
  return commands::ToText(reply);
}

inline std::vector<std::string> TextsOf(const v1::KvExecuteResponse& response) {
  std::vector<std::string> texts;
  for (const v1::KvValue& value : response.values()) {
    texts.push_back(TextOf(value));
  }
  return texts;
}

class KvClient {
 public:
  explicit KvClient(const TestNode& node)
      : stub_(v1::Kv::NewStub(node.Connect())) {}

  v1::Kv::Stub* stub() { return stub_.get(); }

  grpc::Status Execute(const v1::KvExecuteRequest& request,
                       v1::KvExecuteResponse* response) {
    Context context;
    return stub_->Execute(&context, request, response);
  }
  // The values, or the error of the call.
  std::vector<std::string> Run(const v1::KvExecuteRequest& request) {
    v1::KvExecuteResponse response;
    const grpc::Status status = Execute(request, &response);
    if (!status.ok()) return {status.error_message()};
    return TextsOf(response);
  }
  // Of one command.
  std::string Do(const Words& command) { return Run(CallOf({command}))[0]; }

  // A typed call; the response is empty if it fails.
  template <class Request, class Response>
  grpc::Status Call(grpc::Status (v1::Kv::Stub::*method)(grpc::ClientContext*,
                                                         const Request&,
                                                         Response*),
                    const Request& request, Response* response) {
    Context context;
    return (stub_.get()->*method)(&context, request, response);
  }

 private:
  std::unique_ptr<v1::Kv::Stub> stub_;
};

}  // namespace muster::service

#endif  // MUSTER_TESTS_SERVICE_KV_CLIENT_H_
