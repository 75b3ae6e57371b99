#include "node/codec/answer_bytes.h"

#include <cstddef>
#include <optional>
#include <utility>

#include "crdt/varint.h"
#include "node/codec/peer_codec.h"

namespace muster::codec {
namespace {

using core::KvAnswers;
using crdt::AppendVarint;
using crdt::TakeVarint;

// Of an answer without its reply: at least, and as a guess for reserve().
constexpr size_t kMinBytes = 5;
constexpr size_t kUsualBytes = 12;

bool TakeOutcome(absl::string_view& bytes, KvAnswers::Outcome& outcome) {
  if (bytes.empty()) return false;
  outcome = static_cast<KvAnswers::Outcome>(bytes.front());
  bytes.remove_prefix(1);
  return outcome >= KvAnswers::Outcome::kDone &&
         outcome <= KvAnswers::Outcome::kWaits;
}

bool TakeReply(absl::string_view& bytes, commands::Reply& reply) {
  uint64_t count = 0;
  uint64_t size = 0;
  if (!TakeVarint(bytes, count) || count > UINT32_MAX ||
      !TakeVarint(bytes, size) || size > bytes.size()) {
    return false;
  }
  std::optional<commands::Reply> taken = commands::Reply::FromBytes(
      std::string(bytes.substr(0, size)), static_cast<uint32_t>(count));
  if (!taken.has_value()) return false;
  bytes.remove_prefix(size);
  reply = *std::move(taken);
  return true;
}

bool TakeAnswer(absl::string_view& bytes, KvAnswers::Answer& answer) {
  return TakeVarint(bytes, answer.call) && TakeOutcome(bytes, answer.outcome) &&
         TakeVarint(bytes, answer.seq.value) &&
         answer.seq.value <= kMaxNumber && TakeReply(bytes, answer.replies);
}

}  // namespace

std::string EncodeAnswers(const std::vector<KvAnswers::Answer>& answers) {
  size_t size = 0;
  for (const KvAnswers::Answer& answer : answers) {
    size += kUsualBytes + answer.replies.bytes();
  }
  std::string bytes;
  bytes.reserve(size);
  for (const KvAnswers::Answer& answer : answers) {
    AppendVarint(answer.call, bytes);
    bytes.push_back(static_cast<char>(answer.outcome));
    AppendVarint(answer.seq.value, bytes);
    AppendVarint(answer.replies.CountValues(), bytes);
    AppendVarint(answer.replies.bytes(), bytes);
    bytes += answer.replies.encoded();
  }
  return bytes;
}

bool DecodeAnswers(absl::string_view bytes, uint32_t count,
                   std::vector<KvAnswers::Answer>& answers) {
  if (count > bytes.size() / kMinBytes) return false;
  answers.resize(count);
  for (KvAnswers::Answer& answer : answers) {
    if (!TakeAnswer(bytes, answer)) return false;
  }
  return bytes.empty();
}

}  // namespace muster::codec
