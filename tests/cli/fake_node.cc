#include "tests/cli/fake_node.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"

namespace muster::client {

std::string FakeWorld::Track(const v1::TrackOp& op) {
  absl::MutexLock lock(&mutex_);
  const std::string ref = absl::StrCat("ref", ++next_);
  entries_[ref] = {op.key(), op.meta()};
  return ref;
}

std::string FakeWorld::Update(const v1::UpdateOp& op) {
  absl::MutexLock lock(&mutex_);
  auto entry = entries_.extract(op.ref());
  if (entry.empty()) return "";
  entry.key() = absl::StrCat("ref", ++next_);
  entry.mapped().second = op.meta();
  return entries_.insert(std::move(entry)).position->first;
}

void FakeWorld::Untrack(const std::string& ref) {
  absl::MutexLock lock(&mutex_);
  entries_.erase(ref);
}

std::vector<std::string> FakeWorld::Shown() const {
  absl::MutexLock lock(&mutex_);
  std::vector<std::string> shown;
  for (const auto& [ref, entry] : entries_) {
    shown.push_back(absl::StrCat(entry.first, " ", entry.second));
  }
  std::sort(shown.begin(), shown.end());
  return shown;
}

bool FakeWorld::Holds(const std::string& ref) const {
  absl::MutexLock lock(&mutex_);
  return entries_.contains(ref);
}

std::string FakeWorld::RefOf(const std::string& key) const {
  absl::MutexLock lock(&mutex_);
  for (const auto& [ref, of] : entries_) {
    if (of.first == key) return ref;
  }
  return "";
}

void FakeWorld::Forget(const std::string& key) {
  absl::MutexLock lock(&mutex_);
  std::erase_if(entries_, [&](const auto& e) { return e.second.first == key; });
}

void FakeWorld::EndSession(const std::string& token) {
  absl::MutexLock lock(&mutex_);
  ended_.insert(token);
  entries_.clear();
}

bool FakeWorld::HasEnded(const std::string& token) const {
  absl::MutexLock lock(&mutex_);
  return ended_.contains(token);
}

size_t FakeWorld::entries() const {
  absl::MutexLock lock(&mutex_);
  return entries_.size();
}

FakeNode::FakeNode(std::string name, FakeWorld* world, int max_message_bytes,
                   const std::string& address)
    : name_(std::move(name)), world_(world) {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(this);
  builder.SetMaxReceiveMessageSize(max_message_bytes);
  server_ = builder.BuildAndStart();
  address_ = absl::StrCat("127.0.0.1:", port);
}

FakeNode::~FakeNode() { Kill(); }

void FakeNode::Kill() {
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

void FakeNode::Drain() {
  absl::MutexLock lock(&mutex_);
  v1::SessionResponse response;
  response.set_moving(true);
  for (auto* stream : streams_) stream->Write(response);
}

void FakeNode::Evict(const std::string& key, const std::string& reason) {
  v1::SessionResponse response;
  v1::EvictedEntry* evicted = response.add_evicted();
  evicted->set_ref(world_->RefOf(key));
  evicted->set_key(key);
  evicted->set_reason(reason);
  world_->Forget(key);
  absl::MutexLock lock(&mutex_);
  for (auto* stream : streams_) stream->Write(response);
}

void FakeNode::SetWatch(WatchScript script) {
  absl::MutexLock lock(&mutex_);
  watch_ = std::move(script);
}

void FakeNode::SetCount(grpc::Status status) {
  absl::MutexLock lock(&mutex_);
  count_ = std::move(status);
}

void FakeNode::Refuse(const std::string& key) {
  absl::MutexLock lock(&mutex_);
  refused_.insert(key);
}

void FakeNode::SetMaxBatch(int operations) {
  absl::MutexLock lock(&mutex_);
  max_batch_ = operations;
}

void FakeNode::FailTracks(grpc::Status status) {
  absl::MutexLock lock(&mutex_);
  tracks_ = std::move(status);
}

void FakeNode::FailCloses(grpc::Status status) {
  absl::MutexLock lock(&mutex_);
  closes_ = std::move(status);
}

std::vector<v1::SessionRequest> FakeNode::requests() const {
  absl::MutexLock lock(&mutex_);
  return requests_;
}

grpc::Status FakeNode::Session(
    grpc::ServerContext*,
    grpc::ServerReaderWriter<v1::SessionResponse, v1::SessionRequest>* stream) {
  v1::SessionRequest request;
  grpc::Status status;
  while (status.ok() && stream->Read(&request)) {
    v1::SessionResponse response;
    status = Answer(request, &response);
    absl::MutexLock lock(&mutex_);
    streams_.insert(stream);
    if (status.ok()) stream->Write(response);
  }
  absl::MutexLock lock(&mutex_);
  streams_.erase(stream);
  return status;
}

grpc::Status FakeNode::Answer(const v1::SessionRequest& request,
                              v1::SessionResponse* response) {
  absl::MutexLock lock(&mutex_);
  requests_.push_back(request);
  response->set_number(request.number());
  if (request.has_open()) {
    response->mutable_opened()->set_token("token of " + name_);
  }
  if (request.has_resume()) {
    if (world_->HasEnded(request.resume().token())) {
      return {grpc::StatusCode::NOT_FOUND, "the session has ended"};
    }
    response->mutable_resumed()->mutable_session()->set_resume_number(
        request.resume().resume_number());
    for (const v1::Entry& entry : request.resume().entries()) {
      if (!world_->Holds(entry.ref())) {
        response->mutable_resumed()->add_missing_refs(entry.ref());
      }
    }
  }
  ChangeAll(request, response);
  return TrackAll(request, response);
}

void FakeNode::ChangeAll(const v1::SessionRequest& request,
                         v1::SessionResponse* response) {
  for (const std::string& ref : request.untrack()) world_->Untrack(ref);
  for (int i = 0; i < request.update_size(); ++i) {
    const std::string ref = request.update(i).meta() == "refused"
                                ? ""
                                : world_->Update(request.update(i));
    response->add_updated_refs(ref);
    if (!ref.empty()) continue;
    v1::OpError* error = response->add_update_errors();
    error->set_index(static_cast<uint32_t>(i));
    error->set_code(grpc::StatusCode::INVALID_ARGUMENT);
    error->set_message("no such meta");
  }
}

grpc::Status FakeNode::TrackAll(const v1::SessionRequest& request,
                                v1::SessionResponse* response) {
  if (request.track_size() > 0 && !tracks_.ok()) return tracks_;
  if (request.track_size() > max_batch_) {
    return {grpc::StatusCode::INVALID_ARGUMENT,
            absl::StrCat("track, update and untrack together has ",
                         request.track_size(), "; the limit is ", max_batch_,
                         " (--max-batch-ops)")};
  }
  for (int i = 0; i < request.track_size(); ++i) {
    if (!refused_.contains(request.track(i).key())) {
      response->add_tracked_refs(world_->Track(request.track(i)));
      continue;
    }
    response->add_tracked_refs("");
    v1::OpError* error = response->add_track_errors();
    error->set_index(static_cast<uint32_t>(i));
    error->set_code(grpc::StatusCode::INVALID_ARGUMENT);
    error->set_message("refused");
  }
  return grpc::Status::OK;
}

// From now on the session is here.
grpc::Status FakeNode::Resume(grpc::ServerContext*,
                              const v1::ResumeRequest* request,
                              v1::ResumeResponse*) {
  absl::MutexLock lock(&mutex_);
  requests_.emplace_back();
  *requests_.back().mutable_resume() = *request;
  closes_ = grpc::Status::OK;
  return grpc::Status::OK;
}

grpc::Status FakeNode::CloseSession(grpc::ServerContext*,
                                    const v1::CloseSessionRequest* request,
                                    v1::CloseSessionResponse*) {
  absl::MutexLock lock(&mutex_);
  if (!closes_.ok()) return closes_;
  world_->EndSession(request->token());
  return grpc::Status::OK;
}

grpc::Status FakeNode::Watch(grpc::ServerContext* context,
                             const v1::WatchRequest* request,
                             grpc::ServerWriter<v1::WatchResponse>* writer) {
  WatchScript script;
  {
    absl::MutexLock lock(&mutex_);
    script = watch_;
  }
  if (!script) return {grpc::StatusCode::UNIMPLEMENTED, "no script"};
  return script(*request, context, writer);
}

grpc::Status FakeNode::Count(grpc::ServerContext*, const v1::CountRequest*,
                             v1::CountResponse* response) {
  absl::MutexLock lock(&mutex_);
  response->set_entries(world_->entries());
  return count_;
}

}  // namespace muster::client
