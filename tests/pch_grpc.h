// The same for tests that see gRPC.
#ifndef MUSTER_TESTS_PCH_GRPC_H_
#define MUSTER_TESTS_PCH_GRPC_H_

#include <grpcpp/grpcpp.h>

#include "muster/v1/cluster.grpc.pb.h"
#include "muster/v1/presence.grpc.pb.h"
#include "muster/v1/pubsub.grpc.pb.h"

#endif  // MUSTER_TESTS_PCH_GRPC_H_
