#include "tests/sim/linearizability.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace muster::sim {
namespace {

using std::string;
using std::string_view;

// ------------------------------------------------------------------ as text

constexpr char kHex[] = "0123456789ABCDEF";

bool IsPlain(char c) { return c > ' ' && c < 0x7f && c != '%'; }

string Escaped(const string& word) {
  if (word.empty()) return "%";
  string text;
  for (char c : word) {
    if (IsPlain(c)) {
      text += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    text += {'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return text;
}

bool Unescape(string_view text, string& word) {
  word.clear();
  if (text == "%") return true;
  while (!text.empty()) {
    if (text[0] != '%') {
      word += text[0];
      text.remove_prefix(1);
      continue;
    }
    unsigned byte = 0;
    const auto [at, error] = std::from_chars(
        text.data() + 1, text.data() + std::min<size_t>(text.size(), 3), byte,
        16);
    if (error != std::errc() || at != text.data() + 3) return false;
    word += static_cast<char>(byte);
    text.remove_prefix(3);
  }
  return true;
}

std::vector<string_view> Split(string_view text, char by) {
  std::vector<string_view> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(by), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

template <typename T>
bool ToNumber(string_view text, T& number) {
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && at == end;
}

string ReadOperation(string_view line, Operation& operation) {
  const std::vector<string_view> words = Split(line, ' ');
  if (words.size() < 6 || words[words.size() - 2] != "=>") {
    return "not: client called answered COMMAND key … => result";
  }
  if (!ToNumber(words[0], operation.client)) return "the client is no number";
  if (!ToNumber(words[1], operation.called)) return "the time is no number";
  const bool unknown = words[2] == "-";
  if (!unknown && !ToNumber(words[2], operation.answered)) {
    return "the time of the answer is no number, and not -";
  }
  if (!unknown && operation.answered < operation.called) {
    return "it was answered before it was called";
  }
  for (size_t i = 3; i + 2 < words.size(); ++i) {
    if (!Unescape(words[i], operation.command.emplace_back())) {
      return "a % that no two digits follow";
    }
  }
  if (!IsKnown(operation.command)) {
    return "a command that the judge does not know, or its arguments";
  }
  if ((words.back() == "?") != unknown) {
    return "a result is unknown where there was no answer, and else known";
  }
  if (unknown) return "";
  if (string_view(":$+_-").find(words.back()[0]) == string_view::npos) {
    return "the result does not begin with : $ + _ or -";
  }
  return Unescape(words.back(), operation.result) ? "" : "a malformed result";
}

// ------------------------------------------------------------------- judging

// Of an error its word counts.
string_view Compared(string_view result) {
  return result.starts_with('-') ? result.substr(0, result.find(' ')) : result;
}

// What may be the case at one moment: the key's state, and which of the
// operations that are under way have taken effect, by their indexes.
struct Configuration {
  KeyState state;
  std::vector<size_t> done;
  auto operator<=>(const Configuration&) const = default;
};

class KeyJudge {
 public:
  KeyJudge(const std::vector<const Operation*>& operations, size_t most_states)
      : operations_(operations), most_states_(most_states) {}

  // The index of the operation whose answer no order explains, or of none.
  size_t Run() {
    std::vector<std::tuple<int64_t, bool, size_t>> events;
    for (size_t i = 0; i < operations_.size(); ++i) {
      events.emplace_back(operations_[i]->called, false, i);
      if (!operations_[i]->known()) continue;
      events.emplace_back(operations_[i]->answered, true, i);
    }
    // What happens at one moment is called before anything is answered.
    std::sort(events.begin(), events.end());
    possible_.insert(Configuration());
    for (const auto& [time, answer, i] : events) {
      if (!answer) {
        under_way_.insert(i);
        continue;
      }
      Answer(i);
      if (possible_.empty() || TooMany()) return i;
    }
    return operations_.size();
  }
  bool TooMany() const { return states_ > most_states_; }

 private:
  // Keeps what is possible after `answered` has taken effect.
  void Answer(size_t answered) {
    std::set<Configuration> seen = std::exchange(possible_, {});
    std::vector<Configuration> todo(seen.begin(), seen.end());
    while (!todo.empty() && !TooMany()) {
      Configuration from = std::move(todo.back());
      todo.pop_back();
      const auto done = std::find(from.done.begin(), from.done.end(), answered);
      if (done != from.done.end()) {
        from.done.erase(done);
        possible_.insert(std::move(from));
        continue;
      }
      for (const size_t next : under_way_) {
        Configuration to = from;
        if (!TakeEffect(next, to) || !seen.insert(to).second) continue;
        ++states_;
        todo.push_back(std::move(to));
      }
    }
    under_way_.erase(answered);
  }

  bool TakeEffect(size_t next, Configuration& to) const {
    const auto at = std::lower_bound(to.done.begin(), to.done.end(), next);
    if (at != to.done.end() && *at == next) return false;
    const Operation& operation = *operations_[next];
    const KeyState before = to.state;
    const string result = Perform(operation.command, to.state);
    // One of unknown outcome that changes nothing need not take effect.
    if (!operation.known() && to.state == before) return false;
    if (operation.known() && Compared(result) != Compared(operation.result)) {
      return false;
    }
    to.done.insert(at, next);
    return true;
  }

  const std::vector<const Operation*>& operations_;
  const size_t most_states_;
  size_t states_ = 0;
  std::set<size_t> under_way_;
  std::set<Configuration> possible_;
};

}  // namespace

string ToText(const Operation& operation) {
  string text = std::to_string(operation.client) + " " +
                std::to_string(operation.called) + " " +
                (operation.known() ? std::to_string(operation.answered) : "-");
  for (const string& word : operation.command) text += " " + Escaped(word);
  return text + " => " + (operation.known() ? Escaped(operation.result) : "?");
}

string ReadHistory(string_view text, History& history) {
  size_t number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.empty() || line[0] == '#') continue;
    Operation operation;
    const string wrong = ReadOperation(line, operation);
    if (!wrong.empty()) {
      return "line " + std::to_string(number) + ": " + wrong + ": " +
             string(line);
    }
    history.push_back(std::move(operation));
  }
  return "";
}

Verdict Judge(const History& history, size_t most_states) {
  std::map<string, std::vector<const Operation*>> keys;
  for (const Operation& operation : history) {
    keys[operation.command[1]].push_back(&operation);
  }
  Verdict verdict;
  for (const auto& [key, operations] : keys) {
    KeyJudge judge(operations, most_states);
    const size_t last = judge.Run();
    if (last == operations.size()) continue;
    verdict.outcome = judge.TooMany() ? Verdict::Outcome::kTooManyStates
                                      : Verdict::Outcome::kNot;
    verdict.key = key;
    const int64_t end = operations[last]->answered;
    for (const Operation* operation : operations) {
      if (operation == operations[last] || operation->called > end) continue;
      verdict.failing.push_back(*operation);
    }
    verdict.failing.push_back(*operations[last]);
    break;
  }
  return verdict;
}

string ToText(const Verdict& verdict) {
  if (verdict.ok()) return "OK";
  const bool too_many = verdict.outcome == Verdict::Outcome::kTooManyStates;
  string text = "key " + Escaped(verdict.key) + ": " +
                (too_many ? "too many orders are possible to look at all, up "
                            "to the last of these"
                          : "no order of these explains the last answer");
  for (const Operation& operation : verdict.failing) {
    text += "\n" + ToText(operation);
  }
  return text;
}

}  // namespace muster::sim
