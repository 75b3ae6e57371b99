// list, get, count, topics, topics-of, explain.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "muster/v1/presence.grpc.pb.h"
#include "node/cli/client_command.h"
#include "node/cli/json.h"
#include "node/cli/text.h"

namespace muster::cli {
namespace {

using Align = TextTable::Align;
using Stub = v1::Presence::Stub;

// Calls `method` until the last page, handing each to `print`.
template <typename Request, typename Response, typename Print>
ExitCode AllPages(const ClientCommand& command,
                  grpc::Status (Stub::*method)(grpc::ClientContext*,
                                               const Request&, Response*),
                  Request request, Print print) {
  while (true) {
    Response response;
    const absl::Status status =
        command.connection.Call(method, request, &response);
    if (!status.ok()) return Report(status, command.err);
    print(&response);
    if (response.next_page_token().empty()) return kDone;
    request.set_page_token(response.next_page_token());
  }
}

template <typename Entries>
void PrintEntries(const ClientCommand& command, const std::string& topic,
                  Entries* entries) {
  TextTable table({Align::kLeft, Align::kLeft});
  for (v1::Entry& entry : *entries) {
    if (command.line.json) {
      entry.set_topic(topic);
      command.out << ToJson(entry) << '\n';
    } else {
      table.AddRow({entry.key(), entry.meta()});
    }
  }
  table.Print(command.out);
}

std::string SinceText(const v1::ExplainResponse::Line& line) {
  return absl::FormatTime(
      "%Y-%m-%d %H:%M:%E3S UTC",
      absl::FromUnixMillis(static_cast<int64_t>(line.since_unix_ms())),
      absl::UTCTimeZone());
}

void PrintExplanation(const v1::ExplainResponse::Line& line,
                      std::ostream& out) {
  TextTable table({Align::kLeft, Align::kLeft});
  table.AddRow({"ref", line.entry().ref()});
  table.AddRow({"  meta", line.entry().meta()});
  table.AddRow({"  shown", line.shown()
                               ? "yes"
                               : absl::StrCat("no: ", line.hidden_because())});
  table.AddRow({"  node", absl::StrCat(line.node(), ", incarnation ",
                                       line.incarnation())});
  table.AddRow(
      {"  session", absl::StrCat(line.session_id(), ", epoch ", line.epoch(),
                                 ", resume ", line.resume_number())});
  table.AddRow({"  connected", line.connected() ? "yes" : "no"});
  table.AddRow({"  grace", ShortTime(line.grace_ms())});
  table.AddRow({"  known since", SinceText(line)});
  table.AddRow({"  last heartbeat",
                absl::StrCat(ShortTime(line.last_heartbeat_age_ms()), " ago")});
  table.Print(out);
}

// Says so if the answer was cut short.
void SayMore(bool more, int told, const ClientCommand& command) {
  if (!more) return;
  command.err << "muster: there are more than these " << told
              << " of this topic and key\n";
}

}  // namespace

ExitCode RunList(const ClientCommand& command) {
  v1::ListRequest request;
  request.set_topic(command.line.topic);
  return AllPages(command, &Stub::List, request, [&](v1::ListResponse* page) {
    PrintEntries(command, command.line.topic, page->mutable_entries());
  });
}

ExitCode RunGet(const ClientCommand& command) {
  v1::GetRequest request;
  request.set_topic(command.line.topic);
  request.set_key(command.line.key);
  v1::GetResponse response;
  const absl::Status status =
      command.connection.Call(&Stub::Get, request, &response);
  if (!status.ok()) return Report(status, command.err);
  PrintEntries(command, command.line.topic, response.mutable_entries());
  SayMore(response.more(), response.entries_size(), command);
  return kDone;
}

ExitCode RunCount(const ClientCommand& command) {
  v1::CountRequest request;
  if (!command.line.topic.empty()) request.set_topic(command.line.topic);
  if (!command.line.key.empty()) request.set_key(command.line.key);
  v1::CountResponse response;
  const absl::Status status =
      command.connection.Call(&Stub::Count, request, &response);
  if (!status.ok()) return Report(status, command.err);
  if (command.line.json) {
    command.out << ToJson(response) << '\n';
  } else if (command.out_is_terminal) {
    TextTable table({Align::kRight, Align::kRight});
    const bool of_key = !command.line.key.empty();
    table.AddRow({"ENTRIES", of_key ? "" : "KEYS"});
    table.AddRow({absl::StrCat(response.entries()),
                  of_key ? "" : absl::StrCat(response.keys())});
    table.Print(command.out);
  } else {
    command.out << response.entries() << '\n';
  }
  return kDone;
}

ExitCode RunTopics(const ClientCommand& command) {
  v1::TopicsRequest request;
  request.set_prefix(command.line.prefix);
  bool header = command.out_is_terminal && !command.line.json;
  return AllPages(
      command, &Stub::Topics, request, [&](v1::TopicsResponse* page) {
        TextTable table({Align::kLeft, Align::kRight, Align::kRight});
        if (std::exchange(header, false)) {
          table.AddRow({"TOPIC", "ENTRIES", "KEYS"});
        }
        for (const v1::TopicCount& topic : page->topics()) {
          if (command.line.json) {
            command.out << ToJson(topic) << '\n';
          } else {
            table.AddRow({topic.topic(), absl::StrCat(topic.entries()),
                          absl::StrCat(topic.keys())});
          }
        }
        table.Print(command.out);
      });
}

ExitCode RunTopicsOf(const ClientCommand& command) {
  v1::TopicsOfRequest request;
  request.set_key(command.line.key);
  return AllPages(
      command, &Stub::TopicsOf, request, [&](v1::TopicsOfResponse* page) {
        for (const std::string& topic : page->topics()) {
          if (command.line.json) {
            command.out << "{\"topic\":" << JsonString(topic) << "}\n";
          } else {
            command.out << Printable(topic) << '\n';
          }
        }
      });
}

ExitCode RunExplain(const ClientCommand& command) {
  v1::ExplainRequest request;
  request.set_topic(command.line.topic);
  request.set_key(command.line.key);
  v1::ExplainResponse response;
  const absl::Status status =
      command.connection.Call(&Stub::Explain, request, &response);
  if (!status.ok()) return Report(status, command.err);
  for (v1::ExplainResponse::Line& line : *response.mutable_lines()) {
    line.mutable_entry()->set_topic(command.line.topic);
    line.mutable_entry()->set_key(command.line.key);
    if (command.line.json) {
      command.out << ToJson(line) << '\n';
    } else {
      PrintExplanation(line, command.out);
    }
  }
  SayMore(response.more(), response.lines_size(), command);
  if (!response.lines().empty()) return kDone;
  command.err << "muster: nothing is known of \"" << Printable(command.line.key)
              << "\" in \"" << Printable(command.line.topic) << "\"\n";
  return kAnswerIsNo;
}

}  // namespace muster::cli
