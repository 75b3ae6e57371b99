#include "node/cli/keyspace_text.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "node/cli/member_text.h"
#include "node/cli/text.h"

namespace muster::cli {
namespace {

using Align = TextTable::Align;
using Follower = v1::KeyspaceFollower;

std::string RoleLine(const v1::KeyspaceStatus& keyspace) {
  std::string text = RoleText(keyspace.role(), keyspace.exchanging());
  if (keyspace.role() == v1::KEYSPACE_ROLE_FOLLOWING) {
    absl::StrAppend(&text, keyspace.exchanging() ? " with " : " ",
                    keyspace.leader().empty() ? "a node that is no member"
                                              : keyspace.leader());
  }
  if (keyspace.alone()) {
    absl::StrAppend(&text, ", alone: its writes are on no other node");
  }
  return text;
}

std::string PositionText(const v1::KeyspaceStatus& keyspace) {
  std::string text =
      absl::StrCat("term ", keyspace.term(), ", write ", keyspace.seq());
  if (keyspace.promised() > keyspace.term()) {
    absl::StrAppend(&text, "; term ", keyspace.promised(), " is promised");
  }
  return text;
}

std::string KeysText(const v1::KeyspaceStatus& keyspace) {
  std::string text;
  for (int db = 0; db < keyspace.keys_size(); ++db) {
    if (keyspace.keys(db) == 0 && db > 0) continue;
    absl::StrAppend(&text, text.empty() ? "" : ", ", keyspace.keys(db), " in ",
                    db);
  }
  return text;
}

std::string JoinsText(const v1::KeyspaceStatus& keyspace) {
  return absl::StrCat(keyspace.joins(), ", ", keyspace.joined_buckets(),
                      " buckets; ", keyspace.settled_keys(), " keys settled, ",
                      keyspace.unsettled(), " to settle");
}

const char* StateText(Follower::State state) {
  switch (state) {
    case Follower::STATE_OUT:
      return "out";
    case Follower::STATE_ASKED:
      return "asked";
    case Follower::STATE_EXCHANGING:
      return "catches up";
    case Follower::STATE_FOLLOWING:
      return "follows";
    default:
      return "unknown";
  }
}

void PrintFollowers(const v1::KeyspaceStatus& keyspace, std::ostream& out) {
  TextTable table({Align::kLeft, Align::kLeft, Align::kRight, Align::kRight});
  table.AddRow({"FOLLOWER", "STATE", "APPLIED", "UNAPPLIED"});
  for (const Follower& follower : keyspace.followers()) {
    table.AddRow({follower.node().empty() ? follower.life_id().substr(0, 8)
                                          : follower.node(),
                  StateText(follower.state()), absl::StrCat(follower.applied()),
                  ShortBytes(follower.unapplied_bytes())});
  }
  out << '\n';
  table.Print(out);
}

}  // namespace

void PrintKeyspace(const v1::KeyspaceStatus& keyspace, std::ostream& out) {
  if (keyspace.role() == v1::KEYSPACE_ROLE_UNSPECIFIED) return;
  TextTable table({Align::kLeft, Align::kLeft});
  table.AddRow({"keyspace", RoleLine(keyspace)});
  table.AddRow({"position", PositionText(keyspace)});
  table.AddRow({"keys in databases", KeysText(keyspace)});
  table.AddRow({"memory of keys", ShortBytes(keyspace.bytes())});
  table.AddRow(
      {"calls waiting", absl::StrCat(keyspace.calls_waiting(), ", ",
                                     keyspace.blocked(), " for an element")});
  table.AddRow({"joins", JoinsText(keyspace)});
  out << '\n';
  table.Print(out);
  if (!keyspace.followers().empty()) PrintFollowers(keyspace, out);
}

}  // namespace muster::cli
