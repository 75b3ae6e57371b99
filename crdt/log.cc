#include "crdt/log.h"

#include <algorithm>
#include <map>
#include <utility>

#include "crdt/check.h"
#include "crdt/mutant.h"

namespace muster::crdt {

void MutationLog::Reset(StreamIdx stream, Seq position) {
  if (stream >= streams_.size()) streams_.resize(stream + 1);
  Drop(stream);
  streams_[stream].before_first = position;
  streams_[stream].last = position;
  Change(stream);
}

void MutationLog::Change(StreamIdx stream) {
  if (std::exchange(streams_[stream].changed, true)) return;
  changed_.push_back(stream);
}

std::vector<MutationLog::StreamIdx> MutationLog::TakeChanged() {
  for (const StreamIdx stream : changed_) streams_[stream].changed = false;
  return std::exchange(changed_, {});
}

void MutationLog::Drop(StreamIdx stream) {
  StreamLog& s = streams_[stream];
  for (const Chunk& chunk : s.chunks) bytes_ -= chunk.bytes.capacity();
  s = StreamLog{};
  std::erase(by_age_, stream);
}

void MutationLog::Append(StreamIdx stream, absl::string_view bytes,
                         uint32_t count) {
  if (count == 0) return;
  StreamLog& s = streams_[stream];
  if (s.chunks.empty() ||
      s.chunks.back().bytes.size() + bytes.size() > kChunkBytes) {
    if (!s.chunks.empty()) {
      std::string& sealed = s.chunks.back().bytes;
      bytes_ -= sealed.capacity();
      if (sealed.capacity() > sealed.size() + kChunkBytes / 8) {
        sealed.shrink_to_fit();
      }
      bytes_ += sealed.capacity();
    }
    s.chunks.push_back(Chunk{next_chunk_++, s.last.Next(), 0, {}});
    bytes_ += s.chunks.back().bytes.capacity();
    by_age_.push_back(stream);
  }
  Chunk& chunk = s.chunks.back();
  bytes_ -= chunk.bytes.capacity();
  if (chunk.bytes.size() + bytes.size() > kChunkBytes / 2) {
    chunk.bytes.reserve(kChunkBytes);  // Doubled, it would be far too large.
  }
  chunk.bytes.append(bytes.data(), bytes.size());
  bytes_ += chunk.bytes.capacity();
  chunk.count += count;
  s.last = Seq(s.last.value + count);
  Change(stream);
  Evict();
}

void MutationLog::Evict() {
  while (bytes_ > budget_ && !by_age_.empty()) {
    const StreamIdx stream = by_age_.front();
    StreamLog& s = streams_[stream];
    by_age_.pop_front();
    bytes_ -= s.chunks.front().bytes.capacity();
    s.before_first =
        Seq(s.chunks.front().first.value + s.chunks.front().count - 1);
    if (Mutated(Mutant::kLogStartOffByOne)) --s.before_first.value;
    s.chunks.pop_front();
    Change(stream);
  }
}

bool MutationLog::MayLose(StreamIdx stream, Seq seq, size_t more) const {
  size_t bytes = bytes_ + more;
  std::map<StreamIdx, size_t> passed;
  for (const StreamIdx oldest : by_age_) {
    if (bytes <= budget_) return false;
    const Chunk& chunk = streams_[oldest].chunks[passed[oldest]++];
    if (oldest == stream && chunk.first.value + chunk.count - 1 > seq.value) {
      return true;
    }
    bytes -= chunk.bytes.capacity();
  }
  return false;
}

std::optional<MutationLog::Run> MutationLog::Read(StreamIdx stream,
                                                  Cursor& cursor,
                                                  size_t max_bytes) const {
  const StreamLog& s = streams_[stream];
  MUSTER_CHECK(Reaches(stream, cursor.at));
  if (cursor.at == s.last) return std::nullopt;
  Seq next = cursor.at.Next();
  // The last chunk whose first seq is at or before `next`.
  auto it = std::upper_bound(
      s.chunks.begin(), s.chunks.end(), next,
      [](Seq seq, const Chunk& chunk) { return seq < chunk.first; });
  MUSTER_CHECK(it != s.chunks.begin());
  const Chunk& chunk = *--it;
  if (cursor.chunk != chunk.number) {
    absl::string_view skip = chunk.bytes;
    grammar_.skip(skip, static_cast<uint32_t>(next.value - chunk.first.value),
                  kAnyBytes);
    cursor.chunk = chunk.number;
    cursor.offset = chunk.bytes.size() - skip.size();
  }
  Run run;
  run.first = next;
  Seq end(chunk.first.value + chunk.count);  // First seq after the chunk.
  absl::string_view rest = absl::string_view(chunk.bytes).substr(cursor.offset);
  absl::string_view left = rest;
  if (rest.size() <= max_bytes && end.value - next.value <= kRunCount) {
    run.count = static_cast<uint32_t>(end.value - next.value);
    left.remove_prefix(left.size());
  } else {
    const uint64_t most = std::min<uint64_t>(end.value - next.value, kRunCount);
    run.count = grammar_.skip(left, static_cast<uint32_t>(most), max_bytes);
  }
  size_t taken = rest.size() - left.size();
  run.bytes.assign(rest.data(), taken);
  cursor.at = Seq(next.value + run.count - 1);
  cursor.offset += taken;
  return run;
}

}  // namespace muster::crdt
