#include "node/codec/peer_proof.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

namespace muster::codec {
namespace {

void AppendBigEndian(uint64_t value, std::string& out) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
}

void AppendLife(crdt::LifeId life, std::string& out) {
  AppendBigEndian(life.hi, out);
  AppendBigEndian(life.lo, out);
}

std::string HmacSha256(absl::string_view secret, absl::string_view bytes) {
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), mac,
       &size);
  return std::string(reinterpret_cast<const char*>(mac), size);
}

}  // namespace

std::string MakeProof(absl::string_view secret, LinkRole role,
                      const ProofInput& input) {
  if (secret.empty()) return "";
  std::string text(1, static_cast<char>(role));
  text += input.dialler_nonce;
  text += input.acceptor_nonce;
  AppendLife(input.dialler_life, text);
  AppendLife(input.acceptor_life, text);
  text += input.cluster;
  return HmacSha256(secret, text);
}

std::string DatagramMac(absl::string_view secret, absl::string_view datagram) {
  if (secret.empty()) return "";
  return HmacSha256(secret, datagram).substr(0, kDatagramMacBytes);
}

bool SameMac(absl::string_view a, absl::string_view b) {
  return a.size() == b.size() &&
         CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

uint64_t ClusterHash(absl::string_view cluster) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(cluster.data()), cluster.size(),
         digest);
  uint64_t hash = 0;
  for (int i = 0; i < 8; ++i) hash = hash << 8 | digest[i];
  return hash;
}

}  // namespace muster::codec
