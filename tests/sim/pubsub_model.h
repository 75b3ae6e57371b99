// What pub/sub must do, as the simplest thing that can be: who subscribes to
// what, what was published, and what each subscriber was given of it. It knows
// nothing of streams, mailboxes or links, and includes nothing of the product.
//
//   subscriber 0 at #1: news, chat.*      #0 publishes 1 on chat.a, 2 on news
//     due of #0: 1 by chat.*, 2 by news   given 2 by news --> 1 is lost: P5
//
// Rules, broken ones are returned as text:
//   P1 a message that is given was published, on that channel, and the name it
//      is given by matches and was asked for;
//   P2 it is given once at most by each name;
//   P3 what one node published comes in that order, over all names;
//   P4 nothing comes by a name after its unsubscribe was answered;
//   P5 what is due arrives;
//   P7 a subscriber that asked for gaps is told of at least what is known to be
//      lost, and of no more than can be;
//   P8 requests are answered once, in their order.
// (P6, of counts, P9 and P10 are the adapter's: tests/sim/subscribers.h.)
//
// Units: microseconds of simulated time. A *process* is one life of a node.
#ifndef MUSTER_TESTS_SIM_PUBSUB_MODEL_H_
#define MUSTER_TESTS_SIM_PUBSUB_MODEL_H_

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::sim {

// A glob as Redis has it: * ? [a-c] [^a] and \ before what is meant literally.
bool GlobMatches(std::string_view glob, std::string_view text);

class PubSubModel {
 public:
  struct Name {
    bool pattern = false;
    std::string text;
    auto operator<=>(const Name&) const = default;
    bool Matches(std::string_view channel) const {
      return pattern ? GlobMatches(text, channel) : text == channel;
    }
  };
  // The publisher's process, and a number of its own, from 1 on.
  struct Message {
    int process = 0;
    uint64_t number = 0;
    auto operator<=>(const Message&) const = default;
  };
  struct Subscription {
    bool on = false;
    uint64_t added = 0;    // The requests that
    uint64_t removed = 0;  // changed it last.
  };
  struct Due {
    std::set<Name> names;
    int64_t since = 0;
  };
  struct Subscriber {
    int process = 0;
    bool gaps = false;
    bool over = false;  // Closed, or its process has ended.
    uint64_t asked = 0;
    uint64_t answered = 0;
    std::map<Name, Subscription> names;
    std::map<Message, std::set<Name>> given;
    std::map<int, uint64_t> last;  // Of each publisher.
    std::map<Message, Due> due;
    // What was sent here for certain and was not given yet; if `gaps`.
    std::set<Message> sent;
    uint64_t told_missed = 0;
    uint64_t known_lost = 0;
  };

  // ---- what clients did, and were told ----
  int Open(int process, bool gaps);
  // Returns the number of the request.
  uint64_t Asked(int subscriber, const std::vector<Name>& remove,
                 const std::vector<Name>& add);
  [[nodiscard]] std::string Answered(int subscriber, uint64_t request);
  void Closed(int subscriber);
  void ProcessGone(int process);
  Message Published(int process, const std::string& channel);
  [[nodiscard]] std::string Given(int subscriber, const Name& name,
                                  const std::string& channel,
                                  const Message& message);
  // So many were lost on their way to its process.
  [[nodiscard]] std::string Missed(int subscriber, uint64_t count);

  // ---- what must follow ----
  // The message must arrive by this name, from `now` on.
  void MustArrive(int subscriber, const Name& name, const Message& message,
                  int64_t now);
  // It was on its way to the subscriber's process: if it does not arrive, its
  // loss is told.
  void WasSent(int subscriber, const Message& message);
  // What is on its way between the two, either way, may be lost.
  void Excuse(int a, int b);
  // Its loss need not be told either.
  void ForgetSent();
  // The first that is due for longer than `patience`, or empty.
  std::string Overdue(int64_t now, int64_t patience) const;

  // Whether the name holds: it was asked for, and that was answered.
  bool Holds(int subscriber, const Name& name) const;
  // Of all names that are asked for.
  std::map<std::string, uint64_t> Channels() const;
  std::set<std::string> Patterns() const;
  // Subscriptions that a message of this channel meets.
  uint64_t Matching(std::string_view channel) const;
  bool AllAnswered() const;

  const std::vector<Subscriber>& subscribers() const { return subscribers_; }
  uint64_t given() const { return given_; }
  uint64_t published() const { return published_; }
  uint64_t known_lost() const { return known_lost_; }

 private:
  Subscriber& At(int subscriber) {
    return subscribers_[static_cast<size_t>(subscriber)];
  }
  std::string Order(Subscriber& to, const Message& message);
  std::string Lost(Subscriber& to, const Message& message);
  // The most that can have been lost on its way to a process.
  uint64_t MostLost(int process) const;

  std::vector<Subscriber> subscribers_;
  // Of each process, the channels of what it published.
  std::map<int, std::vector<std::string>> channels_;
  // Of each process, what any of its subscribers was given.
  std::map<int, std::set<Message>> arrived_;
  uint64_t given_ = 0;
  uint64_t published_ = 0;
  uint64_t known_lost_ = 0;
};

std::string ToString(const PubSubModel::Name& name);
std::string ToString(const PubSubModel::Message& message);

}  // namespace muster::sim

#endif  // MUSTER_TESTS_SIM_PUBSUB_MODEL_H_
