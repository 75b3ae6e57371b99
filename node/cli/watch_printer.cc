#include "node/cli/watch_printer.h"

#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "node/cli/json.h"
#include "node/cli/text.h"

namespace muster::cli {
namespace {

using client::Change;
using client::KeyChange;

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

bool IsOfAnEntry(Change::Kind kind) {
  return kind == Change::Kind::kJoin || kind == Change::Kind::kUpdate ||
         kind == Change::Kind::kLeave;
}

const char* SignOf(const KeyChange& key) {
  if (key.kind == KeyChange::Kind::kPresent) return "=";
  if (key.entries == key.before) return "~";
  return key.entries > key.before ? "+" : "-";
}

// How many entries the key has, if the sign does not say it.
std::string NumberOf(const KeyChange& key) {
  if (key.entries < key.before) {
    return key.entries == 0 ? "" : absl::StrCat("  (", key.entries, " left)");
  }
  return key.entries == 1 ? "" : absl::StrCat("  (", key.entries, ")");
}

std::string LineOf(absl::string_view sign, const v1::Entry& entry) {
  std::string line = absl::StrCat(sign, " ", Printable(entry.topic()), "  ",
                                  Printable(entry.key()));
  if (!entry.meta().empty()) {
    absl::StrAppend(&line, "  ", Printable(entry.meta()));
  }
  return line;
}

std::string JsonOf(const Change& change) {
  const char* event = WordsOf(change.kind).event;
  if (change.kind == Change::Kind::kCount) {
    return ToJson("event", event, change.count);
  }
  if (change.kind == Change::Kind::kSynced) {
    return absl::StrCat("{\"event\":", JsonString(event), "}");
  }
  return ToJson("event", event, change.entry);
}

// The key of a change: its number of entries after the diff, and whether the
// key came in or left with it.
struct Outcome {
  uint64_t entries = 0;
  bool first_in = false;
  bool last_out = false;
  size_t last = 0;  // The last change of it.
};

}  // namespace

void WatchPrinter::OnChanges(const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    if (form_ != Form::kJson) {
      PrintEntry(change);
    } else if (IsOfAnEntry(change.kind) || !held_.empty()) {
      held_.push_back(change);
    } else {
      out_ << JsonOf(change) << '\n';
    }
  }
  out_.flush();
}

void WatchPrinter::OnKeys(const std::vector<KeyChange>& keys) {
  if (form_ == Form::kKeys) {
    for (const KeyChange& key : keys) PrintKey(key);
  }
  if (form_ == Form::kJson) PrintHeld(keys);
  out_.flush();
}

void WatchPrinter::PrintEntry(const Change& change) {
  if (change.kind == Change::Kind::kSynced) return;
  if (change.kind == Change::Kind::kCount) {
    out_ << "# " << Printable(change.count.topic()) << "  "
         << change.count.entries() << " entries  " << change.count.keys()
         << " keys\n";
  } else if (form_ == Form::kEntries) {
    out_ << LineOf(WordsOf(change.kind).sign, change.entry) << '\n';
  }
}

void WatchPrinter::PrintKey(const KeyChange& key) {
  out_ << LineOf(SignOf(key), key.entry) << NumberOf(key) << '\n';
}

void WatchPrinter::PrintHeld(const std::vector<KeyChange>& keys) {
  std::map<std::pair<std::string, std::string>, Outcome> outcomes;
  for (size_t i = 0; i < held_.size(); ++i) {
    const v1::Entry& entry = held_[i].entry;
    outcomes[{entry.topic(), entry.key()}].last = i;
  }
  for (const KeyChange& key : keys) {
    const auto found = outcomes.find({key.entry.topic(), key.entry.key()});
    if (found == outcomes.end()) continue;
    found->second.entries = key.entries;
    found->second.first_in = key.kind == KeyChange::Kind::kFirstIn;
    found->second.last_out = key.kind == KeyChange::Kind::kLastOut;
  }
  for (size_t i = 0; i < held_.size(); ++i) {
    if (!IsOfAnEntry(held_[i].kind)) {
      out_ << JsonOf(held_[i]) << '\n';
      continue;
    }
    const v1::Entry& entry = held_[i].entry;
    const Outcome& outcome = outcomes.at({entry.topic(), entry.key()});
    const auto flag = [&](bool value) {
      return value && outcome.last == i ? "true" : "false";
    };
    std::string json = JsonOf(held_[i]);
    json.pop_back();
    absl::StrAppend(&json, ",\"entries\":", outcome.entries,
                    ",\"first_in\":", flag(outcome.first_in),
                    ",\"last_out\":", flag(outcome.last_out), "}\n");
    out_ << json;
  }
  held_.clear();
}

}  // namespace muster::cli
