// Runs a driven replica against a real one, "b", and writes down what the
// former was told.
#include <utility>

#include "node/codec/peer_codec.h"
#include "tests/fuzz/replica_driver.h"
#include "tests/fuzz/seeds.h"

namespace muster::fuzz {
namespace {

class Recording {
 public:
  Recording()
      : b_(OptionsOfB(), ReplicaDriver::HelloOf(0).origin.life, 2, now()) {
    b_.Tick(now());
    // Alone at first, as "a" is.
    for (int i = 0; i < 10 && !b_.ready(); ++i) Tick(500);
  }

  const std::string& bytes() const { return bytes_; }

  void Say(Input input, absl::string_view operands) {
    std::string bytes(1, static_cast<char>(input));
    bytes.append(operands.data(), operands.size());
    bytes_ += bytes;
    ByteSource source(reinterpret_cast<const uint8_t*>(bytes.data()),
                      bytes.size());
    driver_.Step(source);
  }
  void Connect() {
    Say(Input::kLinkUp, std::string(1, '\0'));
    core::PeerHello hello = ReplicaDriver::HelloOf(1);
    hello.origin = {"a", crdt::Incarnation(1'000'000), {1, 1}};
    hello.address = "a:1";
    hello.outbound = true;
    hello.dialed = "a:1";
    b_.OnLinkUp(1, hello, now());
    linked_ = true;
  }
  void Cut() {
    Say(Input::kLinkDown, std::string(1, '\0'));
    b_.OnLinkDown(1, "cut", now());
    linked_ = false;
  }
  // Time passes for both, and what they send arrives.
  void Tick(uint16_t milliseconds) {
    at_ = at_ + absl::Milliseconds(milliseconds);
    wall_us_ += milliseconds * int64_t{1000};
    const char operands[] = {static_cast<char>(milliseconds & 0xff),
                             static_cast<char>(milliseconds >> 8)};
    Say(Input::kTick, absl::string_view(operands, 2));
    b_.Tick(now());
    for (int i = 0; i < 20; ++i) Exchange();
  }
  core::Replica& b() { return b_; }
  core::Now now() const { return {at_, wall_us_}; }

 private:
  static core::Options OptionsOfB() {
    core::Options options;
    options.node = "b";
    options.address = "b:1";
    options.replication.log_bytes = 2048;
    return options;
  }

  void Exchange() {
    b_.RunJobs(now());
    core::Output output = std::exchange(b_.output(), {});
    for (const core::SendFrame& send : output.frames) {
      const codec::EncodedFrame frame = codec::EncodeFrame(send.frame);
      Say(Input::kFrame,
          '\0' +
              WithLength(frame.head + (frame.payload ? *frame.payload : "")));
    }
    for (const core::SendBeat& beat : output.beats) {
      Say(Input::kDatagram, WithLength(codec::EncodeDatagram(
                                *beat.beat, ReplicaDriver::kCluster, "")));
    }
    Say(Input::kJobs, "");
    for (core::SendFrame& send : driver_.TakeFrames()) {
      if (linked_) b_.OnFrame(1, std::move(send.frame), now());
    }
  }

  core::Instant at_{1'000'000'000};
  int64_t wall_us_ = 5 - 500 * 1000;  // Its name is admitted as 5.
  ReplicaDriver driver_;
  core::Replica b_;
  bool linked_ = false;
  std::string bytes_;
};

constexpr crdt::SessionId kSession{0x5e55, 3};

void Hold(Recording& recording, int entries) {
  core::Replica& b = recording.b();
  const core::Now now = recording.now();
  b.OpenSession({kSession, true, {}, absl::Seconds(10), 0}, now)
      .status()
      .IgnoreError();
  core::ApplyRequest request;
  request.session = kSession;
  const std::string meta(40, 'm');
  for (int i = 0; i < entries; ++i) {
    request.track.push_back({"t1", "k1", meta, true});
  }
  const auto reply = b.Apply(request, now);
  if (!reply.ok() || reply->tracked.empty()) return;
  core::ApplyRequest change;
  change.session = kSession;
  change.untrack = {reply->tracked.front()};
  if (entries > 1) change.update.push_back({reply->tracked.back(), "new"});
  b.Apply(change, now).status().IgnoreError();
}

// Sessions of "a" itself: open, track, update, untrack, resume.
void Work(Recording& recording) {
  const auto say = [&recording](Input input, std::string operands) {
    recording.Say(input, operands);
  };
  say(Input::kWatch, std::string("\x04\x01", 2));
  say(Input::kWatch, std::string("\x02\x01", 2));
  say(Input::kWatch, std::string("\x08\x01", 2));
  say(Input::kOpen, std::string("\x01\x20", 2));
  say(Input::kTrack, std::string("\x01\x01\x01", 3) + WithLength("{}"));
  say(Input::kTrack, std::string("\x01\x02\x82", 3) + WithLength("{}"));
  say(Input::kUpdate, std::string("\x01\x00", 2) + WithLength("[]"));
  say(Input::kRead, std::string("\x01\x01\x00", 3));
  say(Input::kUntrack, std::string("\x01\x01", 2));
  say(Input::kDisconnect, std::string("\x01", 1));
  say(Input::kResume, std::string("\x01\x02\xff\x00", 4));
}

// Of administrators, here and at "b".
void Administer(Recording& recording) {
  const auto hear = [&recording](decltype(core::Frame::body) body) {
    const codec::EncodedFrame frame = codec::EncodeFrame({40, std::move(body)});
    recording.Say(Input::kFrame, '\0' + WithLength(frame.head));
  };
  hear(core::EvictFrame{1, "t1", "k1", "why"});
  hear(core::ForgetFrame{2, "c"});
  recording.Say(Input::kDrain, std::string("\x05", 1));
  recording.Say(Input::kDrain, std::string("\x10", 1));
  hear(core::OrderAnswerFrame{1, 1, ""});
}

}  // namespace

void AddReplicaSeeds(Seeds& seeds) {
  // All of the log, a rebase, and what is cut in between.
  for (const int entries : {2, 60}) {
    for (const int times : {1, 3}) {
      Recording recording;
      Hold(recording, entries);
      recording.Connect();
      for (int i = 0; i < 8; ++i) recording.Tick(100);
      Work(recording);
      for (int i = 1; i < times; ++i) {
        recording.Cut();
        recording.Tick(100);
        Hold(recording, entries);
        recording.Tick(1500);
        recording.Connect();
        for (int j = 0; j < 4; ++j) recording.Tick(200);
      }
      // The session of "b" is resumed at "a".
      recording.Say(Input::kResume, std::string("\x02\x05\xff\xff", 4));
      for (int i = 0; i < 4; ++i) recording.Tick(200);
      Administer(recording);
      for (int i = 0; i < 4; ++i) recording.Tick(200);
      recording.Say(Input::kClose, std::string("\x01", 1));
      recording.Cut();
      recording.Tick(5000);
      recording.Say(Input::kProbe, std::string("\x01", 1));
      recording.Tick(20000);
      seeds["replica"].push_back(recording.bytes());
    }
  }
}

}  // namespace muster::fuzz
