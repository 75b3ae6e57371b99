#include "muster/client/held_entries.h"

#include <google/protobuf/stubs/common.h>

#include <algorithm>
#include <iterator>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

namespace muster::client {
namespace {

absl::Status CheckText(absl::string_view what, absl::string_view name) {
  if (google::protobuf::internal::IsStructurallyValidUTF8(
          name.data(), static_cast<int>(name.size()))) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(what, ": not valid UTF-8"));
}

absl::Status ErrorOf(const v1::OpError& error) {
  return absl::Status(static_cast<absl::StatusCode>(error.code()),
                      error.message());
}

}  // namespace

HeldEntries::HeldEntries(std::vector<HeldEntry> entries) {
  for (HeldEntry& entry : entries) Queue(Add(std::move(entry)));
}

HeldEntries::Slot* HeldEntries::Add(HeldEntry entry) {
  Slot* slot = &slots_.emplace_back();
  slot->self = std::prev(slots_.end());
  slot->entry = std::move(entry);
  index_.try_emplace({slot->entry.topic, slot->entry.key}, slot);
  return slot;
}

HeldEntries::Slot* HeldEntries::Find(absl::string_view topic,
                                     absl::string_view key) {
  const auto found = index_.find({std::string(topic), std::string(key)});
  return found == index_.end() ? nullptr : found->second;
}

void HeldEntries::Queue(Slot* slot) {
  if (slot->queued) return;
  slot->queued = true;
  work_.push_back(slot);
}

absl::Status HeldEntries::Track(HeldEntry entry) {
  absl::Status status = CheckText("topic", entry.topic);
  status.Update(CheckText("key", entry.key));
  if (!status.ok()) return status;
  Slot* known = Find(entry.topic, entry.key);
  if (known != nullptr && !known->refused) {
    return absl::AlreadyExistsError(absl::StrCat(
        "the session tracks ", entry.key, " in ", entry.topic, " already"));
  }
  if (known != nullptr) {
    index_.erase({entry.topic, entry.key});
    known->gone = true;
    if (!known->queued && !known->in_flight) Erase(known);
  }
  Queue(Add(std::move(entry)));
  return absl::OkStatus();
}

absl::Status HeldEntries::Update(absl::string_view topic, absl::string_view key,
                                 std::string meta) {
  Slot* slot = Find(topic, key);
  if (slot == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("the session does not track ", key, " in ", topic));
  }
  slot->refused = false;
  slot->new_meta = std::move(meta);
  if (!slot->in_flight) Queue(slot);
  return absl::OkStatus();
}

absl::Status HeldEntries::Untrack(absl::string_view topic,
                                  absl::string_view key) {
  Slot* slot = Find(topic, key);
  if (slot == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("the session does not track ", key, " in ", topic));
  }
  index_.erase({slot->entry.topic, slot->entry.key});
  slot->gone = true;
  if (!slot->ref.empty()) --held_;
  if (slot->in_flight) return absl::OkStatus();
  if (slot->ref.empty() && !slot->queued) {
    Erase(slot);
  } else {
    Queue(slot);
  }
  return absl::OkStatus();
}

void HeldEntries::DropIdle() {
  while (!work_.empty()) {
    Slot* slot = work_.front();
    const bool nothing_there = slot->gone && slot->ref.empty();
    const bool as_wanted = !slot->gone && !slot->ref.empty() && !slot->new_meta;
    if (!nothing_there && !as_wanted && !slot->refused) return;
    work_.pop_front();
    slot->queued = false;
    if (nothing_there) Erase(slot);
  }
}

bool HeldEntries::Settled() {
  DropIdle();
  return !in_flight() && work_.empty();
}

