// The states of a member, for people.
#ifndef MUSTER_NODE_CLI_MEMBER_TEXT_H_
#define MUSTER_NODE_CLI_MEMBER_TEXT_H_

#include "muster/v1/cluster.pb.h"

namespace muster::cli {

inline const char* StateText(v1::MemberState state) {
  switch (state) {
    case v1::MEMBER_STATE_ALIVE:
      return "alive";
    case v1::MEMBER_STATE_SUSPECT:
      return "suspect";
    case v1::MEMBER_STATE_DOWN:
      return "down";
    case v1::MEMBER_STATE_LEFT:
      return "left";
    default:
      return "unknown";
  }
}

}  // namespace muster::cli

#endif  // MUSTER_NODE_CLI_MEMBER_TEXT_H_
