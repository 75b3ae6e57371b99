// A peer transport on a loop, with a core that only writes down what it is
// told. Two of them, in one process, are a cluster for these tests.
#ifndef MUSTER_TESTS_TRANSPORT_FAKE_NODE_H_
#define MUSTER_TESTS_TRANSPORT_FAKE_NODE_H_

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "node/runtime/loop.h"
#include "transport/peer/events.h"
#include "transport/peer/peer_transport.h"

namespace muster::peer {

// Waits until `holds`, looking every few milliseconds; false after ten seconds.
bool Await(const std::function<bool()>& holds);

class FakeNode : public PeerEvents {
 public:
  struct Up {
    core::LinkId link;
    core::PeerHello hello;
  };
  struct Down {
    core::LinkId link;
    std::string why;
  };
  struct Events {
    std::vector<Up> up;
    std::vector<Down> down;
    std::vector<std::pair<core::LinkId, core::Frame>> frames;
    std::vector<core::BeatDatagram> beats;
    std::vector<std::pair<std::string, std::string>> refused;
    std::vector<std::pair<uint64_t, ConnectOutcome>> probes;
    std::vector<std::pair<uint64_t, crdt::LifeId>> lives;
  };

  FakeNode(std::string name, LinkPolicy policy,
           std::unique_ptr<Connector> connector);
  ~FakeNode() override;

  // Runs `body` on the loop and waits for it.
  void Do(std::function<void(PeerTransport&)> body);
  // A look at what happened so far.
  template <typename Look>
  auto See(Look look) {
    std::lock_guard<std::mutex> lock(mutex_);
    return look(static_cast<const Events&>(events_));
  }
  size_t links_up() {
    return See([](const Events& e) { return e.up.size(); });
  }
  size_t links_down() {
    return See([](const Events& e) { return e.down.size(); });
  }
  core::LinkId last_link() {
    return See([](const Events& e) { return e.up.back().link; });
  }
  uint64_t counter(Counter counter) {
    return transport_->counters().Get(counter);
  }
  // Ends links and the loop. Idempotent.
  void Stop();

  PeerTransport& transport() { return *transport_; }
  const std::shared_ptr<Loop>& loop() const { return loop_; }
  const crdt::Origin& origin() const { return origin_; }

  // PeerEvents
  crdt::Origin Self() override { return origin_; }
  void OnLinkUp(core::LinkId link, const core::PeerHello& hello) override;
  void OnLinkDown(core::LinkId link, const std::string& why) override;
  void OnFrame(core::LinkId link, core::Frame frame) override;
  void OnRefused(const std::string& address, const std::string& why) override;
  void OnDatagram(const core::BeatDatagram& beat) override;
  void OnInbound(const std::string&, bool) override {}
  void OnUdpUnavailable(const std::string&) override {}
  void OnProbe(uint64_t token, ConnectOutcome outcome) override;
  void OnHelloProbe(uint64_t token, crdt::LifeId life) override;

 private:
  const crdt::Origin origin_;
  const std::shared_ptr<Loop> loop_;
  std::unique_ptr<PeerTransport> transport_;
  bool stopped_ = false;
  std::mutex mutex_;
  Events events_;
};

// A control frame, a delta and a rebase frame that can be told apart.
core::Frame AckOf(uint64_t number);
core::Frame DeltaOf(uint64_t first, size_t bytes);
core::Frame RebaseOf(uint64_t number);

}  // namespace muster::peer

#endif  // MUSTER_TESTS_TRANSPORT_FAKE_NODE_H_
