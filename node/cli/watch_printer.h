// Prints the changes of a watch, for `muster watch`.
//
//   by key (text)      = room  ann  {"tab":1}        was there
//                      + room  ann  {"tab":2}  (2)   another entry: now 2
//                      ~ room  ann  {"tab":3}  (2)   one updated or replaced
//                      - room  ann  {"tab":1}  (1 left)
//                      - room  ann  {"tab":3}        the last one
//   by entry (text)    the same, a line an entry, without the numbers
//   JSON               an object an entry
//
// A line by key shows the effect of a whole state or diff. The JSON objects of
// joins, updates and leaves wait for its end, since their numbers do so, too:
// `entries` is the key's number afterwards, and `first_in` or `last_out` is
// true in the last object of a key that came in or left with the diff.
#ifndef MUSTER_NODE_CLI_WATCH_PRINTER_H_
#define MUSTER_NODE_CLI_WATCH_PRINTER_H_

#include <ostream>
#include <vector>

#include "muster/client/key_roll.h"
#include "muster/client/roll.h"

namespace muster::cli {

class WatchPrinter {
 public:
  enum class Form { kKeys, kEntries, kJson };
  // `out` outlives the printer.
  WatchPrinter(Form form, std::ostream* out) : form_(form), out_(*out) {}

  // As the observer of a client::Watch.
  void OnChanges(const std::vector<client::Change>& changes);
  void OnKeys(const std::vector<client::KeyChange>& keys);

 private:
  void PrintEntry(const client::Change& change);
  void PrintKey(const client::KeyChange& key);
  void PrintHeld(const std::vector<client::KeyChange>& keys);

  const Form form_;
  std::ostream& out_;
  std::vector<client::Change> held_;  // JSON: until the diff is complete.
};

}  // namespace muster::cli

#endif  // MUSTER_NODE_CLI_WATCH_PRINTER_H_
