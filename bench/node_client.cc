#include "bench/node_client.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/sessions_stream.h"

namespace muster::bench {
namespace {

void MustBeOk(const grpc::Status& status, absl::string_view call) {
  if (!status.ok()) {
    Die(absl::StrCat(call, " failed: ", status.error_message()));
  }
}

Holding HoldingOf(const v1::StatusResponse& status) {
  Holding holding;
  for (const v1::StreamStatus& stream : status.streams()) {
    if (stream.seq() == 0) continue;
    holding[absl::StrCat(stream.life_id(), stream.kind())] = {stream.seq(),
                                                              stream.digest()};
  }
  return holding;
}

}  // namespace

NodeClient::NodeClient(const std::string& address)
    : address_(address),
      channel_(Connect(address)),
      presence_(v1::Presence::NewStub(channel_)),
      cluster_(v1::Cluster::NewStub(channel_)) {}

v1::StatusResponse NodeClient::Status() {
  grpc::ClientContext context;
  v1::StatusResponse response;
  MustBeOk(cluster_->Status(&context, {}, &response), "Status");
  return response;
}

Holding NodeClient::Holds() { return HoldingOf(Status()); }

uint64_t NodeClient::CountAll() {
  grpc::ClientContext context;
  v1::CountResponse response;
  MustBeOk(presence_->Count(&context, {}, &response), "Count");
  return response.entries();
}

uint64_t NodeClient::CountTopic(const std::string& topic) {
  grpc::ClientContext context;
  v1::CountRequest request;
  v1::CountResponse response;
  request.set_topic(topic);
  MustBeOk(presence_->Count(&context, request, &response), "Count");
  return response.entries();
}

size_t NodeClient::ListPage(const std::string& topic, uint32_t page_size,
                            std::string* page_token) {
  v1::ListRequest request;
  v1::ListResponse response;
  request.set_topic(topic);
  request.set_page_size(page_size);
  if (page_token != nullptr) request.set_page_token(*page_token);
  List(request, &response);
  if (page_token != nullptr) *page_token = response.next_page_token();
  return response.entries_size();
}

void NodeClient::List(const v1::ListRequest& request,
                      v1::ListResponse* response) {
  grpc::ClientContext context;
  MustBeOk(presence_->List(&context, request, response), "List");
}

void WaitLinked(const std::vector<NodeClient*>& nodes) {
  WaitUntil("the nodes to link", absl::Seconds(20), [&nodes] {
    for (NodeClient* node : nodes) {
      const v1::StatusResponse status = node->Status();
      if (!status.ready() || status.links() + 1 < nodes.size()) return false;
    }
    return true;
  });
}

Nanos WaitEqual(NodeClient& one, NodeClient& other, uint64_t entries) {
  return WaitUntil("equal nodes", absl::Minutes(2), [&] {
    const v1::StatusResponse mine = one.Status();
    if (mine.entries() < entries) return false;
    const Holding holding = HoldingOf(mine);
    return !holding.empty() && holding == other.Holds();
  });
}

}  // namespace muster::bench
