#include "node/service/read_requests.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "node/codec/client_codec.h"
#include "node/codec/field_check.h"
#include "node/codec/peer_codec.h"
#include "node/service/tokens.h"
#include "node/service/validate.h"

namespace muster::service {
namespace {

// --------------------------------------------------------------------- pages

absl::Status BadPageToken(const std::string& token, const char* why) {
  return absl::NotFoundError(absl::StrCat("page_token (", token.size(),
                                          " bytes) ", why,
                                          "; begin at the first page"));
}

absl::Status TakePaging(uint32_t page_size, const std::string& token,
                        const Limits& limits, NamePlan* plan) {
  const auto granted = GrantPageSize(page_size, limits);
  if (!granted.ok()) return granted.status();
  plan->page_size = *granted;
  if (!token.empty() && !codec::ParseNameToken(token, &plan->after)) {
    return BadPageToken(token, "is not one that a node has given out");
  }
  return absl::OkStatus();
}

// GetRequest, ExplainRequest and EvictRequest.
template <class Message>
absl::StatusOr<Message> DecodeTopicAndKey(absl::string_view bytes,
                                          const Limits& limits) {
  Message message;
  absl::Status status = ParseRequest(bytes, limits, &message);
  if (status.ok()) {
    status = CheckName({nullptr, 0, "topic"}, message.topic(), limits);
  }
  if (status.ok()) {
    status = CheckName({nullptr, 0, "key"}, message.key(), limits);
  }
  if (!status.ok()) return status;
  return message;
}

// ------------------------------------------------------------------- watches

using Names = google::protobuf::RepeatedPtrField<std::string>;

absl::Status CheckNames(const char* list, const Names& names,
                        const Limits& limits) {
  absl::Status status = CheckCount(list, static_cast<size_t>(names.size()),
                                   limits.max_watch_names, "--max-watch-names");
  for (int i = 0; i < names.size() && status.ok(); ++i) {
    status = CheckName({list, static_cast<size_t>(i)}, names[i], limits);
  }
  return status;
}

std::vector<std::string> SortedOnce(const Names& names) {
  std::vector<std::string> sorted(names.begin(), names.end());
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  return sorted;
}

const char* NameOf(core::WatchDetail detail) {
  switch (detail) {
    case core::WatchDetail::kEntries:
      return "entries";
    case core::WatchDetail::kKeys:
      return "keys";
    case core::WatchDetail::kEntriesAndKeys:
      return "entries and keys";
  }
  return "";
}

absl::Status TakeDetail(const v1::WatchRequest& message,
                        core::WatchDetail* detail) {
  switch (message.detail()) {
    case v1::WATCH_DETAIL_UNSPECIFIED:
    case v1::WATCH_DETAIL_ENTRIES:
      return absl::OkStatus();
    case v1::WATCH_DETAIL_KEYS:
      *detail = core::WatchDetail::kKeys;
      break;
    case v1::WATCH_DETAIL_ENTRIES_AND_KEYS:
      *detail = core::WatchDetail::kEntriesAndKeys;
      break;
    default:
      return absl::InvalidArgumentError(absl::StrCat(
          "detail is ", message.detail(), "; this node knows 0 to 3"));
  }
  if (!message.counts_only()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("detail is ", v1::WatchDetail_Name(message.detail()),
                   "; with counts_only there is none, leave it out"));
}

// The same on every node for the same wish, in whatever order it names things.
uint64_t ScopeOf(const core::WatchRequest& request) {
  std::string text(request.counts_only ? "counts" : NameOf(request.detail));
  const auto append = [&text](char kind, const std::string& name) {
    absl::StrAppend(&text, std::string(1, kind), name.size(), ":", name);
  };
  for (const std::string& topic : request.topics) append('t', topic);
  for (const std::string& key : request.keys) append('k', key);
  append('p', request.prefix);
  return HashText(text);
}

absl::Status TakeVersion(const std::string& text, WatchWish* wish) {
  if (text.empty()) return absl::OkStatus();
  codec::Version version;
  if (!codec::ParseVersion(text, &version)) {
    return absl::InvalidArgumentError(
        absl::StrCat("version (", text.size(),
                     " bytes) is not one that a node has given "
                     "out; leave it empty for a fresh state"));
  }
  if (version.scope != wish->scope) {
    return absl::InvalidArgumentError(
        "version belongs to a watch of something else; leave it empty for a "
        "fresh state");
  }
  wish->request.version_life = version.life;
  wish->request.version_counter = version.counter;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ListPlan> DecodeList(absl::string_view bytes,
                                    const Limits& limits) {
  v1::ListRequest message;
  absl::Status status = ParseRequest(bytes, limits, &message);
  if (status.ok()) {
    status = CheckName({nullptr, 0, "topic"}, message.topic(), limits);
  }
  if (!status.ok()) return status;
  const auto page_size = GrantPageSize(message.page_size(), limits);
  if (!page_size.ok()) return page_size.status();
  ListPlan plan{message.topic(), *page_size, {}};
  const uint64_t scope = HashText(plan.topic);
  const std::string& token = message.page_token();
  if (!token.empty() && (!codec::ParseListToken(token, &plan.position) ||
                         plan.position.scope != scope)) {
    return BadPageToken(token, "is not one that was given for this topic");
  }
  plan.position.scope = scope;
  return plan;
}

absl::StatusOr<NamePlan> DecodeTopics(absl::string_view bytes,
                                      const Limits& limits) {
  v1::TopicsRequest message;
  absl::Status status = ParseRequest(bytes, limits, &message);
  NamePlan plan;
  plan.name = message.prefix();
  if (status.ok() && !plan.name.empty()) {
    status = CheckName({nullptr, 0, "prefix"}, plan.name, limits);
  }
  if (status.ok()) {
    status =
        TakePaging(message.page_size(), message.page_token(), limits, &plan);
  }
  if (!status.ok()) return status;
  return plan;
}

absl::StatusOr<NamePlan> DecodeTopicsOf(absl::string_view bytes,
                                        const Limits& limits) {
  v1::TopicsOfRequest message;
  absl::Status status = ParseRequest(bytes, limits, &message);
  if (status.ok()) {
    status = CheckName({nullptr, 0, "key"}, message.key(), limits);
  }
  NamePlan plan;
  plan.name = message.key();
  if (status.ok()) {
    status =
        TakePaging(message.page_size(), message.page_token(), limits, &plan);
  }
  if (!status.ok()) return status;
  return plan;
}

absl::StatusOr<v1::GetRequest> DecodeGet(absl::string_view bytes,
                                         const Limits& limits) {
  return DecodeTopicAndKey<v1::GetRequest>(bytes, limits);
}

absl::StatusOr<v1::ExplainRequest> DecodeExplain(absl::string_view bytes,
                                                 const Limits& limits) {
  return DecodeTopicAndKey<v1::ExplainRequest>(bytes, limits);
}

absl::StatusOr<core::EvictRequest> DecodeEvict(absl::string_view bytes,
                                               const Limits& limits) {
  auto message = DecodeTopicAndKey<v1::EvictRequest>(bytes, limits);
  if (!message.ok()) return message.status();
  codec::FieldCheck check;
  check.Text({"", -1, "reason"}, message->reason(), 0, codec::kMaxReasonBytes);
  if (!check.ok()) return check.status();
  return core::EvictRequest{message->topic(), message->key(),
                            message->reason()};
}

absl::StatusOr<v1::CountRequest> DecodeCount(absl::string_view bytes,
                                             const Limits& limits) {
  v1::CountRequest message;
  absl::Status status = ParseRequest(bytes, limits, &message);
  if (status.ok() && message.has_topic()) {
    status = CheckName({nullptr, 0, "topic"}, message.topic(), limits);
  }
  if (status.ok() && message.has_key()) {
    status = CheckName({nullptr, 0, "key"}, message.key(), limits);
  }
  if (!status.ok()) return status;
  return message;
}

absl::StatusOr<WatchWish> DecodeWatch(absl::string_view bytes,
                                      const Limits& limits) {
  v1::WatchRequest message;
  absl::Status status = ParseRequest(bytes, limits, &message);
  if (!status.ok()) return status;
  const int kinds = (message.topics().empty() ? 0 : 1) +
                    (message.prefix().empty() ? 0 : 1) +
                    (message.keys().empty() ? 0 : 1);
  if (kinds != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        kinds == 0 ? "none" : "more than one",
        " of topics, prefix and keys is set; exactly one must be, and not "
        "empty"));
  }
  status = CheckNames("topics", message.topics(), limits);
  if (status.ok()) status = CheckNames("keys", message.keys(), limits);
  if (status.ok() && !message.prefix().empty()) {
    status = CheckName({nullptr, 0, "prefix"}, message.prefix(), limits);
  }
  if (!status.ok()) return status;
  const absl::StatusOr<absl::Duration> interval =
      GrantInterval(message.interval_ms(), limits);
  if (!interval.ok()) return interval.status();

  WatchWish wish;
  wish.request.topics = SortedOnce(message.topics());
  wish.request.keys = SortedOnce(message.keys());
  wish.request.prefix = message.prefix();
  wish.request.counts_only = message.counts_only();
  wish.request.interval = *interval;
  status = TakeDetail(message, &wish.request.detail);
  if (!status.ok()) return status;
  wish.scope = ScopeOf(wish.request);
  status = TakeVersion(message.version(), &wish);
  if (!status.ok()) return status;
  return wish;
}

}  // namespace muster::service
