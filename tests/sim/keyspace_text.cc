#include "tests/sim/keyspace_text.h"

#include <memory>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace muster::sim {
namespace {

std::string Life(const crdt::LifeId& life) {
  return absl::StrCat(absl::Hex(life.hi >> 48, absl::kZeroPad4));
}
std::string ToText(const core::Term& term) {
  return absl::StrCat(term.number, "/", Life(term.leader));
}
std::string ToText(const kv::Context& context) {
  std::string text = "{";
  for (const auto& [life, seq] : context.seqs()) {
    absl::StrAppend(&text, text.size() > 1 ? " " : "", Life(life), ":",
                    seq.value);
  }
  return text + "}";
}
std::string ToText(const kv::OwnedKey& key) {
  return absl::StrCat(key.db, "/", absl::CHexEscape(key.key));
}
std::string Said(const commands::Reply& reply) {
  std::string text = reply.empty() ? "-" : commands::ToText(reply);
  for (char& c : text) {
    if (c == '\n') c = ' ';
  }
  return text;
}
std::string ToText(const core::KvServed& served) {
  return absl::StrCat(Life(served.request.origin), "#", served.request.call,
                      " by ", Life(served.leader), ":", served.seq.value, " ",
                      Said(served.replies));
}
std::string ToText(const core::KvForward& f) {
  return absl::StrCat("#", f.call, " ticket ", f.ticket,
                      f.atomic ? " atomic" : "", f.again ? " again" : "", " ",
                      CommandsText(f.commands));
}

const char* Name(core::KvExchangePart::Kind kind) {
  constexpr const char* kNames[] = {"?",   "begin", "part",   "mutations",
                                    "key", "end",   "refused"};
  return kNames[static_cast<size_t>(kind)];
}

struct Text {
  std::string operator()(const core::KvLeaderQuestion& f) const {
    return absl::StrCat("lives a leader? ", f.number);
  }
  std::string operator()(const core::KvLeaderAnswer& f) const {
    return absl::StrCat("answer ", f.number, f.lives ? " lives" : " none",
                        f.eligible ? " eligible" : "", f.empty ? " empty" : "",
                        " known ", f.known, " wall ", f.wall_us);
  }
  std::string operator()(const core::KvProposal& f) const {
    return absl::StrCat("propose ", ToText(f.term));
  }
  std::string operator()(const core::KvPromise& f) const {
    std::string text =
        absl::StrCat("promise ", ToText(f.term), " ", ToText(f.context));
    for (const auto& call : f.waiting) {
      absl::StrAppend(&text, " waits ", ToText(call));
    }
    for (const auto& served : f.served) {
      absl::StrAppend(&text, " served ", ToText(served));
    }
    return text;
  }
  std::string operator()(const core::KvRefusal& f) const {
    return absl::StrCat("refuse ", ToText(f.term), " for ", ToText(f.promised),
                        f.leading ? " leading " : " ", f.followers);
  }
  std::string operator()(const core::KvInvitation& f) const {
    return absl::StrCat("invite ", ToText(f.term));
  }
  std::string operator()(const core::KvFollowRequest& f) const {
    return absl::StrCat("follow ", ToText(f.term), " ", ToText(f.context));
  }
  std::string operator()(const core::KvTermBase& f) const {
    return absl::StrCat("base ", ToText(f.term), " ", ToText(f.base),
                        f.by_log ? " by log " : " exchange ", f.seq.value);
  }
  std::string operator()(const core::KvMutations& f) const {
    std::string text = absl::StrCat(
        "mutations ", ToText(f.term), " ", f.first.value, "+", f.count,
        " number ", f.number, " echo ", f.echo, " time ", f.time_us);
    for (const auto& served : f.served) {
      absl::StrAppend(&text, " served ", ToText(served));
    }
    return text;
  }
  std::string operator()(const core::KvApplied& f) const {
    return absl::StrCat("applied ", ToText(f.term), " ", f.seq.value,
                        f.gap ? " gap" : "", " number ", f.number, " question ",
                        f.question);
  }
  std::string operator()(const core::KvLeave& f) const {
    return absl::StrCat("leave ", ToText(f.term));
  }
  std::string operator()(const core::KvForward& f) const {
    return absl::StrCat("forward ", ToText(f.term), " ", ToText(f));
  }
  std::string operator()(const core::KvAnswers& f) const {
    std::string text = absl::StrCat("answers ", ToText(f.term));
    for (const auto& answer : f.answers) {
      absl::StrAppend(&text, " #", answer.call, " outcome ",
                      static_cast<int>(answer.outcome), " seq ",
                      answer.seq.value, " ", Said(answer.replies));
    }
    return text;
  }
  std::string operator()(const core::KvWithdraw& f) const {
    return absl::StrCat("withdraw #", f.call);
  }
  std::string operator()(const core::KvExchangeBegin& f) const {
    return absl::StrCat("exchange ", f.exchange, " of ", ToText(f.term));
  }
  std::string operator()(const core::KvExchangeDigests& f) const {
    return absl::StrCat("digests ", f.exchange, " of ", f.groups.size(),
                        " groups");
  }
  std::string operator()(const core::KvExchangeWant& f) const {
    std::string text = absl::StrCat("want ", f.exchange, ":");
    for (uint32_t bucket : f.buckets) absl::StrAppend(&text, " ", bucket);
    return text;
  }
  std::string operator()(const core::KvExchangePart& f) const {
    return absl::StrCat("exchange ", f.exchange, " #", f.number, " ",
                        Name(f.kind), " ", ToText(f.context), " bucket ",
                        f.bucket, f.last ? " last" : "", " ", f.first.value,
                        "+", f.count, " key ", ToText(f.key));
  }
  std::string operator()(const core::KvExchangeAck& f) const {
    std::string text = absl::StrCat("exchange ack ", f.exchange, " #", f.number,
                                    f.over ? " over" : "");
    for (const auto& key : f.again) {
      absl::StrAppend(&text, " again ", ToText(key));
    }
    return text;
  }
};

struct Mix {
  Trace& trace;
  void operator()(const core::KvMutations& f) const {
    if (f.mutations != nullptr) trace.Mix(*f.mutations);
  }
  void operator()(const core::KvExchangePart& f) const {
    if (f.bytes != nullptr) trace.Mix(*f.bytes);
  }
  void operator()(const core::KvExchangeBegin& f) const {
    for (uint64_t digest : f.groups) trace.Mix(digest);
  }
  void operator()(const core::KvExchangeDigests& f) const {
    for (const auto& group : f.groups) {
      for (uint64_t digest : group.buckets) trace.Mix(digest);
    }
  }
  // The text says all that there is in the rest.
  template <typename T>
  void operator()(const T&) const {}
};

size_t BytesOf(const std::shared_ptr<const std::string>& bytes) {
  return bytes == nullptr ? 0 : bytes->size();
}

struct Bytes {
  size_t operator()(const core::KvPromise& f) const {
    size_t bytes = 24 + 24 * f.context.size();
    for (const auto& call : f.waiting)
      bytes += 32 + call.commands.bytes().size();
    for (const auto& served : f.served) bytes += 48 + served.replies.bytes();
    return bytes;
  }
  size_t operator()(const core::KvFollowRequest& f) const {
    return 24 + 24 * f.context.size();
  }
  size_t operator()(const core::KvTermBase& f) const {
    return 32 + 24 * f.base.size();
  }
  size_t operator()(const core::KvMutations& f) const {
    return 48 + BytesOf(f.mutations) + 48 * f.served.size();
  }
  size_t operator()(const core::KvForward& f) const {
    return 40 + f.commands.bytes().size();
  }
  size_t operator()(const core::KvAnswers& f) const {
    size_t bytes = 24;
    for (const auto& answer : f.answers) bytes += 16 + answer.replies.bytes();
    return bytes;
  }
  size_t operator()(const core::KvExchangeBegin&) const {
    return 32 + 8 * kv::kGroups;
  }
  size_t operator()(const core::KvExchangeDigests& f) const {
    return 16 + f.groups.size() * (4 + 8 * kv::kBucketsPerGroup);
  }
  size_t operator()(const core::KvExchangeWant& f) const {
    return 16 + 2 * f.buckets.size();
  }
  size_t operator()(const core::KvExchangePart& f) const {
    return 32 + 24 * f.context.size() + BytesOf(f.bytes);
  }
  template <typename T>
  size_t operator()(const T&) const {
    return 32;
  }
};

}  // namespace

std::string KvText(const core::KvBody& body) {
  return std::visit(Text{}, body);
}

std::string KvText(const core::KvAnswer& answer) {
  return absl::StrCat(
      "kv answer ", answer.call, ": ",
      answer.status.ok() ? Said(answer.replies) : answer.status.ToString(),
      " at ", ToText(answer.position.term), ":", answer.position.seq.value);
}

void MixKv(const core::KvBody& body, Trace& trace) {
  trace.Mix(KvText(body));
  std::visit(Mix{trace}, body);
}

size_t KvBytes(const core::KvBody& body) { return std::visit(Bytes{}, body); }

std::string CommandsText(const commands::CommandList& list) {
  std::string text;
  commands::CommandReader reader(list);
  std::vector<absl::string_view> argv;
  while (reader.Next(argv)) {
    if (!text.empty()) text += ";";
    for (size_t i = 0; i < argv.size(); ++i) {
      absl::StrAppend(&text, i == 0 && text.empty() ? "" : " ",
                      absl::CHexEscape(argv[i]));
    }
  }
  return text;
}

}  // namespace muster::sim
