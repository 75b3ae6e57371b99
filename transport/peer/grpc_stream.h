// Frame streams over gRPC: Peer.Link as raw bytes, so that the payload of a
// bulk frame goes from the log to the socket without being copied.
//
// Every outbound stream has a channel, and so a socket, of its own: a redial is
// never answered from another attempt's back-off, nor sent down a TCP
// connection that is itself waiting to retransmit.
//
// Threads: as frame_stream.h. gRPC's callbacks run on gRPC's threads.
#ifndef MUSTER_TRANSPORT_PEER_GRPC_STREAM_H_
#define MUSTER_TRANSPORT_PEER_GRPC_STREAM_H_

#include <grpcpp/impl/codegen/service_type.h>

#include <functional>
#include <memory>
#include <string>

#include "transport/peer/frame_stream.h"

namespace muster::peer {

std::unique_ptr<Connector> MakeGrpcConnector();

// HOST:PORT of a peer that gRPC calls "ipv4:10.0.0.1:4711" or
// "ipv6:%5B::1%5D:4711".
std::string RemoteAddress(const std::string& peer);

// Called on a gRPC thread for every Link call that comes in. `remote` is
// HOST:PORT. The stream must be started, at once or later, or cancelled.
using AcceptStream = std::function<void(std::shared_ptr<FrameStream> stream,
                                        const std::string& remote)>;

// The Peer service, to be registered with the node's servers. `accept` must
// stay valid until they are shut down.
std::unique_ptr<grpc::Service> MakeGrpcPeerService(AcceptStream accept);

}  // namespace muster::peer

#endif  // MUSTER_TRANSPORT_PEER_GRPC_STREAM_H_
