#include "tests/sim/frame_text.h"

#include "absl/strings/str_cat.h"
#include "tests/sim/keyspace_text.h"

namespace muster::sim {
namespace {

std::string Life(const crdt::LifeId& life) {
  return absl::StrCat(absl::Hex(life.hi >> 48, absl::kZeroPad4));
}
std::string Stream(const crdt::StreamId& stream) { return Life(stream.life); }

struct RoutedText {
  std::string operator()(const core::MailFrame& f) const {
    std::string text = absl::StrCat("mail ", f.epoch, " #", f.first, "+",
                                    f.count, " interest ", f.interest.value);
    if (f.kv.term.IsNone()) return text;
    return absl::StrCat(text, " kv ", TermText(f.kv.term), " ", f.kv.seq.value);
  }
  std::string operator()(const core::MailAck& f) const {
    return absl::StrCat("mail ack ", f.epoch, " #", f.number);
  }
  std::string operator()(const core::InterestApplied& f) const {
    return absl::StrCat("applied interest ", f.seq.value);
  }
  std::string operator()(const core::InterestAsk&) const {
    return "ask interest";
  }
  std::string operator()(const core::KvBody& f) const {
    return KeyspaceText(f);
  }
};

struct BodyText {
  std::string operator()(const core::PositionsFrame& f) const {
    std::string text = f.full ? "positions full" : "positions";
    if (f.more) text += " more";
    for (const core::StreamPosition& p : f.streams) {
      absl::StrAppend(&text, " ", p.origin.node, ":", Life(p.origin.life), "@",
                      p.seq.value, p.wanted ? "w" : "", p.rebasing ? "r" : "",
                      " ", absl::ToInt64Milliseconds(p.age), "ms");
    }
    return text;
  }
  std::string operator()(const core::PullFrame& f) const {
    return absl::StrCat("pull ", Stream(f.stream), " after ", f.after.value,
                        f.cancel ? " cancel" : "", " rebase ", f.rebase_id);
  }
  std::string operator()(const core::DeltaFrame& f) const {
    return absl::StrCat("delta ", Stream(f.stream), " ", f.first.value, "+",
                        f.count);
  }
  std::string operator()(const core::RebaseFrame& f) const {
    return absl::StrCat("rebase ", Stream(f.stream), " id ", f.rebase_id, " #",
                        f.number, " kind ", static_cast<int>(f.kind), " have ",
                        f.have.value, " seq ", f.seq.value, " count ", f.count);
  }
  std::string operator()(const core::CheckpointFrame& f) const {
    return absl::StrCat("checkpoint ", Stream(f.stream), "@", f.seq.value, " ",
                        absl::Hex(f.digest));
  }
  std::string operator()(const core::AckFrame& f) const {
    return absl::StrCat("ack ", f.bulk_bytes);
  }
  std::string operator()(const core::MembersFrame& f) const {
    std::string text = "members";
    for (const core::MemberInfo& m : f.members) {
      absl::StrAppend(&text, " ", m.origin.node, ":", Life(m.origin.life), "=",
                      static_cast<int>(m.state), "/", m.beat);
    }
    return absl::StrCat(text, " highest ", f.your_highest.value);
  }
  std::string operator()(const core::AskFrame& f) const {
    return absl::StrCat("ask ", Life(f.life), " > ", f.number);
  }
  std::string operator()(const core::BeatReport& f) const {
    return absl::StrCat("report ", Life(f.life), " = ", f.number);
  }
  std::string operator()(const core::LeavingFrame&) const { return "leaving"; }
  std::string operator()(const core::EvictFrame& f) const {
    return absl::StrCat("evict #", f.number, " ", f.topic, "/", f.key);
  }
  std::string operator()(const core::ForgetFrame& f) const {
    return absl::StrCat("forget #", f.number, " ", f.node);
  }
  std::string operator()(const core::OrderAnswerFrame& f) const {
    return absl::StrCat("answer #", f.number, ": ", f.entries, " ", f.refusal);
  }
  std::string operator()(const core::RoutedFrame& f) const {
    return absl::StrCat(Life(f.from), " to ", Life(f.to), " hops ", f.hops,
                        ": ", std::visit(RoutedText{}, f.body));
  }
};

struct BodyMix {
  Trace& trace;
  void Bytes(const std::shared_ptr<const std::string>& bytes) const {
    if (bytes != nullptr) trace.Mix(*bytes);
  }
  void operator()(const core::DeltaFrame& f) const {
    trace.Mix(f.stream.life.hi);
    trace.Mix(f.first.value);
    trace.Mix(f.count);
    Bytes(f.mutations);
  }
  void operator()(const core::RebaseFrame& f) const {
    trace.Mix(f.stream.life.hi);
    for (uint64_t n :
         {f.rebase_id, f.number, static_cast<uint64_t>(f.kind), f.have.value,
          f.seq.value, uint64_t{f.count}, f.digest}) {
      trace.Mix(n);
    }
    Bytes(f.payload);
  }
  void operator()(const core::RoutedFrame& f) const {
    trace.Mix(BodyText{}(f));
    const auto* mail = std::get_if<core::MailFrame>(&f.body);
    if (mail != nullptr) Bytes(mail->messages);
    const auto* keyspace = std::get_if<core::KvBody>(&f.body);
    if (keyspace != nullptr) MixKeyspace(*keyspace, trace);
  }
  // The text says all that there is in the rest.
  template <typename T>
  void operator()(const T& f) const {
    trace.Mix(BodyText{}(f));
  }
};

void AddEntries(const char* what, const std::vector<core::EntryView>& entries,
                std::string& text) {
  for (const core::EntryView& e : entries) {
    absl::StrAppend(&text, " ", what, std::string(e.topic), "/",
                    std::string(e.key), "=", RefText(e.ref));
    if (!e.ref_prev.IsNone()) {
      absl::StrAppend(&text, "<-", RefText(e.ref_prev));
    }
  }
}

std::string BatchText(const core::WatchBatch& batch) {
  std::string text =
      absl::StrCat("v", batch.version_counter, batch.reset ? " reset" : "",
                   batch.state_complete ? " complete" : "");
  for (const core::TopicState& s : batch.state) {
    AddEntries("", s.entries, text);
  }
  for (const core::TopicDiff& d : batch.diffs) {
    AddEntries("+", d.joins, text);
    AddEntries("~", d.updates, text);
    AddEntries("-", d.leaves, text);
  }
  for (const core::TopicCount& c : batch.counts) {
    absl::StrAppend(&text, " ", std::string(c.topic), ":", c.entries, "/",
                    c.keys);
  }
  return text;
}

std::string OrderText(const core::OrderDone& order) {
  std::string text = absl::StrCat("order ", order.request, ": ",
                                  std::string(order.reply.status().message()));
  if (!order.reply.ok()) return text;
  absl::StrAppend(&text, order.reply->entries, " entries");
  for (const std::string& who : order.reply->unreached) {
    absl::StrAppend(&text, "; ", who);
  }
  return text;
}

std::string HeldText(const core::SubscribeHeld& held) {
  return absl::StrCat("subscriber ", held.subscriber, " request ", held.request,
                      " holds");
}

std::string DeliveryText(const core::MessageDelivery& delivery) {
  std::string text = "give";
  for (const core::SubscriberId id : delivery.subscribers) {
    absl::StrAppend(&text, " ", id);
  }
  if (delivery.missed > 0) {
    return absl::StrCat(text, ": ", delivery.missed, " missed");
  }
  const core::MessageRun& run = delivery.run;
  if (run.pattern != nullptr) absl::StrAppend(&text, " by ", *run.pattern);
  for (size_t i = run.first; i < run.first + run.count; ++i) {
    const core::Message& message = run.batch->messages[i];
    absl::StrAppend(&text, " ", std::string(message.channel), "=",
                    std::string(message.payload));
  }
  return text;
}

// What clients, people and the runtime are told.
void MixAnswers(const core::Output& output, Trace& trace) {
  for (const core::LogLine& line : output.log) trace.Mix(line.text);
  for (const core::ConnectProbe& probe : output.probes) {
    trace.Mix(probe.address);
  }
  for (const core::HelloProbe& probe : output.hello_probes) {
    trace.Mix(probe.address);
  }
  for (const core::AsyncReply& reply : output.replies) {
    trace.Mix(reply.request);
    trace.Mix(reply.resumed.status().message());
    if (!reply.resumed.ok()) continue;
    trace.Mix(reply.resumed->info.resume_number);
    for (const crdt::Ref& ref : reply.resumed->missing) {
      trace.Mix(ref.seq.value);
    }
  }
  for (const core::SessionEnded& ended : output.ended) {
    trace.Mix(ended.session.hi);
    trace.Mix(ended.status.message());
  }
  for (const core::EntryEvicted& evicted : output.evicted) {
    trace.Mix(evicted.session.hi);
    trace.Mix(evicted.ref.seq.value);
  }
  for (const core::OrderDone& order : output.orders) {
    trace.Mix(OrderText(order));
  }
  for (const core::SubscribeHeld& held : output.subscribed) {
    trace.Mix(HeldText(held));
  }
  for (const core::MessageDelivery& delivery : output.messages) {
    trace.Mix(DeliveryText(delivery));
  }
  for (const core::KvAnswer& answer : output.kv_answers) {
    trace.Mix(KvAnswerText(answer));
  }
  trace.Mix((output.members_changed ? 1 : 0) + (output.ready_changed ? 2 : 0));
  if (output.exit.has_value()) trace.Mix(output.exit->message());
}

}  // namespace

std::string RefText(const crdt::Ref& ref) {
  return absl::StrCat(absl::Hex(ref.life >> 48, absl::kZeroPad4), ".",
                      ref.id.value, ".", ref.seq.value);
}

void MixOutput(const core::Output& output, Trace& trace) {
  for (const core::SendFrame& send : output.frames) {
    trace.Mix(send.link);
    trace.Mix(send.frame.beat);
    std::visit(BodyMix{trace}, send.frame.body);
  }
  for (const core::SendBeat& send : output.beats) {
    trace.Mix(send.address);
    trace.Mix(send.beat->number);
    trace.Mix(send.beat->presence_seq.value);
    for (const core::BeatReport& r : send.beat->others) {
      trace.Mix(r.life.hi);
      trace.Mix(r.number);
      trace.Mix(static_cast<uint64_t>(absl::ToInt64Microseconds(r.age)));
    }
  }
  for (const core::CloseLink& close : output.closes) trace.Mix(close.link);
  if (output.dial.has_value()) {
    for (const std::string& address : *output.dial) trace.Mix(address);
  }
  for (const core::WatchEvent& event : output.watch) {
    trace.Mix(event.watch);
    trace.Mix(BatchText(*event.batch));
  }
  MixAnswers(output, trace);
  trace.Mix(output.more_work ? 1 : 0);
}

std::vector<std::string> OutputText(const core::Output& output) {
  std::vector<std::string> lines;
  for (const core::LogLine& line : output.log) {
    lines.push_back(absl::StrCat("log ", line.text));
  }
  for (const core::SendFrame& send : output.frames) {
    lines.push_back(absl::StrCat("send ", send.link, ": ",
                                 std::visit(BodyText{}, send.frame.body)));
  }
  for (const core::CloseLink& close : output.closes) {
    lines.push_back(absl::StrCat("close ", close.link, ": ", close.reason,
                                 close.permanent ? " (for good)" : ""));
  }
  if (output.dial.has_value()) {
    std::string text = "dial";
    for (const auto& address : *output.dial) {
      absl::StrAppend(&text, " ", address);
    }
    lines.push_back(text);
  }
  for (const core::ConnectProbe& probe : output.probes) {
    lines.push_back(absl::StrCat("probe ", probe.address));
  }
  for (const core::HelloProbe& probe : output.hello_probes) {
    lines.push_back(absl::StrCat("hello probe ", probe.address));
  }
  for (const core::AsyncReply& reply : output.replies) {
    lines.push_back(absl::StrCat(
        "resume ", reply.request, ": ", reply.resumed.status().ToString(),
        " missing ", reply.resumed.ok() ? reply.resumed->missing.size() : 0,
        " number ",
        reply.resumed.ok() ? reply.resumed->info.resume_number : 0));
  }
  for (const core::SessionEnded& ended : output.ended) {
    lines.push_back(absl::StrCat("session ", absl::Hex(ended.session.hi),
                                 " ended: ", ended.status.ToString()));
  }
  for (const core::EntryEvicted& evicted : output.evicted) {
    lines.push_back(absl::StrCat("evicted ", RefText(evicted.ref), " of ",
                                 absl::Hex(evicted.session.hi)));
  }
  for (const core::OrderDone& order : output.orders) {
    lines.push_back(OrderText(order));
  }
  for (const core::WatchEvent& event : output.watch) {
    lines.push_back(
        absl::StrCat("watch ", event.watch, " ", BatchText(*event.batch)));
  }
  for (const core::SubscribeHeld& held : output.subscribed) {
    lines.push_back(HeldText(held));
  }
  for (const core::MessageDelivery& delivery : output.messages) {
    lines.push_back(DeliveryText(delivery));
  }
  for (const core::KvAnswer& answer : output.kv_answers) {
    lines.push_back(KvAnswerText(answer));
  }
  if (output.members_changed) lines.push_back("members changed");
  if (output.ready_changed) lines.push_back("ready changed");
  return lines;
}

}  // namespace muster::sim
