// Keys of a cluster: Redis' commands at any of its nodes.
//
//   Kv kv(&connection);
//   absl::Status set = kv.Set("greeting", "hello");
//   absl::StatusOr<std::optional<std::string>> value = kv.Get("greeting");
//   absl::StatusOr<v1::KvValue> list = kv.Read({"LRANGE", "l", "0", "-1"});
//
// A call that a node has not executed (UNAVAILABLE) is sent to the next one. If
// a node may have executed it, a read is sent again, and a write fails:
//   ABORTED   "the outcome is unknown …"
// All other errors are the nodes' own: see muster/v1/kv.proto.
//
// Invariant: a read sees what any call of this object was answered before, at
// whatever node; the node that is asked waits for it.
//
// Threads: safe to be used by several at once; calls block.
#ifndef MUSTER_CLIENT_KV_H_
#define MUSTER_CLIENT_KV_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "muster/client/connection.h"
#include "muster/v1/kv.grpc.pb.h"

namespace muster::client {

class Kv {
 public:
  struct Options {
    uint32_t db = 0;
    // Reads, too, run at the leader.
    bool at_leader = false;
    // Limit of one call at one node, beside what it waits for an element.
    absl::Duration timeout = absl::Seconds(10);
  };

  // `connection` outlives the object.
  Kv(Connection* connection, Options options);
  explicit Kv(Connection* connection) : Kv(connection, Options()) {}

  using Words = std::vector<std::string>;
  // Commands of any kind; `policy` says whether they may be run twice.
  // `request.options` is filled in, except for `db` where it is set.
  absl::StatusOr<v1::KvExecuteResponse> Execute(v1::KvExecuteRequest request,
                                                const CallPolicy& policy);
  // One command; its error is a value. Read: it changes nothing.
  absl::StatusOr<v1::KvValue> Write(const Words& command);
  absl::StatusOr<v1::KvValue> Read(const Words& command);

  // ---- the usual ones; errors of the command are statuses
  absl::StatusOr<std::optional<std::string>> Get(const std::string& key);
  absl::Status Set(const std::string& key, const std::string& value);
  absl::Status SetEx(const std::string& key, const std::string& value,
                     absl::Duration expiry);  // Whole seconds.
  absl::StatusOr<bool> Expire(const std::string& key, absl::Duration expiry);
  absl::StatusOr<bool> Exists(const std::string& key);
  absl::StatusOr<int64_t> Del(const Words& keys);
  absl::StatusOr<int64_t> Incr(const std::string& key);
  absl::StatusOr<int64_t> Decr(const std::string& key);

  // True: the field is new.
  absl::StatusOr<bool> HSet(const std::string& key, const std::string& field,
                            const std::string& value);
  absl::StatusOr<std::optional<std::string>> HGet(const std::string& key,
                                                  const std::string& field);
  absl::StatusOr<std::map<std::string, std::string>> HGetAll(
      const std::string& key);
  absl::StatusOr<bool> HDel(const std::string& key, const std::string& field);
  absl::StatusOr<int64_t> HIncrBy(const std::string& key,
                                  const std::string& field, int64_t increment);

  absl::StatusOr<int64_t> SAdd(const std::string& key, const Words& members);
  absl::StatusOr<int64_t> SRem(const std::string& key, const Words& members);
  absl::StatusOr<Words> SMembers(const std::string& key);

  // The length after it.
  absl::StatusOr<int64_t> LPush(const std::string& key, const Words& values);
  absl::StatusOr<int64_t> RPush(const std::string& key, const Words& values);
  absl::StatusOr<std::optional<std::string>> LPop(const std::string& key);
  absl::StatusOr<std::optional<std::string>> RPop(const std::string& key);
  // Key and value; nothing once `timeout` is over. Infinite: waits for ever.
  absl::StatusOr<std::optional<std::pair<std::string, std::string>>> BRPop(
      const Words& keys, absl::Duration timeout);

  // Ends all calls, those under way with CANCELLED, and all later ones. From
  // any thread.
  void Cancel();

 private:
  template <class Request, class Response>
  using Method = grpc::Status (v1::Kv::Stub::*)(grpc::ClientContext*,
                                                const Request&, Response*);
  template <class Request, class Response>
  absl::Status Call(Method<Request, Response> method, Request& request,
                    Response* response, const CallPolicy& policy);
  // The value of the response.
  template <class Request, class Response>
  auto Ask(Method<Request, Response> method, Request request, bool reads);
  v1::KvKeyRequest OfKey(const std::string& key) const;
  absl::StatusOr<v1::KvValue> One(const Words& command, bool reads);

  bool Enter(grpc::ClientContext* context);
  void Leave(grpc::ClientContext* context);
  void Fill(v1::KvOptions* options) const;
  void Note(const v1::KvPosition& position);

  Connection* const connection_;
  const Options options_;

  mutable absl::Mutex mutex_;
  // The furthest that an answer has told of.
  v1::KvPosition seen_ ABSL_GUARDED_BY(mutex_);
  std::set<grpc::ClientContext*> calls_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace muster::client

#endif  // MUSTER_CLIENT_KV_H_
