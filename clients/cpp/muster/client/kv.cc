#include "muster/client/kv.h"

#include <tuple>

namespace muster::client {
namespace {

using Stub = v1::Kv::Stub;

std::optional<std::string> ValueOf(v1::KvValueResponse& response) {
  if (!response.has_value()) return std::nullopt;
  return std::move(*response.mutable_value());
}
bool ValueOf(v1::KvFlagResponse& response) { return response.value(); }
int64_t ValueOf(v1::KvNumberResponse& response) { return response.value(); }
Kv::Words ValueOf(v1::KvValuesResponse& response) {
  return {response.values().begin(), response.values().end()};
}
std::map<std::string, std::string> ValueOf(v1::KvFieldsResponse& response) {
  std::map<std::string, std::string> fields;
  for (v1::KvField& field : *response.mutable_fields()) {
    fields[field.field()] = std::move(*field.mutable_value());
  }
  return fields;
}
std::optional<std::pair<std::string, std::string>> ValueOf(
    v1::KvPopResponse& response) {
  if (!response.has_popped()) return std::nullopt;
  return std::pair(response.popped().key(), response.popped().value());
}

}  // namespace

Kv::Kv(Connection* connection, Options options)
    : connection_(connection), options_(options) {}

// ------------------------------------------------------------------- calls

bool Kv::Enter(grpc::ClientContext* context) {
  absl::MutexLock lock(&mutex_);
  if (!cancelled_) calls_.insert(context);
  return !cancelled_;
}

void Kv::Leave(grpc::ClientContext* context) {
  absl::MutexLock lock(&mutex_);
  calls_.erase(context);
}

void Kv::Cancel() {
  absl::MutexLock lock(&mutex_);
  cancelled_ = true;
  for (grpc::ClientContext* context : calls_) context->TryCancel();
}

void Kv::Fill(v1::KvOptions* options) const {
  if (options->db() == 0) options->set_db(options_.db);
  if (options_.at_leader) options->set_at_leader(true);
  absl::MutexLock lock(&mutex_);
  if (seen_.term() != 0) *options->mutable_min_position() = seen_;
}

void Kv::Note(const v1::KvPosition& position) {
  const auto order = [](const v1::KvPosition& p) {
    return std::make_tuple(p.term(), p.leader(), p.seq());
  };
  absl::MutexLock lock(&mutex_);
  if (order(seen_) < order(position)) seen_ = position;
}

template <class Request, class Response>
absl::Status Kv::Call(Method<Request, Response> method, Request& request,
                      Response* response, const CallPolicy& policy) {
  Fill(request.mutable_options());
  const absl::Status status = connection_->CallAny(
      [&](const std::shared_ptr<grpc::Channel>& channel,
          grpc::ClientContext* context) {
        if (!Enter(context)) return grpc::Status::CANCELLED;
        Stub stub(channel);
        const grpc::Status answer = (stub.*method)(context, request, response);
        Leave(context);
        return answer;
      },
      policy);
  if (status.ok()) Note(response->position());
  return status;
}

template <class Request, class Response>
auto Kv::Ask(Method<Request, Response> method, Request request, bool reads) {
  Response response;
  using Value = decltype(ValueOf(response));
  const absl::Status status =
      Call(method, request, &response,
           {.timeout = options_.timeout, .repeat = reads});
  return status.ok() ? absl::StatusOr<Value>(ValueOf(response))
                     : absl::StatusOr<Value>(status);
}

absl::StatusOr<v1::KvExecuteResponse> Kv::Execute(v1::KvExecuteRequest request,
                                                  const CallPolicy& policy) {
  v1::KvExecuteResponse response;
  const absl::Status status = Call(&Stub::Execute, request, &response, policy);
  if (!status.ok()) return status;
  return response;
}

absl::StatusOr<v1::KvValue> Kv::One(const Words& command, bool reads) {
  v1::KvExecuteRequest request;
  request.add_commands()->mutable_args()->Add(command.begin(), command.end());
  absl::StatusOr<v1::KvExecuteResponse> response = Execute(
      std::move(request), {.timeout = options_.timeout, .repeat = reads});
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_values(0));
}

absl::StatusOr<v1::KvValue> Kv::Write(const Words& command) {
  return One(command, /*reads=*/false);
}

absl::StatusOr<v1::KvValue> Kv::Read(const Words& command) {
  return One(command, /*reads=*/true);
}

// ------------------------------------------------------------------- typed

v1::KvKeyRequest Kv::OfKey(const std::string& key) const {
  v1::KvKeyRequest request;
  request.set_key(key);
  return request;
}

absl::StatusOr<std::optional<std::string>> Kv::Get(const std::string& key) {
  return Ask(&Stub::Get, OfKey(key), true);
}

absl::Status Kv::Set(const std::string& key, const std::string& value) {
  v1::KvSetRequest request;
  request.set_key(key);
  request.set_value(value);
  v1::KvDoneResponse response;
  return Call(&Stub::Set, request, &response,
              {.timeout = options_.timeout, .repeat = false});
}

