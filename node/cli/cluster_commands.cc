// members, status, drain.
#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "muster/client/member_watch.h"
#include "muster/v1/cluster.grpc.pb.h"
#include "node/cli/client_command.h"
#include "node/cli/json.h"
#include "node/cli/keyspace_text.h"
#include "node/cli/member_text.h"
#include "node/cli/text.h"

namespace muster::cli {
namespace {

using Align = TextTable::Align;
using Stub = v1::Cluster::Stub;

std::string LinkText(const v1::Member& member) {
  if (member.self()) return "self";
  return member.linked() ? "linked" : "-";
}

std::string BeatText(const v1::Member& member) {
  if (member.self()) return "-";
  return absl::StrCat(ShortTime(member.last_heartbeat_age_ms()), " ago");
}

// The members to print, and how many are left out.
int TakeShown(bool all, v1::MembersResponse* response) {
  auto& members = *response->mutable_members();
  const int before = members.size();
  if (!all) {
    members.erase(
        std::remove_if(members.begin(), members.end(),
                       [](const v1::Member& m) { return !IsLiving(m); }),
        members.end());
  }
  return before - members.size();
}

void PrintMembers(const v1::MembersResponse& response, std::ostream& out) {
  TextTable table({Align::kLeft, Align::kLeft, Align::kLeft, Align::kLeft,
                   Align::kLeft, Align::kRight, Align::kRight, Align::kRight});
  table.AddRow({"NODE", "ADDRESS", "STATE", "LINK", "KEYS", "LAST BEAT",
                "ENTRIES", "INCARNATION"});
  for (const v1::Member& member : response.members()) {
    table.AddRow(
        {member.node(), member.address(), StateText(member.state()),
         LinkText(member),
         RoleText(member.keyspace_role(), member.keyspace_exchanging()),
         BeatText(member), absl::StrCat(member.entries()),
         absl::StrCat(member.incarnation())});
  }
  table.Print(out);
}

// One line for each member whose state or link has changed. Unless all are to
// be shown, the last line of one is that it is down or has left.
class MemberPrinter {
 public:
  MemberPrinter(const CommandLine& line, std::ostream& out)
      : json_(line.json), all_(line.all), out_(out) {}

  void Print(const v1::WatchMembersResponse& message) {
    for (const v1::Member& member : message.members()) {
      const Shown now{member.state(), member.linked(), member.incarnation()};
      const auto known = shown_.find(member.node());
      if (known != shown_.end() && known->second == now) continue;
      if (all_ || IsLiving(member)) {
        shown_[member.node()] = now;
      } else if (shown_.erase(member.node()) == 0) {
        continue;
      }
      PrintOne(member);
    }
    out_.flush();
  }

 private:
  struct Shown {
    v1::MemberState state;
    bool linked;
    uint64_t incarnation;
    bool operator==(const Shown&) const = default;
  };

  void PrintOne(const v1::Member& member) {
    if (json_) {
      out_ << ToJson(member) << '\n';
      return;
    }
    out_ << absl::FormatTime("%H:%M:%E3S", absl::Now(), absl::LocalTimeZone())
         << "  " << Printable(member.node()) << "  "
         << StateText(member.state()) << "  " << LinkText(member) << "  "
         << Printable(member.address()) << '\n';
  }

