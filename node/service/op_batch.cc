#include "node/service/op_batch.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "node/service/validate.h"

namespace muster::service {
namespace {

using Errors = std::vector<core::IndexedError>;

uint32_t Index(size_t index) { return static_cast<uint32_t>(index); }

// Gives the core's errors the client's indices and adds the bad ones.
// REQUIRES: `bad` is ordered by index, as operations are added.
void CompleteErrors(const Errors& bad, size_t total, Errors* errors) {
  if (bad.empty()) return;
  std::vector<uint32_t> index_of_good;
  index_of_good.reserve(total - bad.size());
  size_t next_bad = 0;
  for (size_t i = 0; i < total; ++i) {
    if (next_bad < bad.size() && bad[next_bad].index == i) {
      ++next_bad;
    } else {
      index_of_good.push_back(Index(i));
    }
  }
  for (core::IndexedError& error : *errors) {
    error.index = index_of_good[error.index];
  }
  errors->insert(errors->end(), bad.begin(), bad.end());
  std::sort(errors->begin(), errors->end(),
            [](const core::IndexedError& a, const core::IndexedError& b) {
              return a.index < b.index;
            });
}

// Inserts "none" at the index of each bad operation.
void CompleteRefs(const Errors& bad, std::vector<crdt::Ref>* refs) {
  if (bad.empty()) return;
  std::vector<crdt::Ref> complete;
  complete.reserve(refs->size() + bad.size());
  size_t next = 0;
  for (const core::IndexedError& error : bad) {
    while (complete.size() < error.index) complete.push_back((*refs)[next++]);
    complete.emplace_back();
  }
  complete.insert(complete.end(), refs->begin() + next, refs->end());
  *refs = std::move(complete);
}

}  // namespace

void OpBatch::Reset(const Limits* limits, size_t room) {
  limits_ = limits;
  room_ = room;
  request_.untrack.clear();
  request_.update.clear();
  request_.track.clear();
  untracks_ = updates_ = tracks_ = 0;
  bad_untracks_.clear();
  bad_updates_.clear();
  bad_tracks_.clear();
}

void OpBatch::Untrack(absl::string_view ref_text) {
  const size_t index = untracks_++;
  if (Full()) return;
  crdt::Ref ref;
  absl::Status status = CheckRef({"untrack", index}, ref_text, &ref);
  if (status.ok()) {
    request_.untrack.push_back(ref);
  } else {
    bad_untracks_.push_back({Index(index), std::move(status)});
  }
}

void OpBatch::Update(absl::string_view ref_text, absl::string_view meta) {
  const size_t index = updates_++;
  if (Full()) return;
  crdt::Ref ref;
  absl::Status status = CheckRef({"update", index, "ref"}, ref_text, &ref);
  if (status.ok())
    status = CheckMeta({"update", index, "meta"}, meta, *limits_);
  if (status.ok()) {
    request_.update.push_back({ref, meta});
  } else {
    bad_updates_.push_back({Index(index), std::move(status)});
  }
}

void OpBatch::Track(const core::TrackOp& op) {
  const size_t index = tracks_++;
  if (Full()) return;
  absl::Status status =
      CheckName({"track", index, "topic"}, op.topic, *limits_);
  if (status.ok()) {
    status = CheckName({"track", index, "key"}, op.key, *limits_);
  }
  if (status.ok()) {
    status = CheckMeta({"track", index, "meta"}, op.meta, *limits_);
  }
  if (status.ok()) {
    request_.track.push_back(op);
  } else {
    bad_tracks_.push_back({Index(index), std::move(status)});
  }
}

void OpBatch::Complete(core::ApplyReply* reply) const {
  CompleteErrors(bad_untracks_, untracks_, &reply->untrack_errors);
  CompleteErrors(bad_updates_, updates_, &reply->update_errors);
  CompleteErrors(bad_tracks_, tracks_, &reply->track_errors);
  CompleteRefs(bad_updates_, &reply->updated);
  CompleteRefs(bad_tracks_, &reply->tracked);
}

}  // namespace muster::service
