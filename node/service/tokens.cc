#include "node/service/tokens.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace muster::service {
namespace {

constexpr size_t kTokenBytes = kTokenText / 2;
constexpr char kHexDigits[] = "0123456789abcdef";

// Random bytes in advance: the generator's cost is by the call.
class RandomPool {
 public:
  ~RandomPool() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

  bool Take(uint8_t* to, size_t size) {
    if (bytes_.size() - used_ < size) {
      if (RAND_bytes(bytes_.data(), static_cast<int>(bytes_.size())) != 1) {
        return false;
      }
      used_ = 0;
    }
    std::copy_n(bytes_.data() + used_, size, to);
    OPENSSL_cleanse(bytes_.data() + used_, size);
    used_ += size;
    return true;
  }

 private:
  std::array<uint8_t, 1024> bytes_{};
  size_t used_ = sizeof(bytes_);
};

using Digest = std::array<uint8_t, 32>;

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

// Fetching the algorithm and making a context cost more than the hash.
Digest Sha256(absl::string_view text) {
  static const EVP_MD* const kAlgorithm =
      EVP_MD_fetch(nullptr, "SHA256", nullptr);
  thread_local std::unique_ptr<EVP_MD_CTX, FreeContext> context(
      EVP_MD_CTX_new());
  Digest digest{};
  EVP_DigestInit_ex(context.get(), kAlgorithm, nullptr);
  EVP_DigestUpdate(context.get(), text.data(), text.size());
  EVP_DigestFinal_ex(context.get(), digest.data(), nullptr);
  return digest;
}

uint64_t Read64(const uint8_t* bytes) {
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | bytes[i];
  return value;
}

bool IsToken(absl::string_view text) {
  return text.size() == kTokenText &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

std::string NewToken() {
  thread_local RandomPool pool;
  uint8_t bytes[kTokenBytes];
  if (!pool.Take(bytes, sizeof(bytes))) return "";
  std::string token;
  token.reserve(kTokenText);
  for (const uint8_t byte : bytes) {
    token.push_back(kHexDigits[byte >> 4]);
    token.push_back(kHexDigits[byte & 15]);
  }
  return token;
}

absl::StatusOr<crdt::SessionId> SessionOf(absl::string_view token) {
  if (!IsToken(token)) {
    return absl::NotFoundError(
        absl::StrCat("token (", token.size(),
                     " bytes) is not one that a node has given out: those are ",
                     kTokenText, " hex digits"));
  }
  const Digest digest = Sha256(token);
  return crdt::SessionId{Read64(digest.data()), Read64(digest.data() + 8)};
}

uint64_t HashText(absl::string_view text) {
  return Read64(Sha256(text).data());
}

}  // namespace muster::service
