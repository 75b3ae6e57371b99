#include "node/core/presence/own_stream.h"

#include "crdt/check.h"

namespace muster::core {

using crdt::ElementId;
using crdt::Mutation;
using crdt::RowIdx;
using crdt::SessionIdx;

Mutation OwnStream::Next(Mutation::Kind kind) {
  Mutation mutation;
  mutation.kind = kind;
  mutation.seq = stream_.vv.Next();
  mutation.id = ElementId(mutation.seq.value);
  bytes_.clear();
  return mutation;
}

void OwnStream::Log(const Mutation& mutation) {
  stream_.vv = mutation.seq;
  log_.Append(stream_.idx, bytes_, 1);
}

void OwnStream::Commit(const Mutation& mutation) {
  Log(mutation);
  MUSTER_CHECK(roll_.Apply(stream_, mutation) == Roll::Applied::kOk);
}

SessionIdx OwnStream::AddSession(const crdt::SessionContent& content) {
  Mutation mutation = Next(Mutation::Kind::kPutSession);
  mutation.session = content;
  EncodePutSession(mutation.seq, mutation.id, content, bytes_);
  Commit(mutation);
  return roll_.store().sessions().Find(stream_.idx, mutation.id);
}

void OwnStream::UpdateSession(SessionIdx session,
                              const crdt::SessionContent& content) {
  Mutation mutation = Next(Mutation::Kind::kPutSession);
  mutation.id = roll_.store().session(session).id;
  mutation.session = content;
  EncodePutSession(mutation.seq, mutation.id, content, bytes_);
  Commit(mutation);
}

void OwnStream::RemoveSession(SessionIdx session) {
  Mutation mutation = Next(Mutation::Kind::kRemoveSession);
  mutation.id = roll_.store().session(session).id;
  EncodeRemove(mutation.kind, mutation.seq, mutation.id, bytes_);
  Commit(mutation);
}

RowIdx OwnStream::AddEntry(SessionIdx session, absl::string_view topic,
                           absl::string_view key, absl::string_view meta,
                           const crdt::Ref& ref, const crdt::EntryRoot& root) {
  Mutation mutation = Next(Mutation::Kind::kPutEntry);
  const bool said = root == crdt::EntryRoot{ref.life, ref.id};
  mutation.entry = {roll_.store().session(session).id, topic, key, meta, ref,
                    said ? crdt::EntryRoot{} : root};
  EncodePutEntry(mutation.seq, mutation.id, mutation.entry, bytes_);
  Log(mutation);
  return roll_.AddEntry(stream_, session, mutation);
}

void OwnStream::UpdateEntry(RowIdx row, absl::string_view meta) {
  const crdt::PresenceStore& store = roll_.store();
  Mutation mutation = Next(Mutation::Kind::kPutEntry);
  mutation.id = store.id(row);
  mutation.entry = {store.session(store.session_of(row)).id,
                    store.topic(row),
                    store.key(row),
                    meta,
                    store.adopted_as(row),
                    store.explicit_root(row)};
  EncodePutEntry(mutation.seq, mutation.id, mutation.entry, bytes_);
  Commit(mutation);
}

void OwnStream::RemoveEntry(RowIdx row) {
  Mutation mutation = Next(Mutation::Kind::kRemoveEntry);
  mutation.id = roll_.store().id(row);
  EncodeRemove(mutation.kind, mutation.seq, mutation.id, bytes_);
  Commit(mutation);
}

}  // namespace muster::core
