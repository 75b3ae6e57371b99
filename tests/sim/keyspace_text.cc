#include "tests/sim/keyspace_text.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace muster::sim {
namespace {

using Part = core::KvExchangePart;

std::string Life(const crdt::LifeId& life) {
  return absl::StrCat(absl::Hex(life.hi >> 48, absl::kZeroPad4));
}

std::string ContextText(const kv::Context& context) {
  std::string text = "{";
  for (const auto& [life, seq] : context.seqs()) {
    absl::StrAppend(&text, text.size() > 1 ? " " : "", Life(life), ":",
                    seq.value);
  }
  return text + "}";
}

// In one line.
std::string ReplyText(const commands::Reply& reply) {
  std::string text = reply.empty() ? "-" : commands::ToText(reply);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

std::string CommandsText(const commands::CommandList& list) {
  std::string text;
  commands::CommandReader reader(list);
  std::vector<absl::string_view> argv;
  while (reader.Next(argv)) {
    absl::StrAppend(&text, text.empty() ? "" : "; ",
                    absl::CHexEscape(absl::StrJoin(argv, " ")));
  }
  return text;
}

std::string ServedText(const std::vector<core::KvServed>& served) {
  std::string text;
  for (const core::KvServed& pop : served) {
    absl::StrAppend(&text, " served ", Life(pop.request.origin), "#",
                    pop.request.call, "@", pop.seq.value, " ",
                    ReplyText(pop.replies));
  }
  return text;
}

std::string ForwardText(const core::KvForward& f) {
  return absl::StrCat("#", f.call, " ticket ", f.ticket, " db ", f.db, " ",
                      CommandsText(f.commands), f.atomic ? " atomic" : "",
                      f.again ? " again" : "", " watched ", f.watched.size());
}

const char* KindText(Part::Kind kind) {
  switch (kind) {
    case Part::Kind::kBegin:
      return "begin";
    case Part::Kind::kPart:
      return "part";
    case Part::Kind::kMutations:
      return "mutations";
    case Part::Kind::kKey:
      return "key";
    case Part::Kind::kEnd:
      return "end";
    case Part::Kind::kRefused:
      return "refused";
  }
  return "?";
}

struct BodyText {
  std::string operator()(const core::KvLeaderQuestion& f) const {
    return absl::StrCat("question #", f.number);
  }
  std::string operator()(const core::KvLeaderAnswer& f) const {
    return absl::StrCat("answer #", f.number, f.lives ? " lives" : "",
                        f.eligible ? " eligible" : "", f.empty ? " empty" : "",
                        " known ", f.known, " wall ", f.wall_us);
  }
  std::string operator()(const core::KvProposal& f) const {
    return absl::StrCat("proposal ", TermText(f.term));
  }
  std::string operator()(const core::KvPromise& f) const {
    std::string text =
        absl::StrCat("promise ", TermText(f.term), " ", ContextText(f.context));
    for (const core::KvForward& call : f.waiting) {
      absl::StrAppend(&text, " waits ", ForwardText(call));
    }
    return text + ServedText(f.served);
  }
  std::string operator()(const core::KvRefusal& f) const {
    return absl::StrCat(
        "refusal ", TermText(f.term), " for ", TermText(f.promised),
        f.leading ? absl::StrCat(" led, ", f.followers, " followers") : "");
  }
  std::string operator()(const core::KvInvitation& f) const {
    return absl::StrCat("invitation ", TermText(f.term));
  }
  std::string operator()(const core::KvFollowRequest& f) const {
    return absl::StrCat("follow ", TermText(f.term), " ",
                        ContextText(f.context));
  }
  std::string operator()(const core::KvTermBase& f) const {
    return absl::StrCat(
        "base ", TermText(f.term), " ", ContextText(f.base),
        f.by_log ? absl::StrCat(" log ", f.seq.value) : " exchange");
  }
  std::string operator()(const core::KvMutations& f) const {
    return absl::StrCat("mutations ", TermText(f.term), " ", f.first.value, "+",
                        f.count, " #", f.number, " echo ", f.echo, " at ",
                        f.time_us, ServedText(f.served));
  }
  std::string operator()(const core::KvApplied& f) const {
    return absl::StrCat("applied ", TermText(f.term), " ", f.seq.value,
                        f.gap ? " gap" : "", " #", f.number, " question ",
                        f.question);
  }
  std::string operator()(const core::KvLeave& f) const {
    return absl::StrCat("leave ", TermText(f.term));
  }
  std::string operator()(const core::KvForward& f) const {
    return absl::StrCat("forward ", TermText(f.term), " ", ForwardText(f));
  }
  std::string operator()(const core::KvAnswers& f) const {
    std::string text = absl::StrCat("answers ", TermText(f.term));
    for (const core::KvAnswers::Answer& answer : f.answers) {
      using Outcome = core::KvAnswers::Outcome;
      absl::StrAppend(&text, " #", answer.call,
                      answer.outcome == Outcome::kRefused ? " refused"
                      : answer.outcome == Outcome::kWaits ? " waits"
                                                          : " done",
                      "@", answer.seq.value, " ", ReplyText(answer.replies));
    }
    return text;
  }
  std::string operator()(const core::KvWithdraw& f) const {
    return absl::StrCat("withdraw #", f.call);
  }
  std::string operator()(const core::KvExchangeBegin& f) const {
    return absl::StrCat("exchange ", f.exchange, " begin ", TermText(f.term));
  }
  std::string operator()(const core::KvExchangeDigests& f) const {
    return absl::StrCat("exchange ", f.exchange, " digests of ",
                        f.groups.size(), " groups");
  }
  std::string operator()(const core::KvExchangeWant& f) const {
    return absl::StrCat("exchange ", f.exchange, " want ",
                        absl::StrJoin(f.buckets, " "));
  }
  std::string operator()(const Part& f) const {
    return absl::StrCat(
        "exchange ", f.exchange, " #", f.number, " ", KindText(f.kind),
        " bucket ", f.bucket, f.last ? " last" : "", " ", f.first.value, "+",
        f.count, " key ", f.key.db, ":", f.key.key, " bytes ",
        f.bytes == nullptr ? 0 : f.bytes->size(), " ", ContextText(f.context));
  }
  std::string operator()(const core::KvExchangeAck& f) const {
    std::string text = absl::StrCat("exchange ", f.exchange, " ack #", f.number,
                                    f.over ? " over" : "");
    for (const kv::OwnedKey& key : f.again) {
      absl::StrAppend(&text, " again ", key.db, ":", key.key);
    }
    return text;
  }
};

class BodyMix {
 public:
  explicit BodyMix(Trace& trace) : trace_(trace) {}

  void operator()(const core::KvPromise& f) const {
    for (const core::KvForward& call : f.waiting) (*this)(call);
    Mix(f.served);
  }
  void operator()(const core::KvMutations& f) const {
    Mix(f.mutations);
    Mix(f.served);
  }
  void operator()(const core::KvForward& f) const {
    trace_.Mix(f.commands.bytes());
    for (const commands::Watched& watched : f.watched) {
      trace_.Mix(watched.key.key);
      trace_.Mix(watched.digest);
    }
  }
  void operator()(const core::KvAnswers& f) const {
    for (const core::KvAnswers::Answer& answer : f.answers) {
      trace_.Mix(answer.replies.encoded());
    }
  }
  void operator()(const core::KvExchangeBegin& f) const {
    for (const uint64_t digest : f.groups) trace_.Mix(digest);
  }
  void operator()(const core::KvExchangeDigests& f) const {
    for (const core::KvExchangeDigests::Group& group : f.groups) {
      trace_.Mix(group.group);
      for (const uint64_t digest : group.buckets) trace_.Mix(digest);
    }
  }
  void operator()(const core::KvExchangeWant& f) const {
    for (const uint32_t bucket : f.buckets) trace_.Mix(bucket);
  }
  void operator()(const Part& f) const { Mix(f.bytes); }
  // The text says all that there is in the rest.
  template <typename T>
  void operator()(const T&) const {}

 private:
  void Mix(const std::shared_ptr<const std::string>& bytes) const {
    if (bytes != nullptr) trace_.Mix(*bytes);
  }
  void Mix(const std::vector<core::KvServed>& served) const {
    for (const core::KvServed& pop : served) {
      trace_.Mix(pop.leader.hi);
      trace_.Mix(pop.replies.encoded());
    }
  }

  Trace& trace_;
};

size_t BytesOf(const std::shared_ptr<const std::string>& bytes) {
  return bytes == nullptr ? 0 : bytes->size();
}

// On the wire, about, beside the head of a frame.
struct RoutedBytes {
  size_t operator()(const core::KvPromise& f) const {
    size_t bytes = 24 * f.context.size();
    for (const core::KvForward& call : f.waiting) bytes += (*this)(call);
    for (const core::KvServed& pop : f.served)
      bytes += 48 + pop.replies.bytes();
    return bytes;
  }
  size_t operator()(const core::KvFollowRequest& f) const {
    return 24 * f.context.size();
  }
  size_t operator()(const core::KvTermBase& f) const {
    return 24 * f.base.size();
  }
  size_t operator()(const core::KvMutations& f) const {
    return 24 + BytesOf(f.mutations) + 48 * f.served.size();
  }
  size_t operator()(const core::KvForward& f) const {
    return 24 + f.commands.bytes().size();
  }
  size_t operator()(const core::KvAnswers& f) const {
    size_t bytes = 0;
    for (const auto& answer : f.answers) bytes += 16 + answer.replies.bytes();
    return bytes;
  }
  size_t operator()(const core::KvExchangeBegin&) const {
    return 8 * kv::kGroups;
  }
  size_t operator()(const core::KvExchangeDigests& f) const {
    return f.groups.size() * (4 + 8 * kv::kBucketsPerGroup);
  }
  size_t operator()(const core::KvExchangeWant& f) const {
    return 2 * f.buckets.size();
  }
  size_t operator()(const Part& f) const {
    return 24 * f.context.size() + BytesOf(f.bytes);
  }
  template <typename T>
  size_t operator()(const T&) const {
    return 0;
  }
};

}  // namespace

std::string TermText(const core::Term& term) {
  return absl::StrCat(term.number, "@", Life(term.leader));
}

std::string KeyspaceText(const core::KvBody& body) {
  return absl::StrCat("kv ", std::visit(BodyText{}, body));
}

void MixKeyspace(const core::KvBody& body, Trace& trace) {
  std::visit(BodyMix(trace), body);
}

std::string KvAnswerText(const core::KvAnswer& answer) {
  return absl::StrCat(
      "kv answer #", answer.call, " ",
      answer.status.ok() ? ReplyText(answer.replies) : answer.status.ToString(),
      " at ", TermText(answer.position.term), " ", answer.position.seq.value);
}

size_t KeyspaceBytes(const core::KvBody& body) {
  return 32 + std::visit(RoutedBytes(), body);
}

}  // namespace muster::sim
