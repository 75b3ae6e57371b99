// Counters of the peer transport, for `status` and metrics.
//
// Threads. The loop thread counts; any thread reads.
#ifndef MUSTER_TRANSPORT_PEER_COUNTERS_H_
#define MUSTER_TRANSPORT_PEER_COUNTERS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace muster::peer {

enum class Counter : size_t {
  kBadDatagrams,
  kBadFrames,
  kBeatSendErrors,
  kBeatsReceived,
  kBeatsSent,
  kBytesReceived,
  kBytesSent,
  kDials,
  kForeignDatagrams,
  kFramesReceived,
  kFramesSent,
  kHelloProbes,
  kLinksDown,
  // All, then by RefusalReason, in its order.
  kLinksRefused,
  kLinksRefusedByPeer,
  kLinksRefusedClosing,
  kLinksRefusedCluster,
  kLinksRefusedInsecure,
  kLinksRefusedLimit,
  kLinksRefusedMalformed,
  kLinksRefusedProtocol,
  kLinksRefusedSecret,
  kLinksUp,
  kProbes,
  kQueueOverflows,
  kUnprovedDatagrams,
  kCount,
};

class Counters {
 public:
  void Add(Counter counter, uint64_t n = 1) {
    values_[static_cast<size_t>(counter)].fetch_add(n,
                                                    std::memory_order_relaxed);
  }
  uint64_t Get(Counter counter) const {
    return values_[static_cast<size_t>(counter)].load(
        std::memory_order_relaxed);
  }
  // By name, in byte order.
  std::vector<std::pair<std::string, uint64_t>> All() const {
    static constexpr std::array<const char*,
                                static_cast<size_t>(Counter::kCount)>
        kNames = {
            "peer_bad_datagrams",
            "peer_bad_frames",
            "peer_beat_send_errors",
            "peer_beats_received",
            "peer_beats_sent",
            "peer_bytes_received",
            "peer_bytes_sent",
            "peer_dials",
            "peer_foreign_datagrams",
            "peer_frames_received",
            "peer_frames_sent",
            "peer_hello_probes",
            "peer_links_down",
            "peer_links_refused",
            "peer_links_refused_by_peer",
            "peer_links_refused_closing",
            "peer_links_refused_cluster",
            "peer_links_refused_insecure",
            "peer_links_refused_limit",
            "peer_links_refused_malformed",
            "peer_links_refused_protocol",
            "peer_links_refused_secret",
            "peer_links_up",
            "peer_probes",
            "peer_queue_overflows",
            "peer_unproved_datagrams",
        };
    std::vector<std::pair<std::string, uint64_t>> all;
    all.reserve(kNames.size());
    for (size_t i = 0; i < kNames.size(); ++i) {
      all.emplace_back(kNames[i], Get(static_cast<Counter>(i)));
    }
    return all;
  }

 private:
  std::array<std::atomic<uint64_t>, static_cast<size_t>(Counter::kCount)>
      values_{};
};

}  // namespace muster::peer

#endif  // MUSTER_TRANSPORT_PEER_COUNTERS_H_
