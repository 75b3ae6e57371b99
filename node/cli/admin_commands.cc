// evict, forget: orders of administrators to the cluster.
#include <string>

#include "muster/v1/cluster.grpc.pb.h"
#include "muster/v1/presence.grpc.pb.h"
#include "node/cli/client_command.h"
#include "node/cli/text.h"

namespace muster::cli {
namespace {

// Prints the nodes that were not reached. Any such node makes the exit code
// kAnswerIsNo.
template <class Response>
ExitCode SayUnreached(const ClientCommand& command, const Response& response) {
  for (const std::string& who : response.unreached()) {
    command.err << "muster: not reached: " << Printable(who) << '\n';
  }
  return response.unreached().empty() ? kDone : kAnswerIsNo;
}

}  // namespace

ExitCode RunEvict(const ClientCommand& command) {
  v1::EvictRequest request;
  request.set_topic(command.line.topic);
  request.set_key(command.line.key);
  request.set_reason(command.line.reason);
  v1::EvictResponse response;
  const absl::Status status =
      command.connection.Call(&v1::Presence::Stub::Evict, request, &response);
  if (!status.ok()) return Report(status, command.err);
  if (response.entries() == 0 && response.unreached().empty()) {
    command.err << "muster: key \"" << Printable(command.line.key)
                << "\" is not present in topic \""
                << Printable(command.line.topic) << "\"\n";
    return kAnswerIsNo;
  }
  command.out << "evicted " << response.entries() << std::endl;
  return SayUnreached(command, response);
}

ExitCode RunForget(const ClientCommand& command) {
  v1::ForgetRequest request;
  request.set_node(command.line.node);
  v1::ForgetResponse response;
  const absl::Status status =
      command.connection.Call(&v1::Cluster::Stub::Forget, request, &response);
  if (!status.ok()) return Report(status, command.err);
  command.out << "forgot " << Printable(command.line.node) << std::endl;
  return SayUnreached(command, response);
}

}  // namespace muster::cli
