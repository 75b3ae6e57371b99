// watch: what is present, then every change.
#include <string>
#include <vector>

#include "muster/client/watch.h"
#include "node/cli/client_command.h"
#include "node/cli/interrupt.h"
#include "node/cli/watch_printer.h"

namespace muster::cli {
namespace {

WatchPrinter::Form FormOf(const CommandLine& line) {
  if (line.json) return WatchPrinter::Form::kJson;
  return line.entries ? WatchPrinter::Form::kEntries
                      : WatchPrinter::Form::kKeys;
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
  WatchPrinter printer(FormOf(command.line), &command.out);
  client::Watch::Observer observer;
  observer.on_changes = [&](const std::vector<client::Change>& changes) {
    printer.OnChanges(changes);
  };
  observer.on_keys = [&](const std::vector<client::KeyChange>& keys) {
    printer.OnKeys(keys);
  };
  observer.on_note = [&](const std::string& note) {
    command.err << "muster: " << note << std::endl;
  };
  OnInterrupt on_interrupt(command.interrupt, [&watch] { watch.Stop(); });
  return Report(watch.Run(observer), command.err);
}

}  // namespace muster::cli
