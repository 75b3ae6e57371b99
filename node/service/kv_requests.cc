#include "node/service/kv_requests.h"

#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "node/commands/command.h"
#include "node/commands/command_list.h"
#include "node/service/validate.h"

namespace muster::service {
namespace {

using commands::Argv;

constexpr char kNoExecute[] = "the request is no KvExecuteRequest";

absl::Status CheckDb(const Where& where, uint64_t db) {
  if (db < kv::kDatabases) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      Text(where), " is ", db, "; it must be 0 to ", kv::kDatabases - 1));
}

absl::Status CheckCallBytes(size_t bytes, const Limits& limits) {
  if (bytes <= limits.kv_max_call_bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the commands are ", bytes, " bytes; the limit is ",
                   limits.kv_max_call_bytes, " (--kv-max-call-bytes)"));
}

// A name as Redis' documentation writes it.
std::string Shouted(absl::string_view name) {
  return absl::AsciiStrToUpper(name);
}

// Takes the commands of one call, and notes what is wrong with them.
class CommandTaker {
 public:
  explicit CommandTaker(const Limits& limits) : limits_(limits) {}

  void Take(Argv argv) {
    const size_t i = count_++;
    if (!status_.ok() || count_ > limits_.kv_max_commands) return;
    if (argv.empty()) {
      status_ = absl::InvalidArgumentError(
          absl::StrCat(Text({"commands", i, "args"}),
                       " is empty; it must have the command's name"));
      return;
    }
    if (argv.size() > limits_.kv_max_args) {
      status_ = CheckCount(Text({"commands", i, "args"}).c_str(), argv.size(),
                           limits_.kv_max_args, "--kv-max-args");
      return;
    }
    Judge(i, argv);
    list_.Add(argv);
  }

  // Once all are taken.
  absl::Status Check(bool atomic) const {
    if (!status_.ok()) return status_;
    if (count_ == 0) {
      return absl::InvalidArgumentError(
          "commands is empty; it must have at least 1");
    }
    absl::Status status = CheckCount(
        "commands", count_, limits_.kv_max_commands, "--kv-max-commands");
    status.Update(CheckCallBytes(list_.bytes().size(), limits_));
    if (atomic) {
      status.Update(unfit_);
    } else if (count_ > 1) {
      status.Update(blocking_);
    }
    return status;
  }

  commands::CommandList& list() { return list_; }
  bool only_reads() const { return only_reads_; }

 private:
  void Judge(size_t i, Argv argv) {
    const commands::Command* command = commands::FindCommand(argv[0]);
    if (command == nullptr || command->Has(commands::kWrite)) {
      only_reads_ = false;
    }
    if (command == nullptr) {
      unfit_.Update(absl::InvalidArgumentError(absl::StrCat(
          Text({"commands", i}), ": ERR unknown command ", Quoted(argv[0]))));
      return;
    }
    if (!command->Takes(argv.size())) {
      unfit_.Update(absl::InvalidArgumentError(absl::StrCat(
          Text({"commands", i}), ": ERR wrong number of arguments for '",
          command->name, "' command")));
    }
    if (command->Has(commands::kBlocking)) {
      blocking_.Update(absl::InvalidArgumentError(absl::StrCat(
          Text({"commands", i}), " is ", Shouted(command->name),
          ", which waits; it must be the only command of its call, unless the "
          "call is atomic")));
    }
  }

  const Limits& limits_;
  commands::CommandList list_;
  size_t count_ = 0;
  bool only_reads_ = true;
  absl::Status status_;    // Of any call with these commands.
  absl::Status unfit_;     // Of an atomic one,
  absl::Status blocking_;  // and of one that is not.
};

absl::Status TakeWatched(const codec::KvExecuteText& text, const Limits& limits,
                         core::KvCall& call) {
  if (text.watched.empty()) return absl::OkStatus();
  if (!text.atomic) {
    return absl::InvalidArgumentError(absl::StrCat(
        "watched has ", text.watched.size(), "; it is of an atomic call only"));
  }
  absl::Status status = CheckCount("watched", text.watched.size(),
                                   limits.kv_max_commands, "--kv-max-commands");
  size_t bytes = 0;
  for (size_t i = 0; i < text.watched.size() && status.ok(); ++i) {
    const codec::KvWatchedText& watched = text.watched[i];
    status = CheckDb({"watched", i, "db"}, watched.db);
    bytes += watched.key.size();
    call.watched.push_back(
        {{static_cast<uint8_t>(watched.db), std::string(watched.key)},
         watched.version});
  }
  status.Update(CheckCallBytes(bytes, limits));
  return status;
}

absl::StatusOr<KvPlan> DecodeChecked(absl::string_view bytes,
                                     const Limits& limits) {
  codec::KvExecuteText text;
  CommandTaker taker(limits);
  if (!codec::ReadExecute(bytes, text, [&](Argv argv) { taker.Take(argv); })) {
    return absl::InvalidArgumentError(kNoExecute);
  }
  KvPlan plan;
  plan.call.atomic = text.atomic;
  absl::Status status = taker.Check(text.atomic);
  status.Update(TakeOptions(text.options, plan.call));
  status.Update(TakeWatched(text, limits, plan.call));
  if (!status.ok()) return status;
  plan.only_reads = taker.only_reads();
  plan.call.commands = std::move(taker.list());
  return plan;
}

}  // namespace

