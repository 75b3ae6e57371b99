// A beat: as it is, and with the MAC of a secret at its end.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "crdt/check.h"
#include "node/codec/peer_codec.h"
#include "node/codec/peer_proof.h"

namespace {

using namespace muster::codec;

constexpr uint64_t kCluster = 1;
constexpr char kSecret[] = "swordfish";

// Whatever its sender left out or put in twice, it is encoded whole.
void CheckAgain(const muster::core::BeatDatagram& beat,
                absl::string_view secret) {
  const std::string bytes = EncodeDatagram(beat, kCluster, secret);
  MUSTER_CHECK(bytes.size() <= muster::core::kMaxDatagramBytes);
  const auto again = DecodeDatagram(bytes, kCluster, secret);
  MUSTER_CHECK(again.ok());
  MUSTER_CHECK(again->origin == beat.origin && again->number == beat.number);
  MUSTER_CHECK(again->others.size() <= beat.others.size());
  MUSTER_CHECK(!DecodeDatagram(bytes, kCluster + 1, secret).ok());
  MUSTER_CHECK(!DecodeDatagram(bytes, kCluster, "another").ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  google::protobuf::SetLogHandler(nullptr);
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const auto plain = DecodeDatagram(bytes, kCluster, "");
  if (plain.ok()) CheckAgain(*plain, "");
  // Nobody guesses the MAC; a sender that knows the secret may say anything.
  MUSTER_CHECK(!DecodeDatagram(bytes, kCluster, kSecret).ok());
  constexpr char kMacField[] = {15 << 3 | 2, kDatagramMacBytes};
  const std::string proved =
      bytes + std::string(kMacField, 2) + DatagramMac(kSecret, bytes);
  const auto beat = DecodeDatagram(proved, kCluster, kSecret);
  if (beat.ok()) CheckAgain(*beat, kSecret);
  if (plain.ok() && proved.size() <= muster::core::kMaxDatagramBytes) {
    MUSTER_CHECK(beat.ok());
  }
  return 0;
}
