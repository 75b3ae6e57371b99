// Frames of the keyspace: muster.v1.KeyspaceFrame, the body of a routed frame,
// to and from core::KvBody. A part of peer_codec.h, whose rules hold.
//
// Mutations and parts of exchanges are not copied when they are encoded;
// commands and answers are, once. Decoding moves what was taken out of the
// transport's buffers; of answers each reply is copied once more.
#ifndef MUSTER_NODE_CODEC_KEYSPACE_CODEC_H_
#define MUSTER_NODE_CODEC_KEYSPACE_CODEC_H_

#include <cstddef>

#include "muster/v1/peer.pb.h"
#include "node/codec/field_check.h"
#include "node/codec/peer_codec.h"
#include "node/core/keyspace_frames.h"

namespace muster::codec {

// Of any list in a frame whose length nothing else limits.
inline constexpr size_t kMaxKeyspaceList = 1 << 20;
// Microseconds from 1970, before it or after it.
inline constexpr int64_t kMaxWallUs = int64_t{1} << 61;

// The body of the frame `envelope`, whose `routed` has none.
EncodedFrame EncodeKeyspace(const v1::PeerFrame& envelope,
                            const core::KvBody& body);
void FillPosition(const core::KvPosition& position,
                  v1::KeyspaceFrame::Position& out);

// Of foreign bytes; nothing is to be made of the result unless `check` is ok.
core::KvBody TakeKeyspace(v1::KeyspaceFrame& from, FieldCheck& check);
core::KvPosition TakePosition(const char* message,
                              const v1::KeyspaceFrame::Position& from,
                              FieldCheck& check);

}  // namespace muster::codec

#endif  // MUSTER_NODE_CODEC_KEYSPACE_CODEC_H_