absl::StatusOr<KvPlan> DecodeExecute(absl::string_view bytes,
                                     const Limits& limits) {
  const absl::Status status = CheckRequest(bytes, limits);
  if (!status.ok()) return status;
  return DecodeChecked(bytes, limits);
}

absl::StatusOr<KvStreamRequest> DecodeStreamRequest(absl::string_view bytes,
                                                    const Limits& limits) {
  const absl::Status status = CheckRequest(bytes, limits);
  if (!status.ok()) return status;
  codec::KvRequestText text;
  if (!codec::ReadRequest(bytes, text)) {
    return absl::InvalidArgumentError("the request is no KvRequest");
  }
  return KvStreamRequest{text.number, DecodeChecked(text.execute, limits)};
}

absl::Status TakeOptions(const codec::KvOptionsText& options,
                         core::KvCall& call) {
  absl::Status status = CheckDb({nullptr, 0, "options.db"}, options.db);
  if (!status.ok()) return status;
  call.db = static_cast<uint8_t>(options.db);
  call.leader_reads = options.at_leader;
  if (options.min_term == 0) return absl::OkStatus();
  call.min_position = {{options.min_term, {}}, crdt::Seq(options.min_seq)};
  if (codec::ParseLifeId(options.min_leader, call.min_position.term.leader)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("options.min_position.leader is ", options.min_leader.size(),
                   " bytes; it must be ", codec::kLifeIdBytes));
}

absl::StatusOr<KvPlan> FinishPlan(core::KvCall call, const Limits& limits) {
  const absl::Status status =
      CheckCallBytes(call.commands.bytes().size(), limits);
  if (!status.ok()) return status;
  KvPlan plan;
  commands::CommandReader reader(call.commands);
  std::vector<absl::string_view> argv;
  while (reader.Next(argv)) {
    if (argv.size() > limits.kv_max_args) {
      return CheckCount("the command", argv.size(), limits.kv_max_args,
                        "--kv-max-args");
    }
    const commands::Command* command = commands::FindCommand(argv[0]);
    if (command->Has(commands::kWrite)) plan.only_reads = false;
  }
  plan.call = std::move(call);
  return plan;
}

absl::StatusOr<std::vector<kv::OwnedKey>> DecodeVersions(
    absl::string_view bytes, const Limits& limits) {
  v1::KvVersionsRequest message;
  absl::Status status = ParseRequest(bytes, limits, &message);
  status.Update(CheckDb({nullptr, 0, "db"}, message.db()));
  status.Update(CheckCount("keys", static_cast<size_t>(message.keys_size()),
                           limits.kv_max_commands, "--kv-max-commands"));
  if (!status.ok()) return status;
  std::vector<kv::OwnedKey> keys;
  for (std::string& key : *message.mutable_keys()) {
    keys.push_back({static_cast<uint8_t>(message.db()), std::move(key)});
  }
  return keys;
}

std::string EncodeVersions(const std::vector<commands::Watched>& watched) {
  v1::KvVersionsResponse response;
  for (const commands::Watched& key : watched) {
    response.add_versions(key.digest);
  }
  return response.SerializeAsString();
}

absl::StatusOr<KvExplainPlan> DecodeKvExplain(absl::string_view bytes,
                                              const Limits& limits) {
  v1::KvExplainRequest message;
  absl::Status status = ParseRequest(bytes, limits, &message);
  status.Update(CheckDb({nullptr, 0, "db"}, message.db()));
  if (status.ok() && message.limit() > limits.max_page_size) {
    status = absl::InvalidArgumentError(
        absl::StrCat("limit is ", message.limit(), "; the limit is ",
                     limits.max_page_size, " (--max-page-size)"));
  }
  if (!status.ok()) return status;
  return KvExplainPlan{
      {static_cast<uint8_t>(message.db()), std::move(*message.mutable_key())},
      message.limit() == 0 ? limits.max_page_size : message.limit()};
}

absl::Status StatusOfError(absl::string_view text) {
  if (absl::StartsWith(text, "OOM ")) {
    return absl::ResourceExhaustedError(text);
  }
  for (const char* state :
       {"is not an integer", "would overflow", "is not a valid float"}) {
    if (absl::StrContains(text, state)) {
      return absl::FailedPreconditionError(text);
    }
  }
  for (const char* word : {"WRONGTYPE ", "EXECABORT "}) {
    if (absl::StartsWith(text, word)) {
      return absl::FailedPreconditionError(text);
    }
  }
  return absl::InvalidArgumentError(text);
}

absl::Status StatusOfAnswer(const core::KvAnswer& answer, bool atomic,
                            const Limits& limits) {
  if (!answer.status.ok()) return answer.status;
  if (answer.replies.bytes() > limits.kv_max_answer_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the answer is ", answer.replies.bytes(),
                     " bytes; the limit is ", limits.kv_max_answer_bytes,
                     " (--kv-max-answer-bytes); the commands were executed"));
  }
  if (!atomic || !answer.replies.IsError()) return absl::OkStatus();
  commands::ReplyReader reader(answer.replies);
  commands::ReplyNode node;
  reader.Next(node);
  return StatusOfError(node.text);
}

}  // namespace muster::service
