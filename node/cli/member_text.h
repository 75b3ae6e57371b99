// The states of a member, for people.
#ifndef MUSTER_NODE_CLI_MEMBER_TEXT_H_
#define MUSTER_NODE_CLI_MEMBER_TEXT_H_

#include <string>

#include "absl/strings/str_cat.h"
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

// "3 alive, 1 down": the states that members are in.
inline std::string StatesText(const v1::StatusResponse& status) {
  std::string text;
  for (const char* state : {"alive", "suspect", "down", "left"}) {
    const auto at = status.members_by_state().find(state);
    if (at == status.members_by_state().end() || at->second == 0) continue;
    absl::StrAppend(&text, text.empty() ? "" : ", ", at->second, " ", state);
  }
  return text;
}

// A node's part in the keyspace; "-" if that is not known.
inline const char* RoleText(v1::KeyspaceRole role, bool exchanging) {
  switch (role) {
    case v1::KEYSPACE_ROLE_WAITING:
      return "waits";
    case v1::KEYSPACE_ROLE_GATHERING:
      return "gathers";
    case v1::KEYSPACE_ROLE_LEADING:
      return "leads";
    case v1::KEYSPACE_ROLE_FOLLOWING:
      return exchanging ? "catches up" : "follows";
    default:
      return "-";
  }
}

// Whether the member takes part in the cluster, as far as the reporting node
// can tell.
inline bool IsLiving(const v1::Member& member) {
  return member.state() != v1::MEMBER_STATE_DOWN &&
         member.state() != v1::MEMBER_STATE_LEFT;
}

}  // namespace muster::cli

#endif  // MUSTER_NODE_CLI_MEMBER_TEXT_H_