  const bool json_;
  const bool all_;
  std::ostream& out_;
  std::map<std::string, Shown> shown_;
};

ExitCode FollowMembers(const ClientCommand& command) {
  MemberPrinter printer(command.line, command.out);
  client::MemberWatch watch(&command.connection, GiveUp(command.line));
  client::MemberWatch::Observer observer;
  observer.on_members = [&](const v1::WatchMembersResponse& message) {
    printer.Print(message);
  };
  observer.on_note = [&](const std::string& note) {
    command.err << "muster: " << note << std::endl;
  };
  OnInterrupt on_interrupt(command.interrupt, [&watch] { watch.Stop(); });
  return Report(watch.Run(observer), command.err);
}

std::string ConditionText(const v1::StatusResponse& status) {
  if (status.draining()) return "draining";
  return status.ready() ? "ready" : "not ready";
}

void PrintSummary(const v1::StatusResponse& status, std::ostream& out) {
  TextTable table({Align::kLeft, Align::kLeft});
  const auto number = [&table](const char* name, uint64_t value) {
    table.AddRow({name, absl::StrCat(value)});
  };
  table.AddRow({"node", status.node()});
  table.AddRow({"address", status.address()});
  table.AddRow({"cluster", status.cluster()});
  table.AddRow({"version", status.version()});
  table.AddRow({"condition", ConditionText(status)});
  for (const std::string& note : status.notes()) table.AddRow({"note", note});
  table.AddRow({"incarnation", absl::StrCat(status.incarnation(), ", life ",
                                            status.life_id())});
  table.AddRow({"uptime", ShortTime(status.uptime_ms())});
  number("entries", status.entries());
  number("keys", status.keys());
  number("topics", status.topics());
  number("sessions", status.sessions());
  number("watchers", status.watchers());
  number("links", status.links());
  table.AddRow({"members", StatesText(status)});
  table.AddRow({"memory", ShortBytes(status.rss_bytes())});
  table.AddRow(
      {"loop lag", absl::StrFormat("%.2f ms (longest ever %.2f ms)",
                                   status.loop_lag_us() / 1000.0,
                                   status.loop_lag_max_us() / 1000.0)});
  table.Print(out);
}

void PrintStreams(const v1::StatusResponse& status, std::ostream& out) {
  TextTable table({Align::kLeft, Align::kLeft, Align::kRight, Align::kRight,
                   Align::kRight, Align::kRight, Align::kLeft, Align::kLeft});
  table.AddRow({"STREAM", "KIND", "SEQ", "LOG FROM", "ENTRIES", "SESSIONS",
                "SOURCE", "STATE"});
  for (const v1::StreamStatus& stream : status.streams()) {
    table.AddRow({stream.node(), stream.kind(), absl::StrCat(stream.seq()),
                  absl::StrCat(stream.log_start()),
                  absl::StrCat(stream.entries()),
                  absl::StrCat(stream.sessions()),
                  stream.source().empty() ? "-" : stream.source(),
                  absl::StrCat(stream.hidden() ? "hidden" : "shown",
                               stream.rebasing() ? ", catching up" : "")});
  }
  out << '\n';
  table.Print(out);
}

void PrintCounters(const v1::StatusResponse& status, std::ostream& out) {
  if (status.counters().empty()) return;
  const std::map<std::string, uint64_t> sorted(status.counters().begin(),
                                               status.counters().end());
  TextTable table({Align::kLeft, Align::kRight});
  for (const auto& [name, value] : sorted) {
    table.AddRow({name, absl::StrCat(value)});
  }
  out << '\n';
  table.Print(out);
}

}  // namespace

ExitCode RunMembers(const ClientCommand& command) {
  if (command.line.follow) return FollowMembers(command);
  v1::MembersResponse response;
  const absl::Status status =
      command.connection.Call(&Stub::Members, v1::MembersRequest(), &response);
  if (!status.ok()) return Report(status, command.err);
  const int left_out = TakeShown(command.line.all, &response);
  if (!command.line.json) {
    PrintMembers(response, command.out);
    if (left_out > 0 && command.out_is_terminal) {
      command.out << left_out
                  << (left_out == 1 ? " more is down or has left"
                                    : " more are down or have left")
                  << ": --all shows them\n";
    }
    return kDone;
  }
  for (const v1::Member& member : response.members()) {
    command.out << ToJson(member) << '\n';
  }
  return kDone;
}

ExitCode RunStatus(const ClientCommand& command) {
  v1::StatusResponse response;
  const absl::Status status =
      command.connection.Call(&Stub::Status, v1::StatusRequest(), &response);
  if (!status.ok()) return Report(status, command.err);
  if (command.line.json) {
    command.out << ToJson(response) << '\n';
    return kDone;
  }
  PrintSummary(response, command.out);
  PrintKeyspace(response.keyspace(), command.out);
  PrintStreams(response, command.out);
  PrintCounters(response, command.out);
  return kDone;
}

ExitCode RunDrain(const ClientCommand& command) {
  v1::DrainResponse response;
  const absl::Status status =
      command.connection.Call(&Stub::Drain, v1::DrainRequest(), &response);
  if (!status.ok()) return Report(status, command.err);
  command.out << command.connection.address(0) << " drains\n";
  return kDone;
}

}  // namespace muster::cli
