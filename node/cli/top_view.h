// One frame of `muster top`, drawn from two samples of the cluster.
//
// Rates compare the samples; without an earlier sample they are left open. A
// node is *behind* by the changes that the streams' owners have made and the
// node has not yet applied. (The nodes are asked one after another, within
// milliseconds, so a few changes behind mean nothing under load.)
#ifndef MUSTER_NODE_CLI_TOP_VIEW_H_
#define MUSTER_NODE_CLI_TOP_VIEW_H_

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "muster/v1/cluster.pb.h"
#include "muster/v1/presence.pb.h"

namespace muster::cli {

struct TopSample {
  absl::Time at;
  std::string asked;  // The address that the members come from.
  std::vector<v1::Member> members;
  // The statuses of the nodes that answered, by address.
  std::map<std::string, v1::StatusResponse> statuses;
  // The topics looked at, in byte order; `more_topics`: there are others.
  std::vector<v1::TopicCount> topics;
  bool more_topics = false;
};

struct ScreenSize {
  size_t columns = 80;
  size_t rows = 24;
};

// Lines of at most `size.columns`, at most `size.rows` of them. `before` may
// be null.
std::vector<std::string> DrawTop(const TopSample& now, const TopSample* before,
                                 ScreenSize size);

}  // namespace muster::cli

#endif  // MUSTER_NODE_CLI_TOP_VIEW_H_
