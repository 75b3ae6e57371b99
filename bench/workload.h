// The work of the presence benchmarks, encoded before the clock starts.
//
// Entry i of a load is
//   topic `topic:%04d` of i mod topics, key `user:%07d` of i, meta 64 bytes,
// and belongs to session i / per_session. Sessions are dealt to the streams in
// turn; a message opens as many sessions as fill it and tracks their entries.
//
//   1,000,000 entries = 100,000 sessions = 8 streams x 250 messages of 500
//
// Messages are kept as wire bytes and may be sent any number of times: they
// name sessions by slot, never by token.
#ifndef MUSTER_BENCH_WORKLOAD_H_
#define MUSTER_BENCH_WORKLOAD_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <string>
#include <vector>

#include "muster/v1/presence.pb.h"

namespace muster::bench {

struct LoadOptions {
  size_t entries = 100'000;
  size_t topics = 1'000;
  size_t per_session = 10;
  size_t streams = 8;
  size_t ops_per_message = 500;
};

struct EncodedMessage {
  grpc::ByteBuffer bytes;
  size_t tracks = 0;
};
// For each stream its messages, in order; message m carries number m + 1.
using Load = std::vector<std::vector<EncodedMessage>>;

std::string TopicName(size_t topic);
std::string UserKey(size_t user);
// 64 bytes of JSON.
std::string UserMeta(size_t user);

Load BuildLoad(const LoadOptions& options);

grpc::ByteBuffer Encode(const v1::SessionsRequest& request);

// What a SessionsResponse says, read from its wire bytes without building it.
struct Answer {
  uint64_t number = 0;
  size_t tracked = 0;
  size_t errors = 0;  // Parts, operations and sessions that failed.
};
// Returns false if the bytes are not a SessionsResponse.
bool ReadAnswer(const grpc::ByteBuffer& bytes, Answer& answer);
// The first error of an answer that has one, for people.
std::string FirstError(const grpc::ByteBuffer& bytes);

}  // namespace muster::bench

#endif  // MUSTER_BENCH_WORKLOAD_H_
