#include "tests/sim/pubsub_model.h"

#include <algorithm>

namespace muster::sim {
namespace {

using std::string;
using std::to_string;

// The class that begins after "[" and ends at its "]": whether `c` is in it.
// Takes it off the glob.
bool InClass(std::string_view& glob, unsigned char c) {
  const bool negated = !glob.empty() && glob[0] == '^';
  if (negated) glob.remove_prefix(1);
  bool in = false;
  while (!glob.empty() && glob[0] != ']') {
    const auto low = static_cast<unsigned char>(glob[0]);
    if (glob.size() >= 3 && glob[1] == '-') {
      in |= low <= c && c <= static_cast<unsigned char>(glob[2]);
      glob.remove_prefix(3);
    } else {
      in |= low == c;
      glob.remove_prefix(1);
    }
  }
  if (!glob.empty()) glob.remove_prefix(1);
  return in != negated;
}

}  // namespace

// As it is defined: a star is nothing, or one byte and a star.
bool GlobMatches(std::string_view glob, std::string_view text) {
  if (glob.empty()) return text.empty();
  if (glob[0] == '*') {
    return GlobMatches(glob.substr(1), text) ||
           (!text.empty() && GlobMatches(glob, text.substr(1)));
  }
  if (text.empty()) return false;
  const auto c = static_cast<unsigned char>(text[0]);
  bool fits = glob[0] == '?';
  std::string_view rest = glob.substr(1);
  if (glob[0] == '[') {
    fits = InClass(rest, c);
  } else if (glob[0] == '\\' && !rest.empty()) {
    fits = rest[0] == text[0];
    rest.remove_prefix(1);
  } else if (!fits) {
    fits = glob[0] == text[0];
  }
  return fits && GlobMatches(rest, text.substr(1));
}

string ToString(const PubSubModel::Name& name) {
  return (name.pattern ? "pattern " : "channel ") + name.text;
}
string ToString(const PubSubModel::Message& message) {
  return "message " + to_string(message.number) + " of #" +
         to_string(message.process);
}

// ------------------------------------------------------------------- clients

int PubSubModel::Open(int process, bool gaps) {
  Subscriber subscriber;
  subscriber.process = process;
  subscriber.gaps = gaps;
  subscribers_.push_back(subscriber);
  return static_cast<int>(subscribers_.size()) - 1;
}

uint64_t PubSubModel::Asked(int subscriber, const std::vector<Name>& remove,
                            const std::vector<Name>& add) {
  Subscriber& who = At(subscriber);
  const uint64_t request = ++who.asked;
  for (const Name& name : remove) {
    Subscription& subscription = who.names[name];
    if (!subscription.on) continue;
    subscription.on = false;
    subscription.removed = request;
    for (auto due = who.due.begin(); due != who.due.end();) {
      due->second.names.erase(name);
      due = due->second.names.empty() ? who.due.erase(due) : std::next(due);
    }
    // What was sent by it alone need not come, nor be missed.
    who.sent.clear();
  }
  for (const Name& name : add) {
    Subscription& subscription = who.names[name];
    if (subscription.on) continue;
    subscription.on = true;
    subscription.added = request;
  }
  return request;
}

string PubSubModel::Answered(int subscriber, uint64_t request) {
  Subscriber& who = At(subscriber);
  if (request != who.answered + 1 || request > who.asked) {
    return "P8: request " + to_string(request) + " of subscriber " +
           to_string(subscriber) + " is answered after " +
           to_string(who.answered) + " of " + to_string(who.asked);
  }
  who.answered = request;
  return "";
}

void PubSubModel::Closed(int subscriber) {
  Subscriber& who = At(subscriber);
  who.over = true;
  who.due.clear();
  who.sent.clear();
}

void PubSubModel::ProcessGone(int process) {
  for (size_t i = 0; i < subscribers_.size(); ++i) {
    Subscriber& who = subscribers_[i];
    if (who.process == process) Closed(static_cast<int>(i));
    std::erase_if(who.due, [process](const auto& due) {
      return due.first.process == process;
    });
  }
}

PubSubModel::Message PubSubModel::Published(int process,
                                            const string& channel) {
  ++published_;
  std::vector<string>& channels = channels_[process];
  channels.push_back(channel);
  return {process, channels.size()};
}

string PubSubModel::Given(int subscriber, const Name& name,
                          const string& channel, const Message& message) {
  Subscriber& who = At(subscriber);
  if (who.over) return "";
  const string what = ToString(message) + " is given to subscriber " +
                      to_string(subscriber) + " by " + ToString(name);
  const auto from = channels_.find(message.process);
  if (from == channels_.end() || message.number == 0 ||
      message.number > from->second.size() ||
      from->second[message.number - 1] != channel) {
    return "P1: " + what + " on " + channel + ", where nobody published it";
  }
  if (!name.Matches(channel)) {
    return "P1: " + what + ", which does not match " + channel;
  }
  const auto subscription = who.names.find(name);
  if (subscription == who.names.end()) {
    return "P1: " + what + ", which it never asked for";
  }
  if (!subscription->second.on &&
      subscription->second.removed <= who.answered) {
    return "P4: " + what + ", whose unsubscribe was answered";
  }
  ++given_;
  if (!who.given[message].insert(name).second) return "P2: " + what + " twice";
  arrived_[who.process].insert(message);
  const auto due = who.due.find(message);
  if (due != who.due.end()) {
    due->second.names.erase(name);
    if (due->second.names.empty()) who.due.erase(due);
  }
  who.sent.erase(message);
  string wrong = Order(who, message);
  return wrong.empty() ? "" : wrong + ": " + what;
}

string PubSubModel::Order(Subscriber& to, const Message& message) {
  uint64_t& last = to.last[message.process];
  if (message.number < last) {
    return "P3: number " + to_string(message.number) + " after " +
           to_string(last);
  }
  last = message.number;
  // What comes before it cannot come any more.
  const auto due = to.due.lower_bound({message.process, 0});
  if (due != to.due.end() && due->first < message) {
    return "P5: " + ToString(due->first) + " was due by " +
           ToString(*due->second.names.begin()) + " before";
  }
  return Lost(to, message);
}

string PubSubModel::Lost(Subscriber& to, const Message& message) {
  for (auto sent = to.sent.lower_bound({message.process, 0});
       sent != to.sent.end() && *sent < message;) {
    sent = to.sent.erase(sent);
    ++to.known_lost;
    ++known_lost_;
  }
  if (to.known_lost <= to.told_missed) return "";
  return "P7: " + to_string(to.known_lost) + " messages are lost, and " +
         to_string(to.told_missed) + " were told of";
}

uint64_t PubSubModel::MostLost(int process) const {
  uint64_t most = 0;
  for (const auto& [from, channels] : channels_) {
    if (from != process) most += channels.size();
  }
  const auto arrived = arrived_.find(process);
  if (arrived == arrived_.end()) return most;
  for (const Message& message : arrived->second) {
    if (message.process != process) --most;
  }
  return most;
}

string PubSubModel::Missed(int subscriber, uint64_t count) {
  Subscriber& who = At(subscriber);
  if (who.over) return "";
  const string what = "subscriber " + to_string(subscriber) + " is told of " +
                      to_string(count) + " lost messages";
  if (!who.gaps) return "P7: " + what + ", and did not ask to be";
  who.told_missed += count;
  // What is on its way now is told of by no gap before it.
  if (count > 0 && who.told_missed <= MostLost(who.process)) return "";
  return "P7: " + what + ", " + to_string(who.told_missed) + " in all, where " +
         to_string(MostLost(who.process)) + " can be";
}

// --------------------------------------------------------------- what follows

void PubSubModel::MustArrive(int subscriber, const Name& name,
                             const Message& message, int64_t now) {
  Due& due = At(subscriber).due[message];
  due.names.insert(name);
  due.since = now;
}

void PubSubModel::WasSent(int subscriber, const Message& message) {
  if (At(subscriber).gaps) At(subscriber).sent.insert(message);
}

void PubSubModel::Excuse(int a, int b) {
  for (Subscriber& who : subscribers_) {
    if (who.process != a && who.process != b) continue;
    const int other = who.process == a ? b : a;
    std::erase_if(who.due, [other](const auto& due) {
      return due.first.process == other;
    });
  }
}

void PubSubModel::ForgetSent() {
  for (Subscriber& who : subscribers_) who.sent.clear();
}

string PubSubModel::Overdue(int64_t now, int64_t patience) const {
  for (size_t i = 0; i < subscribers_.size(); ++i) {
    for (const auto& [message, due] : subscribers_[i].due) {
      if (now - due.since <= patience) continue;
      return "P5: subscriber " + to_string(i) + " at #" +
             to_string(subscribers_[i].process) + " has not been given " +
             ToString(message) + " by " + ToString(*due.names.begin()) + ", " +
             to_string(now - due.since) + " us after it was published";
    }
  }
  return "";
}

bool PubSubModel::Holds(int subscriber, const Name& name) const {
  const Subscriber& who = subscribers_[static_cast<size_t>(subscriber)];
  const auto at = who.names.find(name);
  return !who.over && at != who.names.end() && at->second.on &&
         at->second.added <= who.answered;
}

std::map<string, uint64_t> PubSubModel::Channels() const {
  std::map<string, uint64_t> channels;
  for (const Subscriber& who : subscribers_) {
    if (who.over) continue;
    for (const auto& [name, subscription] : who.names) {
      if (subscription.on && !name.pattern) ++channels[name.text];
    }
  }
  return channels;
}

std::set<string> PubSubModel::Patterns() const {
  std::set<string> patterns;
  for (const Subscriber& who : subscribers_) {
    if (who.over) continue;
    for (const auto& [name, subscription] : who.names) {
      if (subscription.on && name.pattern) patterns.insert(name.text);
    }
  }
  return patterns;
}

uint64_t PubSubModel::Matching(std::string_view channel) const {
  uint64_t matching = 0;
  for (const Subscriber& who : subscribers_) {
    if (who.over) continue;
    for (const auto& [name, subscription] : who.names) {
      matching += subscription.on && name.Matches(channel);
    }
  }
  return matching;
}

bool PubSubModel::AllAnswered() const {
  return std::all_of(subscribers_.begin(), subscribers_.end(),
                     [](const Subscriber& who) {
                       return who.over || who.answered == who.asked;
                     });
}

}  // namespace muster::sim