absl::Status Kv::SetEx(const std::string& key, const std::string& value,
                       absl::Duration expiry) {
  v1::KvSetExRequest request;
  request.set_key(key);
  request.set_value(value);
  request.set_seconds(absl::ToInt64Seconds(expiry));
  v1::KvDoneResponse response;
  return Call(&Stub::SetEx, request, &response,
              {.timeout = options_.timeout, .repeat = false});
}

absl::StatusOr<bool> Kv::Expire(const std::string& key, absl::Duration expiry) {
  v1::KvExpireRequest request;
  request.set_key(key);
  request.set_seconds(absl::ToInt64Seconds(expiry));
  return Ask(&Stub::Expire, std::move(request), false);
}

absl::StatusOr<bool> Kv::Exists(const std::string& key) {
  return Ask(&Stub::Exists, OfKey(key), true);
}

absl::StatusOr<int64_t> Kv::Del(const Words& keys) {
  v1::KvKeysRequest request;
  request.mutable_keys()->Add(keys.begin(), keys.end());
  return Ask(&Stub::Del, std::move(request), false);
}

absl::StatusOr<int64_t> Kv::Incr(const std::string& key) {
  return Ask(&Stub::Incr, OfKey(key), false);
}

absl::StatusOr<int64_t> Kv::Decr(const std::string& key) {
  return Ask(&Stub::Decr, OfKey(key), false);
}

absl::StatusOr<bool> Kv::HSet(const std::string& key, const std::string& field,
                              const std::string& value) {
  v1::KvHSetRequest request;
  request.set_key(key);
  request.set_field(field);
  request.set_value(value);
  return Ask(&Stub::HSet, std::move(request), false);
}

absl::StatusOr<std::optional<std::string>> Kv::HGet(const std::string& key,
                                                    const std::string& field) {
  v1::KvFieldRequest request;
  request.set_key(key);
  request.set_field(field);
  return Ask(&Stub::HGet, std::move(request), true);
}

absl::StatusOr<std::map<std::string, std::string>> Kv::HGetAll(
    const std::string& key) {
  return Ask(&Stub::HGetAll, OfKey(key), true);
}

absl::StatusOr<bool> Kv::HDel(const std::string& key,
                              const std::string& field) {
  v1::KvFieldRequest request;
  request.set_key(key);
  request.set_field(field);
  return Ask(&Stub::HDel, std::move(request), false);
}

absl::StatusOr<int64_t> Kv::HIncrBy(const std::string& key,
                                    const std::string& field,
                                    int64_t increment) {
  v1::KvHIncrByRequest request;
  request.set_key(key);
  request.set_field(field);
  request.set_increment(increment);
  return Ask(&Stub::HIncrBy, std::move(request), false);
}

absl::StatusOr<int64_t> Kv::SAdd(const std::string& key, const Words& members) {
  v1::KvMembersRequest request;
  request.set_key(key);
  request.mutable_members()->Add(members.begin(), members.end());
  return Ask(&Stub::SAdd, std::move(request), false);
}

absl::StatusOr<int64_t> Kv::SRem(const std::string& key, const Words& members) {
  v1::KvMembersRequest request;
  request.set_key(key);
  request.mutable_members()->Add(members.begin(), members.end());
  return Ask(&Stub::SRem, std::move(request), false);
}

absl::StatusOr<Kv::Words> Kv::SMembers(const std::string& key) {
  return Ask(&Stub::SMembers, OfKey(key), true);
}

absl::StatusOr<int64_t> Kv::LPush(const std::string& key, const Words& values) {
  v1::KvPushRequest request;
  request.set_key(key);
  request.mutable_values()->Add(values.begin(), values.end());
  return Ask(&Stub::LPush, std::move(request), false);
}

absl::StatusOr<int64_t> Kv::RPush(const std::string& key, const Words& values) {
  v1::KvPushRequest request;
  request.set_key(key);
  request.mutable_values()->Add(values.begin(), values.end());
  return Ask(&Stub::RPush, std::move(request), false);
}

absl::StatusOr<std::optional<std::string>> Kv::LPop(const std::string& key) {
  return Ask(&Stub::LPop, OfKey(key), false);
}

absl::StatusOr<std::optional<std::string>> Kv::RPop(const std::string& key) {
  return Ask(&Stub::RPop, OfKey(key), false);
}

absl::StatusOr<std::optional<std::pair<std::string, std::string>>> Kv::BRPop(
    const Words& keys, absl::Duration timeout) {
  const bool for_ever = timeout == absl::InfiniteDuration();
  v1::KvBRPopRequest request;
  request.mutable_keys()->Add(keys.begin(), keys.end());
  request.set_timeout_seconds(for_ever ? 0 : absl::ToDoubleSeconds(timeout));
  v1::KvPopResponse response;
  const absl::Status status =
      Call(&Stub::BRPop, request, &response,
           {.timeout = options_.timeout + timeout, .repeat = false});
  if (!status.ok()) return status;
  return ValueOf(response);
}

}  // namespace muster::client
