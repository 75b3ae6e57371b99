// The unary calls that the benchmarks make of one node, and what they ask of
// a whole cluster: is it up, is it equal.
#ifndef MUSTER_BENCH_NODE_CLIENT_H_
#define MUSTER_BENCH_NODE_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "bench/base.h"
#include "muster/v1/cluster.grpc.pb.h"
#include "muster/v1/presence.grpc.pb.h"

namespace muster::bench {

// What a node holds: for each stream with anything in it its (seq, digest).
// Two nodes are equal if theirs are.
using Holding = absl::btree_map<std::string, std::pair<uint64_t, uint64_t>>;

// Thread-safe, as a stub is.
class NodeClient {
 public:
  explicit NodeClient(const std::string& address);

  const std::string& address() const { return address_; }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  v1::Presence::Stub& presence() { return *presence_; }

  // These die if the node does not answer.
  v1::StatusResponse Status();
  Holding Holds();
  uint64_t CountAll();
  uint64_t CountTopic(const std::string& topic);
  // A page of `topic`, of at most `page_size`; its size. `page_token`, if any,
  // is moved on.
  size_t ListPage(const std::string& topic, uint32_t page_size,
                  std::string* page_token);
  void List(const v1::ListRequest& request, v1::ListResponse* response);

 private:
  const std::string address_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Presence::Stub> presence_;
  std::unique_ptr<v1::Cluster::Stub> cluster_;
};

// Until each of the nodes is ready and linked to all the others.
void WaitLinked(const std::vector<NodeClient*>& nodes);
// Until both hold the same, `entries` of them at least; when that was seen.
Nanos WaitEqual(NodeClient& one, NodeClient& other, uint64_t entries);

}  // namespace muster::bench

#endif  // MUSTER_BENCH_NODE_CLIENT_H_
