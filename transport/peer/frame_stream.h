// The seam between a link and what carries it: an ordered, reliable stream of
// messages to one peer. gRPC implements it (grpc_stream.h), and so do tests, in
// process, where ThreadSanitizer sees everything.
//
//   pipe --Start, Read, Write, End, Release, Cancel--> stream
//   pipe <--OnRead, OnWritten, OnBroken, OnClosed----- stream
//
// Rules for the caller of a stream
//   1. At most one Read and one Write or End is pending.
//   2. No Write follows End. Nothing but Cancel follows Release.
//   3. Release is called once, after OnRead(null), when no Write is pending.
// What a stream promises
//   4. OnRead(null) comes after the last message, if a Read is pending.
//   5. Every Write is answered by OnWritten, also if the stream breaks.
//   6. OnClosed is the last call, once, after Release or Cancel or the end of
//      both sides; until then the stream holds its handler.
//
// Threads. Methods may be called from any thread. Handler calls come from any
// thread; OnRead and OnWritten may come at the same time as each other, but
// never from inside a method of the stream.
#ifndef MUSTER_TRANSPORT_PEER_FRAME_STREAM_H_
#define MUSTER_TRANSPORT_PEER_FRAME_STREAM_H_

#include <google/protobuf/io/zero_copy_stream.h>

#include <asio/ip/tcp.hpp>
#include <cstddef>
#include <memory>
#include <string>

#include "node/codec/peer_codec.h"

namespace muster::peer {

class FrameStreamHandler {
 public:
  virtual ~FrameStreamHandler() = default;
  // One message of `size` bytes; null: nothing more comes.
  virtual void OnRead(google::protobuf::io::ZeroCopyInputStream* message,
                      size_t size) = 0;
  // The stream has taken the message over; false: the stream is broken.
  virtual void OnWritten(bool ok) = 0;
  // The stream is broken: a Read would answer null.
  virtual void OnBroken() = 0;
  // Nothing follows. `why` is for people.
  virtual void OnClosed(const std::string& why) = 0;
};

class FrameStream {
 public:
  virtual ~FrameStream() = default;
  virtual void Start(std::shared_ptr<FrameStreamHandler> handler) = 0;
  virtual void Read() = 0;
  // `more`: another Write follows at once, so this one may wait for it.
  virtual void Write(codec::EncodedFrame frame, bool more) = 0;
  // Nothing more is sent: the peer reads null after what was written.
  virtual void End() = 0;
  virtual void Release() = 0;
  // Breaks the stream; unsent messages are lost. May be called again.
  virtual void Cancel() = 0;
};

// Opens streams to peers.
class Connector {
 public:
  virtual ~Connector() = default;
  // Returns a stream that is not started yet, on a fresh socket. Does not wait
  // for the connection: a failure is an OnRead(null), with the reason in
  // OnClosed.
  virtual std::shared_ptr<FrameStream> Connect(
      const asio::ip::tcp::endpoint& peer) = 0;
};

}  // namespace muster::peer

#endif  // MUSTER_TRANSPORT_PEER_FRAME_STREAM_H_
