#include "node/service/kv_calls.h"

#include <utility>

namespace muster::service {
namespace {

constexpr char kStopping[] = "the node is shutting down";
constexpr char kUnknown[] =
    "the node shut down before it knew whether the call was executed: the "
    "outcome is unknown";

void Count(std::atomic<uint64_t>& counter, uint64_t by = 1) {
  counter.fetch_add(by, std::memory_order_relaxed);
}

}  // namespace

core::KvCallId KvCalls::Ask(core::Replica& replica, core::Now now, KvPlan plan,
                            OnAnswer on_answer) {
  Count(calls_);
  Count(commands_, plan.call.commands.count());
  absl::Status serving =
      stopped_ ? absl::UnavailableError(kStopping) : replica.Serving();
  if (!serving.ok()) {
    Count(refused_);
    on_answer({.status = std::move(serving)});
    return 0;
  }
  const core::KvCallId id = replica.Execute(std::move(plan.call), now);
  waiting_.emplace(id, Waiting{plan.only_reads, std::move(on_answer)});
  return id;
}

void KvCalls::Withdraw(core::Replica& replica, core::Now now,
                       core::KvCallId id) {
  if (waiting_.erase(id) == 0) return;
  Count(withdrawn_);
  replica.Withdraw(id, now);
}

void KvCalls::Take(std::vector<core::KvAnswer> answers) {
  for (core::KvAnswer& answer : answers) {
    const auto at = waiting_.find(answer.call);
    if (at == waiting_.end()) continue;
    if (absl::IsUnavailable(answer.status)) Count(refused_);
    if (absl::IsAborted(answer.status)) Count(unknown_);
    OnAnswer on_answer = std::move(at->second.on_answer);
    waiting_.erase(at);
    on_answer(std::move(answer));
  }
}

void KvCalls::Stop() {
  stopped_ = true;
  for (auto& [id, call] : std::exchange(waiting_, {})) {
    call.on_answer({.call = id,
                    .status = call.only_reads
                                  ? absl::UnavailableError(kStopping)
                                  : absl::AbortedError(kUnknown)});
  }
}

std::vector<std::pair<std::string, uint64_t>> KvCalls::Counters() const {
  const auto value = [](const std::atomic<uint64_t>& counter) {
    return counter.load(std::memory_order_relaxed);
  };
  return {{"kv_calls", value(calls_)},
          {"kv_calls_refused", value(refused_)},
          {"kv_calls_unknown", value(unknown_)},
          {"kv_calls_withdrawn", value(withdrawn_)},
          {"kv_commands", value(commands_)}};
}

}  // namespace muster::service
