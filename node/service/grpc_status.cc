#include "node/service/grpc_status.h"

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

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code = static_cast<grpc::StatusCode>(status.code());
  std::string message(status.message());
  if (!absl::IsUnavailable(status)) return {code, std::move(message)};
  return {code, std::move(message), RetryDetails(status)};
}

}  // namespace muster::service
