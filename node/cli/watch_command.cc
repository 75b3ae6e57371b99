// watch: what is present, then every change.
#include <string>

#include "muster/client/watch.h"
#include "node/cli/client_command.h"
#include "node/cli/interrupt.h"
#include "node/cli/json.h"
#include "node/cli/text.h"

namespace muster::cli {
namespace {

using client::Change;

struct Words {
  const char* event;  // In JSON.
  const char* sign;   // For people.
};

Words WordsOf(Change::Kind kind) {
  switch (kind) {
    case Change::Kind::kPresent:
      return {"state", "="};
    case Change::Kind::kJoin:
      return {"join", "+"};
    case Change::Kind::kUpdate:
      return {"update", "~"};
    case Change::Kind::kLeave:
      return {"leave", "-"};
    case Change::Kind::kCount:
      return {"count", "#"};
    case Change::Kind::kSynced:
      return {"state_complete", "."};
  }
  return {"", ""};
}

void PrintJson(const Change& change, std::ostream& out) {
  const char* event = WordsOf(change.kind).event;
  if (change.kind == Change::Kind::kCount) {
    out << ToJson("event", event, change.count) << '\n';
  } else if (change.kind == Change::Kind::kSynced) {
    out << "{\"event\":" << JsonString(event) << "}\n";
  } else {
    out << ToJson("event", event, change.entry) << '\n';
  }
}

void PrintText(const Change& change, std::ostream& out) {
  if (change.kind == Change::Kind::kSynced) return;
  out << WordsOf(change.kind).sign << ' ';
  if (change.kind == Change::Kind::kCount) {
    out << Printable(change.count.topic()) << "  " << change.count.entries()
        << " entries  " << change.count.keys() << " keys\n";
    return;
  }
  out << Printable(change.entry.topic()) << "  "
      << Printable(change.entry.key());
  if (!change.entry.meta().empty()) {
    out << "  " << Printable(change.entry.meta());
  }
  out << '\n';
}

v1::WatchRequest RequestOf(const CommandLine& line) {
  v1::WatchRequest request;
  for (const std::string& topic : line.topics) request.add_topics(topic);
  for (const std::string& key : line.keys) request.add_keys(key);
  request.set_prefix(line.prefix);
  request.set_counts_only(line.counts);
  if (line.counts) request.set_interval_ms(line.interval_ms);
  return request;
}

}  // namespace

ExitCode RunWatch(const ClientCommand& command) {
  client::Watch watch(&command.connection, RequestOf(command.line),
                      GiveUp(command.line));
  client::Watch::Observer observer;
  observer.on_changes = [&](const std::vector<Change>& changes) {
    for (const Change& change : changes) {
      if (command.line.json) {
        PrintJson(change, command.out);
      } else {
        PrintText(change, command.out);
      }
    }
    command.out.flush();
  };
  observer.on_note = [&](const std::string& note) {
    command.err << "muster: " << note << std::endl;
  };
  OnInterrupt on_interrupt(command.interrupt, [&watch] { watch.Stop(); });
  return Report(watch.Run(observer), command.err);
}

}  // namespace muster::cli
