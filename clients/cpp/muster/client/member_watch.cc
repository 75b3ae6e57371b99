#include "muster/client/member_watch.h"

#include "muster/v1/cluster.grpc.pb.h"

namespace muster::client {

MemberWatch::MemberWatch(Connection* connection, absl::Duration give_up)
    : runner_(connection, give_up) {}

absl::Status MemberWatch::Run(const Observer& observer) {
  return runner_.Run(
      [&](const std::shared_ptr<grpc::Channel>& channel,
          grpc::ClientContext* context, const StreamRunner::Served& served) {
        const auto stream = v1::Cluster::NewStub(channel)->WatchMembers(
            context, v1::WatchMembersRequest());
        v1::WatchMembersResponse message;
        while (stream->Read(&message)) {
          served();
          observer.on_members(message);
        }
        return FromGrpc(stream->Finish());
      },
      observer.on_note);
}

}  // namespace muster::client