bool HeldEntries::NextBatch(const BatchSize& limit,
                            v1::SessionRequest* request) {
  for (DropIdle(); !work_.empty(); DropIdle()) {
    Slot* slot = work_.front();
    const HeldEntry& entry = slot->entry;
    const size_t meta =
        slot->new_meta ? slot->new_meta->size() : entry.meta.size();
    const size_t more =
        slot->gone
            ? slot->ref.size()
            : meta + (slot->ref.empty() ? entry.topic.size() + entry.key.size()
                                        : slot->ref.size());
    if (in_flight() && (batch_size_.operations >= limit.operations ||
                        batch_size_.bytes + more > limit.bytes)) {
      break;
    }
    work_.pop_front();
    slot->queued = false;
    slot->in_flight = true;
    ++batch_size_.operations;
    batch_size_.bytes += more;
    Append(slot, request);
  }
  return in_flight();
}

void HeldEntries::Append(Slot* slot, v1::SessionRequest* request) {
  if (slot->gone) {
    request->add_untrack(slot->ref);
    untracks_.push_back(slot);
    return;
  }
  if (!slot->ref.empty()) {
    v1::UpdateOp* op = request->add_update();
    op->set_ref(slot->ref);
    op->set_meta(*slot->new_meta);
    slot->sent_meta = std::exchange(slot->new_meta, std::nullopt);
    updates_.push_back(slot);
    return;
  }
  if (slot->new_meta) {
    slot->entry.meta = *std::exchange(slot->new_meta, std::nullopt);
  }
  v1::TrackOp* op = request->add_track();
  op->set_topic(slot->entry.topic);
  op->set_key(slot->entry.key);
  op->set_meta(slot->entry.meta);
  tracks_.push_back(slot);
}

std::vector<HeldEntries::Refusal> HeldEntries::Acknowledge(
    const v1::SessionResponse& response) {
  std::vector<Refusal> refusals;
  batch_size_ = {};
  TakeUpdates(response, &refusals);
  TakeTracks(response, &refusals);
  TakeUntracks();
  return refusals;
}

// An untrack that failed names an entry that is not there.
void HeldEntries::TakeUntracks() {
  for (Slot* slot : std::exchange(untracks_, {})) Erase(slot);
}

void HeldEntries::TakeUpdates(const v1::SessionResponse& response,
                              std::vector<Refusal>* refusals) {
  const std::vector<Slot*> updates = std::exchange(updates_, {});
  const int answered = std::min<int>(static_cast<int>(updates.size()),
                                     response.updated_refs_size());
  for (int i = 0; i < answered; ++i) {
    Slot* slot = updates[i];
    if (response.updated_refs(i).empty()) continue;
    // An entry without a ref was given up meanwhile.
    if (!slot->ref.empty()) slot->ref = response.updated_refs(i);
    slot->entry.meta = *slot->sent_meta;
  }
  for (const v1::OpError& error : response.update_errors()) {
    if (error.index() >= updates.size()) continue;
    Slot* slot = updates[error.index()];
    HeldEntry entry = slot->entry;
    entry.meta = *slot->sent_meta;
    refusals->push_back({std::move(entry), ErrorOf(error)});
    // The node has no such entry; in any other case it keeps the entry's meta.
    if (!absl::IsNotFound(refusals->back().status)) continue;
    Refuse(slot);
    slot->new_meta.reset();
  }
  for (Slot* slot : updates) Landed(slot);
}

void HeldEntries::TakeTracks(const v1::SessionResponse& response,
                             std::vector<Refusal>* refusals) {
  const std::vector<Slot*> tracks = std::exchange(tracks_, {});
  const int answered = std::min<int>(static_cast<int>(tracks.size()),
                                     response.tracked_refs_size());
  for (int i = 0; i < answered; ++i) {
    tracks[i]->ref = response.tracked_refs(i);
    if (!tracks[i]->ref.empty() && !tracks[i]->gone) ++held_;
  }
  for (const v1::OpError& error : response.track_errors()) {
    if (error.index() >= tracks.size()) continue;
    Slot* slot = tracks[error.index()];
    Refuse(slot);
    refusals->push_back({slot->entry, ErrorOf(error)});
  }
  for (Slot* slot : tracks) Landed(slot);
}

