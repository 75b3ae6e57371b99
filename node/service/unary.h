// The steps of every unary call: parse and check on a gRPC thread, ask the
// replica on the loop thread, encode and answer on another.
#ifndef MUSTER_NODE_SERVICE_UNARY_H_
#define MUSTER_NODE_SERVICE_UNARY_H_

#include <utility>

#include "absl/status/status.h"
#include "node/service/context.h"
#include "node/service/reactors.h"

namespace muster::service {

// Answers with `encode(*answer)`, or fails with the answer's status; on
// another thread.
template <class Answer, class Encode>
void AnswerLater(Context& context, UnaryReply reply, Answer answer,
                 Encode encode) {
  context.offload.Urgent([reply = std::move(reply), answer = std::move(answer),
                          encode = std::move(encode)]() mutable {
    if (answer.ok()) {
      Send(std::move(reply), encode(*answer));
    } else {
      Fail(std::move(reply), answer.status());
    }
  });
}

// A step that answers with `encode(*ask(replica, now))`; `ask` returns an
// absl::StatusOr.
template <class Ask, class Encode>
CoreTask Question(Context& context, UnaryReply reply, Ask ask, Encode encode) {
  return [&context, reply = std::move(reply), ask = std::move(ask),
          encode = std::move(encode)](core::Replica& replica,
                                      core::Now now) mutable {
    using Answer = decltype(ask(replica, now));
    const absl::Status serving = replica.Serving();
    AnswerLater(context, std::move(reply),
                serving.ok() ? ask(replica, now) : Answer(serving),
                std::move(encode));
  };
}

template <class Ask, class Encode>
void AskCore(Context& context, UnaryReply reply, Ask ask, Encode encode) {
  context.core.Post(
      Question(context, std::move(reply), std::move(ask), std::move(encode)));
}

// As AskCore, for a call that changes nothing: it does not wait behind changes.
template <class Ask, class Encode>
void ReadCore(Context& context, UnaryReply reply, Ask ask, Encode encode) {
  context.core.PostRead(
      Question(context, std::move(reply), std::move(ask), std::move(encode)));
}

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_UNARY_H_
