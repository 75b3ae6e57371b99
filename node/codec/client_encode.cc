#include "absl/strings/str_cat.h"
#include "node/codec/client_codec.h"
#include "node/codec/opaque_text.h"
#include "node/codec/ref_text.h"

namespace muster::codec {
namespace {

// Bytes of an entry beside its key and meta, as a guess for reserve().
constexpr size_t kEntryOverhead = 32;

void WriteRef(int field, const crdt::Ref& ref, WireWriter& out) {
  if (ref.IsNone()) return;
  char text[kMaxRefText];
  out.Bytes(field, absl::string_view(text, FormatRef(ref, text)));
}

void WriteEntry(int field, const core::EntryView& entry, bool with_topic,
                WireWriter& out) {
  const size_t mark = out.Begin(field);
  if (with_topic) out.BytesIfSet(v1::Entry::kTopicFieldNumber, entry.topic);
  out.BytesIfSet(v1::Entry::kKeyFieldNumber, entry.key);
  out.BytesIfSet(v1::Entry::kMetaFieldNumber, entry.meta);
  WriteRef(v1::Entry::kRefFieldNumber, entry.ref, out);
  WriteRef(v1::Entry::kRefPrevFieldNumber, entry.ref_prev, out);
  out.End(mark);
}

void WriteEntries(int field, const std::vector<core::EntryView>& entries,
                  bool with_topic, WireWriter& out) {
  for (const core::EntryView& entry : entries) {
    WriteEntry(field, entry, with_topic, out);
  }
}

void WriteCount(int field, const core::TopicCount& count, WireWriter& out) {
  const size_t mark = out.Begin(field);
  out.BytesIfSet(v1::TopicCount::kTopicFieldNumber, count.topic);
  out.VarintIfSet(v1::TopicCount::kEntriesFieldNumber, count.entries);
  out.VarintIfSet(v1::TopicCount::kKeysFieldNumber, count.keys);
  out.End(mark);
}

void WriteKeys(int field, const std::vector<core::KeyChange>& keys,
               WireWriter& out) {
  for (const core::KeyChange& key : keys) {
    const size_t mark = out.Begin(field);
    out.BytesIfSet(v1::KeyChange::kKeyFieldNumber, key.key);
    out.VarintIfSet(v1::KeyChange::kEntriesFieldNumber, key.entries);
    out.VarintIfSet(v1::KeyChange::kFirstInFieldNumber, key.first_in);
    out.VarintIfSet(v1::KeyChange::kLastOutFieldNumber, key.last_out);
    out.End(mark);
  }
}

void WriteState(const core::TopicState& state, WireWriter& out) {
  const size_t mark = out.Begin(v1::WatchResponse::kStateFieldNumber);
  out.BytesIfSet(v1::TopicState::kTopicFieldNumber, state.topic);
  WriteEntries(v1::TopicState::kEntriesFieldNumber, state.entries, false, out);
  WriteKeys(v1::TopicState::kKeysFieldNumber, state.keys, out);
  out.End(mark);
}

void WriteDiff(const core::TopicDiff& diff, WireWriter& out) {
  const size_t mark = out.Begin(v1::WatchResponse::kDiffsFieldNumber);
  out.BytesIfSet(v1::TopicDiff::kTopicFieldNumber, diff.topic);
  WriteEntries(v1::TopicDiff::kJoinsFieldNumber, diff.joins, false, out);
  WriteEntries(v1::TopicDiff::kUpdatesFieldNumber, diff.updates, false, out);
  WriteEntries(v1::TopicDiff::kLeavesFieldNumber, diff.leaves, false, out);
  WriteKeys(v1::TopicDiff::kKeysFieldNumber, diff.keys, out);
  out.End(mark);
}

}  // namespace

void WriteRefs(int field, const std::vector<crdt::Ref>& refs, WireWriter& out) {
  char text[kMaxRefText];
  for (const crdt::Ref& ref : refs) {
    const size_t size = ref.IsNone() ? 0 : FormatRef(ref, text);
    out.Bytes(field, absl::string_view(text, size));
  }
}

void WriteRefRests(int field, const std::vector<crdt::Ref>& refs,
                   WireWriter& out) {
  char text[kMaxRefText];
  for (const crdt::Ref& ref : refs) {
    const size_t size = ref.IsNone() ? 0 : FormatRefRest(ref, text);
    out.Bytes(field, absl::string_view(text, size));
  }
}

void WriteErrors(int field, const std::vector<core::IndexedError>& errors,
                 WireWriter& out) {
  for (const core::IndexedError& error : errors) {
    const size_t mark = out.Begin(field);
    out.VarintIfSet(v1::OpError::kIndexFieldNumber, error.index);
    out.VarintIfSet(v1::OpError::kCodeFieldNumber,
                    static_cast<uint64_t>(error.status.code()));
    out.BytesIfSet(v1::OpError::kMessageFieldNumber, error.status.message());
    out.End(mark);
  }
}

std::string EncodeListResponse(const core::ListReply& reply,
                               absl::string_view next_page_token) {
  std::string bytes;
  bytes.reserve(reply.arena.used() + reply.entries.size() * kEntryOverhead);
  WireWriter out(&bytes);
  WriteEntries(v1::ListResponse::kEntriesFieldNumber, reply.entries, false,
               out);
  out.BytesIfSet(v1::ListResponse::kNextPageTokenFieldNumber, next_page_token);
  return bytes;
}

std::string EncodeGetResponse(const core::ListReply& reply) {
  std::string bytes;
  WireWriter out(&bytes);
  WriteEntries(v1::GetResponse::kEntriesFieldNumber, reply.entries, true, out);
  out.VarintIfSet(v1::GetResponse::kMoreFieldNumber, reply.next == 0 ? 0 : 1);
  return bytes;
}

std::string EncodeTopicsResponse(const core::TopicsReply& reply) {
  std::string bytes;
  WireWriter out(&bytes);
  for (const core::TopicCount& topic : reply.topics) {
    WriteCount(v1::TopicsResponse::kTopicsFieldNumber, topic, out);
  }
  if (!reply.next.empty()) {
    out.Bytes(v1::TopicsResponse::kNextPageTokenFieldNumber,
              NameToken(reply.next));
  }
  return bytes;
}

std::string EncodeTopicsOfResponse(const core::TopicsOfReply& reply) {
  std::string bytes;
  WireWriter out(&bytes);
  for (const absl::string_view topic : reply.topics) {
    out.Bytes(v1::TopicsOfResponse::kTopicsFieldNumber, topic);
  }
  if (!reply.next.empty()) {
    out.Bytes(v1::TopicsOfResponse::kNextPageTokenFieldNumber,
              NameToken(reply.next));
  }
  return bytes;
}

std::string EncodeWatchVersion(const core::WatchBatch& batch, uint64_t scope) {
  std::string bytes;
  if (batch.version_counter == 0) return bytes;
  WireWriter out(&bytes);
  out.Bytes(v1::WatchResponse::kVersionFieldNumber,
            VersionText({batch.version_life, scope, batch.version_counter}));
  return bytes;
}

std::string EncodeWatchBody(const core::WatchBatch& batch) {
  std::string bytes;
  bytes.reserve(batch.arena.used() + batch.arena.used() / 2);
  WireWriter out(&bytes);
  out.VarintIfSet(v1::WatchResponse::kResetFieldNumber, batch.reset);
  for (const core::TopicState& state : batch.state) WriteState(state, out);
  out.VarintIfSet(v1::WatchResponse::kStateCompleteFieldNumber,
                  batch.state_complete);
  for (const core::TopicDiff& diff : batch.diffs) WriteDiff(diff, out);
  for (const core::TopicCount& count : batch.counts) {
    WriteCount(v1::WatchResponse::kCountsFieldNumber, count, out);
  }
  return bytes;
}

}  // namespace muster::codec