// Requests made meanwhile are next. An untrack comes before all that waits: a
// waiting track may be of the same topic and key.
void HeldEntries::Landed(Slot* slot) {
  slot->in_flight = false;
  slot->sent_meta.reset();
  if (slot->gone) {
    if (slot->ref.empty()) {
      Erase(slot);
    } else {
      slot->queued = true;
      work_.push_front(slot);
    }
    return;
  }
  if (!slot->new_meta && (slot->refused || !slot->ref.empty())) return;
  slot->refused = false;
  Queue(slot);
}

void HeldEntries::Refuse(Slot* slot) {
  if (!slot->ref.empty() && !slot->gone) --held_;
  slot->ref.clear();
  slot->refused = true;
}

HeldEntries::Refusal HeldEntries::RefuseBatch(const absl::Status& status) {
  v1::SessionResponse answer;
  v1::OpError* error =
      updates_.empty() ? answer.add_track_errors() : answer.add_update_errors();
  error->set_code(static_cast<int>(status.code()));
  error->set_message(std::string(status.message()));
  std::vector<Refusal> refusals = Acknowledge(answer);
  return refusals.empty() ? Refusal{{}, status} : std::move(refusals[0]);
}

std::optional<HeldEntry> HeldEntries::GiveUp(absl::string_view ref) {
  const auto found =
      std::find_if(slots_.begin(), slots_.end(), [&ref](const Slot& slot) {
        return !slot.ref.empty() && slot.ref == ref;
      });
  if (found == slots_.end()) return std::nullopt;
  Slot* slot = &*found;
  HeldEntry entry = slot->entry;
  const auto named = index_.find({entry.topic, entry.key});
  if (named != index_.end() && named->second == slot) index_.erase(named);
  if (!slot->gone) --held_;
  slot->gone = true;
  slot->ref.clear();
  slot->new_meta.reset();
  if (!slot->queued && !slot->in_flight) Erase(slot);
  return entry;
}

void HeldEntries::FillResume(v1::ResumeRequest* resume) {
  for (auto slot = slots_.begin(); slot != slots_.end();) {
    if (slot->gone) {
      slot = slots_.erase(slot);
      continue;
    }
    // The queue is filled anew when the stream has begun.
    slot->queued = false;
    if (!slot->ref.empty()) {
      v1::Entry* entry = resume->add_entries();
      entry->set_topic(slot->entry.topic);
      entry->set_key(slot->entry.key);
      entry->set_ref(slot->ref);
    }
    ++slot;
  }
  work_.clear();
}

void HeldEntries::StreamBegun(const v1::ResumeResponse& resumed) {
  const absl::flat_hash_set<std::string> missing(resumed.missing_refs().begin(),
                                                 resumed.missing_refs().end());
  // Entries that were untracked since the resume come first.
  for (const bool gone : {true, false}) {
    for (Slot& slot : slots_) {
      if (slot.gone != gone) continue;
      if (missing.contains(slot.ref)) {
        if (!slot.gone) --held_;
        slot.ref.clear();
      }
      if (!slot.refused) Queue(&slot);
    }
  }
}

void HeldEntries::StreamEnded() {
  for (std::vector<Slot*>* slots : {&untracks_, &updates_, &tracks_}) {
    for (Slot* slot : *slots) {
      slot->in_flight = false;
      if (slot->sent_meta && !slot->new_meta) {
        slot->new_meta = std::move(slot->sent_meta);
      }
      slot->sent_meta.reset();
      Queue(slot);
    }
    slots->clear();
  }
  batch_size_ = {};
}

void HeldEntries::SessionEnded() {
  for (Slot& slot : slots_) slot.ref.clear();
  held_ = 0;
}

}  // namespace muster::client
