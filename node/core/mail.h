// What pub/sub on one node has to say to pub/sub on another: no stream, but
// from one life to another by whatever way there is.
#ifndef MUSTER_NODE_CORE_MAIL_H_
#define MUSTER_NODE_CORE_MAIL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "crdt/types.h"
#include "node/core/keyspace_calls.h"

namespace muster::core {

// Messages; see mailbox.h. Their numbers are [first, first + count). With count
// 0 it only announces that none below `first` will come any more.
struct MailFrame {
  uint64_t epoch = 0;
  uint64_t first = 0;
  uint32_t count = 0;
  // The publisher's node had written its interest stream so far.
  crdt::Seq interest;
  // `count` messages; see crdt/message_bytes.h.
  std::shared_ptr<const std::string> messages;
  // What its publishers had seen acknowledged of the keyspace; none: no write.
  KvPosition kv;
};
// All mail of this epoch up to `number` was taken.
struct MailAck {
  uint64_t epoch = 0;
  uint64_t number = 0;
};
// The sender has applied the receiver's interest stream up to `seq`.
struct InterestApplied {
  crdt::Seq seq;
};
// Please say InterestApplied once more.
struct InterestAsk {};

using MailBody = std::variant<MailFrame, MailAck, InterestApplied, InterestAsk>;
struct PubSubMail {
  crdt::LifeId to;
  MailBody body;
};

}  // namespace muster::core

#endif  // MUSTER_NODE_CORE_MAIL_H_
