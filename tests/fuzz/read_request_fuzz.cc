// Requests of the reading calls: what is let through is within the limits.
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "crdt/check.h"
#include "node/service/read_requests.h"
#include "tests/fuzz/byte_source.h"

namespace {

using namespace muster;
using service::Limits;

constexpr uint8_t kCalls = 7;

bool IsName(absl::string_view name, const Limits& limits) {
  return !name.empty() && name.size() <= limits.max_name_bytes;
}

void CheckNamePlan(const absl::StatusOr<service::NamePlan>& plan, bool prefix,
                   const Limits& limits) {
  if (!plan.ok()) return;
  MUSTER_CHECK(IsName(plan->name, limits) || (prefix && plan->name.empty()));
  MUSTER_CHECK(plan->page_size >= 1 && plan->page_size <= limits.max_page_size);
}

void TryWatch(absl::string_view bytes, const Limits& limits) {
  const auto wish = service::DecodeWatch(bytes, limits);
  if (!wish.ok()) return;
  const core::WatchRequest& request = wish->request;
  MUSTER_CHECK(!request.topics.empty() + !request.keys.empty() +
                   !request.prefix.empty() ==
               1);
  for (const auto* names : {&request.topics, &request.keys}) {
    MUSTER_CHECK(names->size() <= limits.max_watch_names);
    MUSTER_CHECK(std::is_sorted(names->begin(), names->end()));
    for (const std::string& name : *names) MUSTER_CHECK(IsName(name, limits));
  }
  MUSTER_CHECK(request.interval >= limits.min_interval &&
               request.interval <= limits.max_interval);
}

template <class Message>
void CheckTopicAndKey(const absl::StatusOr<Message>& message,
                      const Limits& limits) {
  if (!message.ok()) return;
  MUSTER_CHECK(IsName(message->topic(), limits));
  MUSTER_CHECK(IsName(message->key(), limits));
}

void Try(uint8_t call, absl::string_view bytes, const Limits& limits) {
  switch (call) {
    case 0: {
      const auto plan = service::DecodeList(bytes, limits);
      if (plan.ok()) MUSTER_CHECK(IsName(plan->topic, limits));
      return;
    }
    case 1:
      return CheckNamePlan(service::DecodeTopics(bytes, limits), true, limits);
    case 2:
      return CheckNamePlan(service::DecodeTopicsOf(bytes, limits), false,
                           limits);
    case 3:
      return CheckTopicAndKey(service::DecodeGet(bytes, limits), limits);
    case 4:
      return CheckTopicAndKey(service::DecodeExplain(bytes, limits), limits);
    case 5: {
      const auto scope = service::DecodeCount(bytes, limits);
      if (scope.ok() && scope->has_topic()) {
        MUSTER_CHECK(IsName(scope->topic(), limits));
      }
      return;
    }
    default:
      return TryWatch(bytes, limits);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  google::protobuf::SetLogHandler(nullptr);
  fuzz::ByteSource source(data, size);
  const uint8_t mode = source.Byte();
  Limits limits;
  if ((mode & 0x80) != 0) {
    limits.max_name_bytes = 4;
    limits.max_watch_names = 1;
    limits.max_page_size = 2;
  }
  Try((mode & 0x7f) % kCalls, source.Rest(), limits);
  return 0;
}
