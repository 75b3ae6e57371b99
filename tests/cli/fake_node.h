// A node for tests of the client library: a real gRPC server whose answers
// the test writes. Several share a world, as replicas would.
//
// Threads: all methods are safe to be called from any.
#ifndef MUSTER_TESTS_CLI_FAKE_NODE_H_
#define MUSTER_TESTS_CLI_FAKE_NODE_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "muster/v1/presence.grpc.pb.h"

namespace muster::client {

inline constexpr absl::Duration kDeadline = absl::Seconds(20);

// What all nodes know.
class FakeWorld {
 public:
  // A ref for a new entry.
  std::string Track(const v1::TrackOp& op);
  // The ref of the same entry with another meta; "" if there is none.
  std::string Update(const v1::UpdateOp& op);
  void Untrack(const std::string& ref);
  // "key meta" of each, in order.
  std::vector<std::string> Shown() const;
  bool Holds(const std::string& ref) const;
  // Of a key that was tracked once.
  std::string RefOf(const std::string& key) const;
  void Forget(const std::string& key);
  void EndSession(const std::string& token);
  bool HasEnded(const std::string& token) const;
  size_t entries() const;

 private:
  mutable absl::Mutex mutex_;
  int next_ ABSL_GUARDED_BY(mutex_) = 0;
  // Ref to key and meta.
  std::map<std::string, std::pair<std::string, std::string>> entries_
      ABSL_GUARDED_BY(mutex_);
  std::set<std::string> ended_ ABSL_GUARDED_BY(mutex_);
};

class FakeNode final : public v1::Presence::Service {
 public:
  FakeNode(std::string name, FakeWorld* world, int max_message_bytes = 4 << 20,
           const std::string& address = "127.0.0.1:0");
  ~FakeNode() override;

  const std::string& address() const { return address_; }
  // Ends every stream; refuses connections from then on.
  void Kill();
  // Tells sessions that the node is going away.
  void Drain();

  // Tells sessions that an administrator has removed the entry.
  void Evict(const std::string& key, const std::string& reason);

  // What Watch does, instead of answering UNIMPLEMENTED.
  using WatchScript =
      std::function<grpc::Status(const v1::WatchRequest&, grpc::ServerContext*,
                                 grpc::ServerWriter<v1::WatchResponse>*)>;
  void SetWatch(WatchScript script);
  // Keys that Track refuses.
  void Refuse(const std::string& key);

  // Operations that a message may have.
  void SetMaxBatch(int operations);
  // What Session and CloseSession answer instead of OK; of Session: from the
  // first track on.
  void FailTracks(grpc::Status status);
  void FailCloses(grpc::Status status);

  std::vector<v1::SessionRequest> requests() const;

  grpc::Status Session(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::SessionResponse, v1::SessionRequest>* stream)
      override;
  grpc::Status Resume(grpc::ServerContext* context,
                      const v1::ResumeRequest* request,
                      v1::ResumeResponse* response) override;
  grpc::Status CloseSession(grpc::ServerContext* context,
                            const v1::CloseSessionRequest* request,
                            v1::CloseSessionResponse* response) override;
  grpc::Status Watch(grpc::ServerContext* context,
                     const v1::WatchRequest* request,
                     grpc::ServerWriter<v1::WatchResponse>* writer) override;
  grpc::Status Count(grpc::ServerContext* context,
                     const v1::CountRequest* request,
                     v1::CountResponse* response) override;

  // What Count answers instead of OK.
  void SetCount(grpc::Status status);

 private:
  grpc::Status Answer(const v1::SessionRequest& request,
                      v1::SessionResponse* response)
      ABSL_LOCKS_EXCLUDED(mutex_);
  grpc::Status TrackAll(const v1::SessionRequest& request,
                        v1::SessionResponse* response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ChangeAll(const v1::SessionRequest& request,
                 v1::SessionResponse* response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string name_;
  FakeWorld* const world_;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;

  mutable absl::Mutex mutex_;
  WatchScript watch_ ABSL_GUARDED_BY(mutex_);
  grpc::Status count_ ABSL_GUARDED_BY(mutex_);
  int max_batch_ ABSL_GUARDED_BY(mutex_) = 1000;
  grpc::Status tracks_ ABSL_GUARDED_BY(mutex_);
  grpc::Status closes_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> refused_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::SessionRequest> requests_ ABSL_GUARDED_BY(mutex_);
  std::set<grpc::ServerReaderWriter<v1::SessionResponse, v1::SessionRequest>*>
      streams_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace muster::client

#endif  // MUSTER_TESTS_CLI_FAKE_NODE_H_
