#include "tests/transport/fake_node.h"

#include <future>
#include <thread>

#include "crdt/mutation.h"

namespace muster::peer {
namespace {

crdt::LifeId LifeOf(const std::string& name) {
  return {std::hash<std::string>()(name) | 1, 7};
}

TransportOptions OptionsOf(const std::string& name, LinkPolicy policy) {
  TransportOptions options;
  options.policy = std::move(policy);
  if (options.policy.address.empty()) {
    options.policy.address = name + ".test:7700";
  }
  options.max_inbound = 8;
  options.seed = 1;
  return options;
}

}  // namespace

bool Await(const std::function<bool()>& holds) {
  auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

FakeNode::FakeNode(std::string name, LinkPolicy policy,
                   std::unique_ptr<Connector> connector)
    : origin_{name, crdt::Incarnation(1), LifeOf(name)},
      loop_(std::make_shared<Loop>()),
      transport_(std::make_unique<PeerTransport>(
          loop_, OptionsOf(name, std::move(policy)), std::move(connector),
          *this)) {
  loop_->Start();
}

FakeNode::~FakeNode() { Stop(); }

void FakeNode::Stop() {
  if (std::exchange(stopped_, true)) return;
  auto done = std::make_shared<std::promise<void>>();
  loop_->Post(
      [this, done] { transport_->Shutdown([done] { done->set_value(); }); });
  done->get_future().wait_for(std::chrono::seconds(5));
  loop_->Stop();
}

void FakeNode::Do(std::function<void(PeerTransport&)> body) {
  std::promise<void> done;
  loop_->Post([&] {
    body(*transport_);
    done.set_value();
  });
  done.get_future().wait();
}

void FakeNode::OnLinkUp(core::LinkId link, const core::PeerHello& hello) {
  std::lock_guard<std::mutex> lock(mutex_);
  events_.up.push_back({link, hello});
}
void FakeNode::OnLinkDown(core::LinkId link, const std::string& why) {
  std::lock_guard<std::mutex> lock(mutex_);
  events_.down.push_back({link, why});
}
void FakeNode::OnFrame(core::LinkId link, core::Frame frame) {
  std::lock_guard<std::mutex> lock(mutex_);
  events_.frames.emplace_back(link, std::move(frame));
}
void FakeNode::OnRefused(const std::string& address, const std::string& why) {
  std::lock_guard<std::mutex> lock(mutex_);
  events_.refused.emplace_back(address, why);
}

void FakeNode::OnDatagram(const core::BeatDatagram& beat) {
  std::lock_guard<std::mutex> lock(mutex_);
  events_.beats.push_back(beat);
}
void FakeNode::OnProbe(uint64_t token, ConnectOutcome outcome) {
  std::lock_guard<std::mutex> lock(mutex_);
  events_.probes.emplace_back(token, outcome);
}
void FakeNode::OnHelloProbe(uint64_t token, crdt::LifeId life) {
  std::lock_guard<std::mutex> lock(mutex_);
  events_.lives.emplace_back(token, life);
}

core::Frame AckOf(uint64_t number) { return {1, core::AckFrame{number}}; }

core::Frame DeltaOf(uint64_t first, size_t bytes) {
  std::string meta(bytes, 'm');
  std::string mutations;
  crdt::EncodePutEntry(crdt::Seq(first), crdt::ElementId(first),
                       {crdt::ElementId(1), "topic", "key", meta, {}},
                       mutations);
  return {1, core::DeltaFrame{
                 {{1, 2}, crdt::StreamKind::kPresence},
                 crdt::Seq(first),
                 1,
                 std::make_shared<const std::string>(std::move(mutations))}};
}

core::Frame RebaseOf(uint64_t number) {
  core::RebaseFrame frame;
  frame.stream = {{1, 2}, crdt::StreamKind::kPresence};
  frame.number = number;
  frame.payload = std::make_shared<const std::string>();
  return {1, std::move(frame)};
}

}  // namespace muster::peer
