// fuzz_seeds DIR: writes DIR/TARGET/seed-NN for every target.
#include "tests/fuzz/seeds.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "crdt/message_bytes.h"
#include "tests/codec/keyspace_samples.h"
#include "tests/codec/peer_samples.h"

namespace muster::fuzz {
namespace {

using codec::Flat;

std::string Framed(decltype(core::Frame::body) body) {
  return Flat(codec::EncodeFrame({40, std::move(body)}));
}

std::string RebasePut() {
  core::RebaseFrame frame = codec::SampleRebase(core::RebaseFrame::Kind::kPut);
  std::string bytes;
  crdt::AppendElementSeq(crdt::Seq(0), crdt::Seq(5), bytes);
  const crdt::EntryContent entry{
      crdt::ElementId(3), "room", "ann", "{}", {}, {}};
  crdt::EncodePutEntry(crdt::Seq(5), crdt::ElementId(5), entry, bytes);
  frame.count = 1;
  frame.payload = std::make_shared<const std::string>(std::move(bytes));
  return Framed(frame);
}

std::string RebaseDelta() {
  core::RebaseFrame frame =
      codec::SampleRebase(core::RebaseFrame::Kind::kDelta);
  frame.seq = crdt::Seq(6);
  frame.count = 2;
  frame.payload = codec::SampleMutations();
  return Framed(frame);
}

// Every kind of mutation, for seqs from 5 on.
std::string Mutations() {
  using crdt::ElementId;
  using crdt::Seq;
  std::string bytes;
  crdt::SessionContent session;
  session.session = {1, 2};
  session.epoch = 300;
  session.grace_ms = 5000;
  session.state = crdt::SessionState::kConnected;
  EncodePutSession(Seq(5), ElementId(5), session, bytes);
  crdt::EntryContent entry{ElementId(5), "room", "ann", "{}", {}, {}};
  EncodePutEntry(Seq(6), ElementId(6), entry, bytes);
  entry.ref = {7, ElementId(3), Seq(4)};
  EncodePutEntry(Seq(7), ElementId(7), entry, bytes);
  entry.root = {8, ElementId(2)};
  EncodePutEntry(Seq(8), ElementId(8), entry, bytes);
  EncodeRemove(crdt::Mutation::Kind::kRemoveEntry, Seq(9), ElementId(6), bytes);
  session.state = crdt::SessionState::kMoved;
  session.moved_life = {3, 4};
  session.moved_seq = Seq(200);
  EncodePutSession(Seq(10), ElementId(5), session, bytes);
  EncodeRemove(crdt::Mutation::Kind::kRemoveSession, Seq(11), ElementId(5),
               bytes);
  return bytes;
}

std::string Mail() {
  std::string messages;
  crdt::AppendMessage("news", "hi", messages);
  core::MailFrame mail{5, 7, 1, crdt::Seq(9),
                       std::make_shared<const std::string>(messages)};
  mail.kv = {codec::kTerm, crdt::Seq(5)};
  return codec::BytesOf(mail);
}

void AddHandshakeSeeds(Seeds& seeds) {
  const std::string hello = WithLength(Flat(EncodeHello(codec::SampleHello())));
  const std::string proof = WithLength(Flat(codec::EncodeProof({})));
  const std::string refusal =
      WithLength(Flat(codec::EncodeRefusal({"no", true})));
  codec::Hello other = codec::SampleHello();
  other.cluster = "other";
  const std::string foreign = WithLength(Flat(EncodeHello(other)));
  other = codec::SampleHello();
  other.protocol_min = other.protocol_max = 9;
  const std::string newer = WithLength(Flat(EncodeHello(other)));
  other = codec::SampleHello();
  other.probe = true;
  const std::string probe = WithLength(Flat(EncodeHello(other)));
  for (char mode = 0; mode < 16; ++mode) {
    seeds["handshake"].push_back(mode + hello + proof);
  }
  for (const std::string& first : {foreign, newer, probe, refusal, proof}) {
    seeds["handshake"].push_back('\0' + first + proof);
  }
}

}  // namespace

void AddPeerSeeds(Seeds& seeds) {
  using Kind = core::RebaseFrame::Kind;
  std::vector<std::string>& frames = seeds["peer_frame"];
  frames = {
      Framed(codec::SamplePositions()),
      Framed(core::PullFrame{codec::kStream, crdt::Seq(4), false, 9, true}),
      Framed(codec::SampleDelta()),
      Framed(codec::SampleRebase(Kind::kBegin)),
      Framed(codec::SampleKeep()),
      RebasePut(),
      RebaseDelta(),
      Framed(codec::SampleRebase(Kind::kEnd)),
      Framed(core::CheckpointFrame{codec::kStream, crdt::Seq(4), 77}),
      Framed(core::AckFrame{1000}),
      Framed(codec::SampleMembers()),
      Framed(core::AskFrame{codec::kLife, 8}),
      Framed(core::BeatReport{codec::kLife, 8, absl::Seconds(1)}),
      Framed(core::LeavingFrame{}),
      Framed(core::EvictFrame{7, "room", "ann", "spam"}),
      Framed(core::ForgetFrame{8, "b"}),
      Framed(core::OrderAnswerFrame{9, 3, "no"}),
      Flat(EncodeHello(codec::SampleHello())),
      Flat(codec::EncodeProof({std::string(codec::kProofBytes, 'm')})),
      Flat(codec::EncodeRefusal({"no", true})),
  };
  frames.push_back(Mail());
  for (const core::KvBody& body : codec::KeyspaceSamples()) {
    frames.push_back(codec::BytesOf(body));
  }
  seeds["beat"] = {codec::EncodeDatagram(codec::SampleBeat(), 1, ""),
                   codec::EncodeDatagram(codec::SampleBeat(), 2, "")};
  AddHandshakeSeeds(seeds);
  const std::string first("\x05\x00", 2);
  seeds["mutation"] = {
      first + Mutations(),
      first + std::string("\x05\x02\x80\x01", 4),
      // Two elements, as in a rebase.
      first + "\x05" + *codec::SampleMutations(),
      first + "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 and plain text",
  };
}

}  // namespace muster::fuzz

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  if (argc != 2) {
    std::fprintf(stderr, "usage: fuzz_seeds DIR\n");
    return 2;
  }
  muster::fuzz::Seeds seeds;
  muster::fuzz::AddPeerSeeds(seeds);
  muster::fuzz::AddClientSeeds(seeds);
  muster::fuzz::AddKeyspaceSeeds(seeds);
  muster::fuzz::AddKvSeeds(seeds);
  muster::fuzz::AddReplicaSeeds(seeds);
  for (const auto& [target, inputs] : seeds) {
    const fs::path folder = fs::path(argv[1]) / target;
    fs::create_directories(folder);
    for (size_t i = 0; i < inputs.size(); ++i) {
      std::ofstream out(folder / ("seed-" + std::to_string(i)),
                        std::ios::binary);
      out.write(inputs[i].data(),
                static_cast<std::streamsize>(inputs[i].size()));
    }
  }
  return 0;
}
