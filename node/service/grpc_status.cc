#include "node/service/grpc_status.h"

#include <array>
#include <atomic>
#include <string>

#include "node/codec/wire.h"

namespace muster::service {
namespace {

// google.rpc.Status{code, message, details: [RetryInfo{retry_delay}]}. Debian
// has these protos in no package; five fields do not need them.
std::string RetryDetails(const absl::Status& status) {
  constexpr char kRetryInfo[] = "type.googleapis.com/google.rpc.RetryInfo";
  std::string retry_info;
  codec::WireWriter info(&retry_info);
  const size_t delay = info.Begin(1);
  info.VarintIfSet(1, absl::ToInt64Seconds(kRetryDelay));
  info.VarintIfSet(2, absl::ToInt64Nanoseconds(kRetryDelay) % 1'000'000'000);
  info.End(delay);

  std::string details;
  codec::WireWriter out(&details);
  out.Varint(1, static_cast<uint64_t>(status.code()));
  out.BytesIfSet(2, status.message());
  const size_t any = out.Begin(3);
  out.Bytes(1, kRetryInfo);
  out.Bytes(2, retry_info);
  out.End(any);
  return details;
}

struct FailedCode {
  absl::StatusCode code;
  const char* name;
};
constexpr std::array<FailedCode, 10> kFailedCodes = {{
    {absl::StatusCode::kAborted, "calls_failed_aborted"},
    {absl::StatusCode::kAlreadyExists, "calls_failed_already_exists"},
    {absl::StatusCode::kFailedPrecondition, "calls_failed_failed_precondition"},
    {absl::StatusCode::kInvalidArgument, "calls_failed_invalid_argument"},
    {absl::StatusCode::kNotFound, "calls_failed_not_found"},
    // Also any code that is not listed.
    {absl::StatusCode::kUnknown, "calls_failed_other"},
    {absl::StatusCode::kPermissionDenied, "calls_failed_permission_denied"},
    {absl::StatusCode::kResourceExhausted, "calls_failed_resource_exhausted"},
    {absl::StatusCode::kUnauthenticated, "calls_failed_unauthenticated"},
    {absl::StatusCode::kUnavailable, "calls_failed_unavailable"},
}};
constexpr size_t kOtherCode = 5;

std::array<std::atomic<uint64_t>, kFailedCodes.size()> failed_calls{};

void CountFailure(absl::StatusCode code) {
  size_t i = 0;
  while (i < kFailedCodes.size() && kFailedCodes[i].code != code) ++i;
  if (i == kFailedCodes.size()) i = kOtherCode;
  failed_calls[i].fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

std::vector<std::pair<std::string, uint64_t>> FailedCalls() {
  std::vector<std::pair<std::string, uint64_t>> all;
  for (size_t i = 0; i < kFailedCodes.size(); ++i) {
    all.emplace_back(kFailedCodes[i].name,
                     failed_calls[i].load(std::memory_order_relaxed));
  }
  return all;
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  CountFailure(status.code());
  const auto code = static_cast<grpc::StatusCode>(status.code());
  std::string message(status.message());
  if (!absl::IsUnavailable(status)) return {code, std::move(message)};
  return {code, std::move(message), RetryDetails(status)};
}

}  // namespace muster::service
