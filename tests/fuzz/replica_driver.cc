#include "tests/fuzz/replica_driver.h"

#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "crdt/check.h"
#include "node/codec/peer_codec.h"

namespace muster::fuzz {
namespace {

// Small, so that their ends are met.
core::Options SmallOptions() {
  core::Options options;
  options.node = "a";
  options.address = "a:1";
  options.max_members = 6;
  options.replication.log_bytes = 2048;
  options.replication.window_bytes = 4096;
  options.sessions.max_sessions = 8;
  options.sessions.max_entries_per_session = 16;
  options.watch.max_watchers = 4;
  options.watch.history = 16;
  options.watch.max_queued = 4;
  return options;
}

crdt::SessionId SessionOf(uint8_t number) { return {0x5e55, number % 8u + 1}; }
std::string TopicOf(uint8_t number) { return absl::StrCat("t", number % 4); }
std::string KeyOf(uint8_t number) { return absl::StrCat("k", number % 4); }

}  // namespace

core::PeerHello ReplicaDriver::HelloOf(int number) {
  const auto n = static_cast<uint64_t>(number);
  core::PeerHello hello;
  hello.origin.node = std::string(1, static_cast<char>('b' + number));
  hello.origin.incarnation = crdt::Incarnation(5);
  hello.origin.life = {n + 2, n + 2};
  hello.address = absl::StrCat(hello.origin.node, ":1");
  hello.rtt = absl::Milliseconds(1);
  // The last one is another life of the first one's name.
  if (number == kPeers - 1) {
    hello.origin.node = "b";
    hello.origin.incarnation = crdt::Incarnation(9);
    hello.address = "b:1";
  }
  return hello;
}

ReplicaDriver::ReplicaDriver() : replica_(SmallOptions(), {1, 1}, 1, now()) {
  TakeOutput();
  // Alone, and so ready, once nobody has answered.
  for (int i = 0; i < 10 && !replica_.ready(); ++i) OnTick(500);
  core::WatchRequest request;
  request.prefix = "t";
  const auto watch = replica_.Watch(request, now());
  MUSTER_CHECK(watch.ok());
  everything_ = *watch;
  TakeOutput();
}

bool ReplicaDriver::Step(ByteSource& source) {
  const Input input{static_cast<uint8_t>(source.Byte() %
                                         static_cast<uint8_t>(Input::kInputs))};
  switch (input) {
    case Input::kFrame:
      OnFrame(source);
      break;
    case Input::kDatagram: {
      const auto beat = codec::DecodeDatagram(source.Text(), kCluster, "");
      if (beat.ok()) replica_.OnDatagram(*beat, now());
      break;
    }
    case Input::kLinkUp:
      OnLinkUp(source.Byte() % kPeers);
      break;
    case Input::kLinkDown:
      OnLinkDown(source.Byte() % kPeers);
      break;
    case Input::kTick:
      OnTick(source.Short());
      break;
    case Input::kJobs:
      replica_.RunJobs(now());
      break;
    case Input::kOpen: {
      const crdt::SessionId session = SessionOf(source.Byte());
      const absl::Duration grace = absl::Milliseconds(100) * source.Byte();
      replica_.OpenSession({session, true, {}, grace, 0}, now())
          .status()
          .IgnoreError();
      break;
    }
    case Input::kTrack:
      Track(source);
      break;
    case Input::kUpdate:
      Update(source);
      break;
    case Input::kUntrack:
      Untrack(source);
      break;
    case Input::kResume:
      Resume(source);
      break;
    case Input::kDisconnect:
      replica_.Disconnect(SessionOf(source.Byte()), now());
      break;
    case Input::kClose:
      replica_.CloseSession(SessionOf(source.Byte()), now()).IgnoreError();
      break;
    case Input::kProbe:
      OnProbe(source.Byte());
      break;
    case Input::kWatch:
      Watch(source);
      break;
    case Input::kRead:
      Read(source);
      break;
    case Input::kDrain:
      Administer(source.Byte());
      break;
    case Input::kInputs:
      break;
  }
  TakeOutput();
  return !gone_;
}

void ReplicaDriver::OnFrame(ByteSource& source) {
  const auto link = links_.find(source.Byte() % kPeers);
  auto message = codec::DecodeMessage(source.Text());
  if (link == links_.end() || !message.ok()) return;
  auto* frame = std::get_if<core::Frame>(&*message);
  if (frame == nullptr) return;
  replica_.OnFrame(link->second, std::move(*frame), now());
}

void ReplicaDriver::OnLinkUp(int number) {
  if (links_.count(number) != 0) return;
  links_[number] = ++last_link_;
  replica_.OnLinkUp(last_link_, HelloOf(number), now());
}

void ReplicaDriver::OnLinkDown(int number) {
  const auto link = links_.find(number);
  if (link == links_.end()) return;
  const core::LinkId id = link->second;
  links_.erase(link);
  replica_.OnLinkDown(id, "cut", now());
}

void ReplicaDriver::OnTick(uint16_t milliseconds) {
  at_ = at_ + absl::Milliseconds(milliseconds);
  wall_us_ += milliseconds * int64_t{1000};
  replica_.Tick(now());
  TakeOutput();
}

crdt::Ref ReplicaDriver::RefOf(uint8_t number) const {
  return refs_.empty() ? crdt::Ref() : refs_[number % refs_.size()];
}

void ReplicaDriver::Apply(const core::ApplyRequest& request) {
  const auto reply = replica_.Apply(request, now());
  if (!reply.ok()) return;
  for (const auto* given : {&reply->tracked, &reply->updated}) {
    for (const crdt::Ref& ref : *given) {
      if (!ref.IsNone()) refs_.push_back(ref);
    }
  }
  if (refs_.size() > kMaxRefs) refs_.erase(refs_.begin());
}

void ReplicaDriver::Track(ByteSource& source) {
  core::ApplyRequest request;
  request.session = SessionOf(source.Byte());
  const std::string topic = TopicOf(source.Byte());
  const uint8_t key_byte = source.Byte();
  const std::string key = KeyOf(key_byte);
  request.track.push_back({topic, key, source.Text(), (key_byte & 0x80) != 0});
  Apply(request);
}

void ReplicaDriver::Update(ByteSource& source) {
  core::ApplyRequest request;
  request.session = SessionOf(source.Byte());
  const crdt::Ref ref = RefOf(source.Byte());
  request.update.push_back({ref, source.Text()});
  if (!ref.IsNone()) Apply(request);
}

void ReplicaDriver::Untrack(ByteSource& source) {
  core::ApplyRequest request;
  request.session = SessionOf(source.Byte());
  const crdt::Ref ref = RefOf(source.Byte());
  request.untrack.push_back(ref);
  if (!ref.IsNone()) Apply(request);
}

void ReplicaDriver::Resume(ByteSource& source) {
  core::ResumeRequest request;
  request.open = {SessionOf(source.Byte()), true, {}, absl::Seconds(5), 0};
  request.resume_number = source.Byte();
  const uint16_t keep = source.Short();
  for (size_t i = 0; i < refs_.size(); ++i) {
    if ((keep >> (i % 16) & 1) == 0) continue;
    const std::string topic = TopicOf(static_cast<uint8_t>(keep + i));
    const std::string key = KeyOf(static_cast<uint8_t>(i));
    request.entries.push_back(
        {request.arena.Copy(topic), request.arena.Copy(key), {}, refs_[i], {}});
  }
  replica_.Resume(++last_request_, std::move(request), now());
}

// Drains only if it is really meant, since nothing follows.
void ReplicaDriver::Administer(uint8_t what) {
  if (what == kReally) return replica_.Drain(now());
  if (what < 16) {
    replica_.Evict(++last_request_, {TopicOf(what), KeyOf(what >> 2), "why"},
                   now());
  } else if (what < 32) {
    replica_.Forget(++last_request_, HelloOf(what % kPeers).origin.node, now());
  }
}

void ReplicaDriver::OnProbe(uint8_t outcome) {
  using Outcome = core::Replica::ProbeOutcome;
  if (!probes_.empty()) {
    const uint64_t token = probes_.back();
    probes_.pop_back();
    replica_.OnProbe(token, Outcome{outcome % 3}, now());
  } else if (!hello_probes_.empty()) {
    const uint64_t token = hello_probes_.back();
    hello_probes_.pop_back();
    replica_.OnHelloProbe(token, {outcome, outcome}, now());
  }
}

void ReplicaDriver::Watch(ByteSource& source) {
  const uint8_t kind = source.Byte();
  const uint8_t name = source.Byte();
  if ((kind & 1) != 0 && !watches_.empty()) {
    replica_.EndWatch(watches_.front());
    watches_.erase(watches_.begin());
    return;
  }
  core::WatchRequest request;
  request.interval = absl::Milliseconds(100);
  request.counts_only = (kind & 2) != 0;
  if ((kind & 32) != 0) {
    request.detail = (kind & 64) != 0 ? core::WatchDetail::kKeys
                                      : core::WatchDetail::kEntriesAndKeys;
  }
  if ((kind & 4) != 0) {
    request.topics = {TopicOf(name)};
  } else if ((kind & 8) != 0) {
    request.keys = {KeyOf(name)};
  } else {
    request.prefix = "t";
  }
  if ((kind & 16) != 0) {
    request.version_life = {1, 1};
    request.version_counter = name;
  }
  const auto watch = replica_.Watch(request, now());
  if (watch.ok()) watches_.push_back(*watch);
}

void ReplicaDriver::Read(ByteSource& source) {
  const std::string topic = TopicOf(source.Byte());
  const std::string key = KeyOf(source.Byte());
  replica_.List(topic, 2, source.Byte());
  replica_.Get(topic, key);
  replica_.CountKey(key);
  replica_.TopicsOf(key, "", 2);
  replica_.Explain(topic, key, now());
  replica_.Members(now());
  replica_.Status(now());
}

// ------------------------------------------------------------------- output

std::vector<core::SendFrame> ReplicaDriver::TakeFrames() {
  return std::exchange(frames_, {});
}

void ReplicaDriver::TakeOutput() {
  core::Output output = std::exchange(replica_.output(), {});
  more_work_ = output.more_work;
  for (core::SendFrame& send : output.frames) {
    codec::EncodeFrame(send.frame);
    frames_.push_back(std::move(send));
  }
  for (const core::SendBeat& beat : output.beats) {
    codec::EncodeDatagram(*beat.beat, kCluster, "");
  }
  for (const core::ConnectProbe& probe : output.probes) {
    probes_.push_back(probe.token);
  }
  for (const core::HelloProbe& probe : output.hello_probes) {
    hello_probes_.push_back(probe.token);
  }
  std::map<core::WatchId, size_t> written;
  for (const core::WatchEvent& event : output.watch) {
    if (event.watch == everything_) Show(*event.batch);
    ++written[event.watch];
  }
  if (output.exit.has_value()) {
    gone_ = true;
    return;
  }
  for (const core::CloseLink& close : output.closes) {
    for (const auto& [number, link] : links_) {
      if (link != close.link) continue;
      OnLinkDown(number);
      break;
    }
  }
  for (const auto& [watch, batches] : written) {
    replica_.WatchWritten(watch, batches, now());
  }
  if (!written.empty() || !output.closes.empty()) TakeOutput();
}

void ReplicaDriver::Show(const core::WatchBatch& batch) {
  if (batch.reset) {
    shown_.clear();
    state_complete_ = false;
  }
  for (const core::TopicState& state : batch.state) {
    for (const core::EntryView& entry : state.entries) shown_.insert(entry.ref);
  }
  for (const core::TopicDiff& diff : batch.diffs) {
    for (const core::EntryView& entry : diff.joins) shown_.insert(entry.ref);
    for (const core::EntryView& entry : diff.updates) {
      MUSTER_CHECK(!shown_.extract(entry.ref_prev).empty());
      shown_.insert(entry.ref);
    }
    for (const core::EntryView& entry : diff.leaves) {
      MUSTER_CHECK(!shown_.extract(entry.ref).empty());
    }
  }
  state_complete_ |= batch.state_complete;
}

std::multiset<crdt::Ref> ReplicaDriver::ListAll() {
  std::multiset<crdt::Ref> all;
  std::string after;
  for (bool more = true; more;) {
    const core::TopicsReply topics = replica_.Topics("", after, 3);
    for (const core::TopicCount& topic : topics.topics) {
      after = std::string(topic.topic);
      size_t entries = 0;
      uint64_t next = 0;
      do {
        const core::ListReply page = replica_.List(after, 3, next);
        for (const auto& entry : page.entries) {
          if (after[0] == 't') all.insert(entry.ref);
        }
        entries += page.entries.size();
        next = page.next;
      } while (next != 0);
      MUSTER_CHECK(entries == topic.entries);
    }
    after = std::string(topics.next);
    more = !after.empty();
  }
  return all;
}

void ReplicaDriver::Finish() {
  if (gone_) return;
  constexpr int kEnough = 10'000;
  int slices = 0;
  do {
    replica_.RunJobs(now());
    TakeOutput();
  } while (more_work_ && !gone_ && ++slices < kEnough);
  MUSTER_CHECK(slices < kEnough);
  const std::string fault = replica_.Audit();
  if (!fault.empty()) std::fprintf(stderr, "audit: %s\n", fault.c_str());
  MUSTER_CHECK(fault.empty());
  if (gone_) return;
  const std::multiset<crdt::Ref> all = ListAll();
  if (state_complete_) MUSTER_CHECK(all == shown_);
}

}  // namespace muster::fuzz
