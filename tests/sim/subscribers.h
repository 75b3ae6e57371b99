// The clients of pub/sub in a simulation: they subscribe, publish and read, and
// every answer and message goes through the PubSubModel.
//
//   Change --> Replica::Subscribe --> OnHeld --> (an asker's answer: Publish)
//   Publish --> Replica::Publish ---> OnMessages --> PubSubModel::Given
//
// What must arrive is decided as a message is published, by what nobody can
// argue with: its node and the subscriber's have run, and the way between them
// has stood, since long enough before; and the subscriber's node saw the
// publisher's alive when it answered the subscribe. What is done to one of them
// later, before the message comes, excuses it.
//
// Beside the rules of PubSubModel:
//   P6 when all is quiet, each node counts the subscribers of each channel, and
//      a publish the subscriptions that it meets, as the model does;
//   P9 a node of the feature level of before is sent nothing new;
//   P10 no routed frame comes over more links than it may;
//   P11 a message is given only where what its node had subscribed to before is
//      known, but after 2 s: so whoever answers it finds the asker.
#ifndef MUSTER_TESTS_SIM_SUBSCRIBERS_H_
#define MUSTER_TESTS_SIM_SUBSCRIBERS_H_

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/pubsub_model.h"
#include "tests/sim/world.h"

namespace muster::sim {

struct Subscriber {
  int number = -1;  // In the model; −1 until it is open.
  core::SubscriberId id = 0;
  Process* at = nullptr;  // Null: closed, or its process has ended.
  bool gaps = false;
  // Of each name, where its node's interest stood when it was answered, and who
  // was alive for it then.
  struct Answer {
    crdt::Seq interest;
    std::set<int> living;
  };
  std::map<PubSubModel::Name, Answer> answers;
  // Names of requests that are not answered yet.
  std::map<uint64_t, std::vector<PubSubModel::Name>> asked;
  uint64_t messages = 0;
  uint64_t missed = 0;
};

class Subscribers {
 public:
  using Name = PubSubModel::Name;
  using Names = std::vector<Name>;

  explicit Subscribers(World& world) : world_(world) {}

  // ---- what clients do ----
  Subscriber& Open(Process& at, bool gaps, Names names);
  void Change(Subscriber& subscriber, Names remove, Names add);
  void Close(Subscriber& subscriber);
  // In order, in one call.
  void Publish(Process& at, std::vector<std::string> channels);
  std::vector<std::unique_ptr<Subscriber>>& all() { return all_; }

  // Where a publish answers a subscribe at once, one in two does.
  void set_askers(bool askers) { askers_ = askers; }
  // Frames are lost on links that do not break; beats are late; mail is
  // dropped where much of it waits; bytes take their time.
  void set_hostile(bool hostile) { hostile_ = hostile; }
  void set_lossy(bool lossy) { lossy_ = lossy; }
  void set_tight(bool tight) { tight_ = tight; }
  void set_narrow(bool narrow) { narrow_ = narrow; }

  // ---- what is done to the cluster ----
  // `harm`: what is on its way may be lost.
  void TouchHost(int host, bool harm = true);
  void TouchPath(int a, int b, bool harm = true);
  void OnGone(Process& process);
  // A member was forgotten: mail to it, if it comes back, begins anew.
  void OnForget() { model_.ForgetSent(); }

  // ---- what processes say ----
  void OnHeld(Process& from, const core::SubscribeHeld& held);
  void OnMessages(Process& from, const core::MessageDelivery& delivery);
  // P10, as it is sent.
  void OnFrame(Process& from, const core::Frame& frame);

  // ---- quiet points ----
  std::string NotQuiet();
  // Publishes on every channel at every node, and waits until all has come.
  void Round();
  // P5, and begins again after a while.
  void Watch();

  const PubSubModel& model() const { return model_; }

  // ---- for others ----
  std::function<void(const Process& at, const PubSubModel::Message&)>
      on_published;
  std::function<void(Process& at, const PubSubModel::Message&)> on_given;
  // Nothing was wrong for long enough that whatever is connected is settled.
  bool AllUndisturbed();

 private:
  void OpenNow(Subscriber& subscriber, Process& at, core::Replica& replica,
               core::Now now, const Names& names);
  void Ask(Subscriber& subscriber, core::Replica& replica, core::Now now,
           const Names& remove, const Names& add);
  void PublishNow(Process& at, core::Replica& replica, core::Now now,
                  const std::vector<std::string>& channels);
  void Expect(Process& at, const std::string& channel,
              const PubSubModel::Message& message);
  bool MustReach(Process& from, const Subscriber& to, const Name& name);
  // From one's interest as the other has it, and shows it.
  static bool Shows(Process& at, const Process& of, crdt::Seq interest);
  bool Steady(const Process& process, SimTime since) const;
  bool Undisturbed(const Process& a, const Process& b);
  bool Connected(const Process& a, const Process& b);
  bool Open(int a, int b);
  SimTime Settled();
  void Answer(const Names& names);
  // Of the process's interest, as another has it; its own in full.
  static crdt::Seq InterestAt(Process& at, const Process& of);
  void CheckOrder(Process& at, const PubSubModel::Message& message);
  std::string CountsDiffer(Process& process);
  void Check(const std::string& broken) {
    if (!broken.empty()) world_.Fail(broken);
  }

  World& world_;
  PubSubModel model_;
  std::vector<std::unique_ptr<Subscriber>> all_;
  std::map<std::pair<int, core::SubscriberId>, Subscriber*> by_id_;
  std::map<int, SimTime> host_touched_;
  std::map<std::pair<int, int>, SimTime> path_touched_;  // The lower first.
  SimTime touched_ = 0;
  bool harmed_ = false;  // Ever.
  bool askers_ = false;
  bool hostile_ = false;
  bool lossy_ = false;
  bool tight_ = false;
  bool narrow_ = false;
  bool round_ = false;  // One is under way: all must arrive, and all counts.
  std::set<std::string> channels_;  // That were ever named.
  // How far its node's interest went, and when.
  std::map<PubSubModel::Message, std::pair<crdt::Seq, SimTime>> written_;
};

}  // namespace muster::sim

#endif  // MUSTER_TESTS_SIM_SUBSCRIBERS_H_
