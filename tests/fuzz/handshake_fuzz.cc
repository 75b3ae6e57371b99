// The other side of a handshake says anything, in any order. Nobody is
// established who has not said a hello of this cluster and then the proof of
// its secret.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "crdt/check.h"
#include "node/codec/peer_codec.h"
#include "node/codec/peer_proof.h"
#include "tests/fuzz/byte_source.h"
#include "transport/peer/handshake.h"

namespace {

using namespace muster;
using codec::LinkRole;
using peer::Handshake;

constexpr char kCluster[] = "muster";
const crdt::LifeId kLife{1, 1};
const std::string kNonce(codec::kNonceBytes, 'n');

// The proof that the other side owes for its hello.
std::string Owed(const std::string& secret, LinkRole us,
                 const codec::Hello& theirs) {
  codec::ProofInput input{kNonce, theirs.nonce, kLife, theirs.origin.life,
                          kCluster};
  if (us == LinkRole::kDialler) {
    return codec::MakeProof(secret, LinkRole::kAcceptor, input);
  }
  std::swap(input.dialler_nonce, input.acceptor_nonce);
  std::swap(input.dialler_life, input.acceptor_life);
  return codec::MakeProof(secret, LinkRole::kDialler, input);
}

void CheckSent(const std::optional<codec::EncodedFrame>& frame) {
  if (!frame.has_value()) return;
  MUSTER_CHECK(frame->size() <= codec::kMaxHandshakeBytes);
  MUSTER_CHECK(codec::DecodeMessage(frame->head).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  google::protobuf::SetLogHandler(nullptr);
  fuzz::ByteSource source(data, size);
  const uint8_t mode = source.Byte();
  const LinkRole role = (mode & 1) != 0 ? LinkRole::kDialler  //
                                        : LinkRole::kAcceptor;
  peer::LinkPolicy policy;
  policy.cluster = kCluster;
  policy.address = "127.0.0.1:7700";
  if ((mode & 2) != 0) policy.secret = "swordfish";
  if ((mode & 6) == 2) policy.secret_also = "sardine";
  const bool probe = role == LinkRole::kDialler && (mode & 4) != 0;
  Handshake handshake(policy, role, {"a", crdt::Incarnation(1), kLife}, kNonce,
                      probe);
  CheckSent(handshake.Begin());

  std::optional<codec::Hello> hello;
  while (!source.empty()) {
    auto message = codec::DecodeMessage(source.Text());
    if (!message.ok()) return 0;
    // A sender that knows the secret: an empty proof stands for the right one.
    auto* proof = std::get_if<codec::Proof>(&*message);
    const bool honest = (mode & 8) != 0 && hello.has_value();
    if (proof != nullptr && proof->mac.empty() && honest) {
      proof->mac = Owed(policy.secret, role, *hello);
    }
    Handshake::Outcome outcome = handshake.OnMessage(*message);
    if (const auto* go_on = std::get_if<Handshake::Continue>(&outcome)) {
      CheckSent(go_on->send);
      MUSTER_CHECK(!hello.has_value());
      hello = std::get<codec::Hello>(*message);
      MUSTER_CHECK(hello->cluster == kCluster);
    } else if (const auto* up = std::get_if<Handshake::Established>(&outcome)) {
      CheckSent(up->send);
      // Only a dialler's hello can be a probe.
      MUSTER_CHECK(hello.has_value() && !probe);
      MUSTER_CHECK(role == LinkRole::kDialler || !hello->probe);
      MUSTER_CHECK(proof != nullptr &&
                   proof->mac == Owed(policy.secret, role, *hello));
      MUSTER_CHECK(up->hello.origin == hello->origin);
      return 0;
    } else {
      if (const auto* no = std::get_if<Handshake::Refuse>(&outcome)) {
        CheckSent(codec::EncodeRefusal(no->refusal));
      }
      return 0;
    }
  }
  return 0;
}
