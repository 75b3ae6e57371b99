// Streams between nodes of one process, in place of gRPC: every thread that
// touches them is instrumented, so ThreadSanitizer sees the whole transport.
//
// A MemoryNet knows who listens at which endpoint. Its handler calls come from
// its own threads, as gRPC's do.
#ifndef MUSTER_TESTS_TRANSPORT_MEMORY_STREAM_H_
#define MUSTER_TESTS_TRANSPORT_MEMORY_STREAM_H_

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "node/mutex.h"
#include "transport/peer/frame_stream.h"
#include "transport/peer/peer_transport.h"

namespace muster::peer {

class MemoryNet {
 public:
  MemoryNet();
  // The nodes must be stopped by then.
  ~MemoryNet();

  // A null transport: connections are refused.
  void Listen(const asio::ip::tcp::endpoint& at, PeerTransport* transport);
  std::unique_ptr<Connector> MakeConnector();
  // How often `endpoint` was dialled.
  size_t Dials(const asio::ip::tcp::endpoint& endpoint);
  // Breaks every open stream, as a reset of its connection would.
  void BreakAll();

  // Runs `call` on one of the net's threads.
  void Later(absl::AnyInvocable<void()> call);

 private:
  class Stream;
  class NetConnector;
  struct Wire;

  PeerTransport* At(const asio::ip::tcp::endpoint& endpoint);
  void Work();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<asio::ip::tcp::endpoint, PeerTransport*> listening_;
  std::map<asio::ip::tcp::endpoint, size_t> dials_;
  std::vector<std::weak_ptr<Wire>> wires_;
  std::deque<absl::AnyInvocable<void()>> calls_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace muster::peer

#endif  // MUSTER_TESTS_TRANSPORT_MEMORY_STREAM_H_
