#include "node/listener/file_limit.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <limits>

#include "node/listener/connections.h"

namespace muster {
namespace {

// The log, the event loop, gRPC's threads, name servers, probes.
constexpr size_t kOwnFiles = 64;
// Each guest has a duplicate descriptor, too.
constexpr size_t kGuestFiles =
    2 * (Connections::kMaxGuests + Connections::kMaxPeerGuests);
// For each member, and some more: a link, and another that comes or goes.
constexpr size_t kFilesOfPeer = 2;
constexpr size_t kMorePeers = 64;

}  // namespace

size_t RaiseFileLimit() {
  rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
    return std::numeric_limits<size_t>::max();
  }
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  return files.rlim_max;
}

size_t ClientPlaces(size_t wanted, size_t files, size_t max_members) {
  const size_t own = kOwnFiles + kGuestFiles;
  const size_t left = files > own ? files - own : 0;
  const size_t peers =
      std::min(kFilesOfPeer * (max_members + kMorePeers), left / 2);
  const size_t places = std::clamp<size_t>(left - peers, 1, wanted);
  if (places < wanted) {
    spdlog::warn(
        "--max-connections {}: this process may open only {} files (`ulimit "
        "-Hn`), of which {} are kept for peers and {} for the node itself; {} "
        "connections of clients are let in",
        wanted, files, peers, own, places);
  }
  return places;
}

}  // namespace muster
