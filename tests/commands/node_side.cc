#include "tests/commands/node_side.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace muster::commands {
namespace {

std::vector<absl::string_view> ViewsOf(const std::vector<std::string>& args) {
  return {args.begin(), args.end()};
}

}  // namespace

void NodeSide::Reset() {
  state_ = std::make_unique<kv::Keyspace>();
  follower_ = std::make_unique<kv::Keyspace>();
  seq_ = kv::Seq(0);
  connections_ = {};
}

std::unique_ptr<kv::Transaction> NodeSide::Begin() {
  return std::make_unique<kv::Transaction>(
      *state_, kv::Seen{base_, me_, seq_.Next()},
      kv::StampAt(env_.now.value, static_cast<uint16_t>(++mutations_)),
      env_.now);
}

void NodeSide::Commit(kv::Transaction& tx) {
  const std::string mutation = tx.Commit();
  if (mutation.empty()) return;
  seq_ = seq_.Next();
  follower_->Apply(mutation, kv::Seen{base_, me_, seq_});
}

Reply NodeSide::Rehearse(const Command& command, Argv argv) {
  const Random before = random_;
  const uint64_t digest = state_->digests().all();
  Session session = connections_[0].session;
  Reply reply;
  const std::unique_ptr<kv::Transaction> tx = Begin();
  Execute(command, argv, session, env_, *state_, tx.get(), reply);
  tx->Abandon();
  random_ = before;
  if (state_->digests().all() != digest) {
    wrong_ = absl::StrCat(command.name, " left a trace when it was undone");
  }
  return reply;
}

std::optional<Wait> NodeSide::Call(const Args& args, Reply& reply) {
  const std::vector<absl::string_view> argv = ViewsOf(args);
  const Command* command = Check(argv, env_, reply);
  if (command == nullptr) return std::nullopt;
  Session& session = connections_[0].session;
  if (!command->Has(kWrite)) {
    return Execute(*command, argv, session, env_, *state_, nullptr, reply).wait;
  }
  Reply rehearsed;
  if (rehearse_) rehearsed = Rehearse(*command, argv);
  const std::unique_ptr<kv::Transaction> tx = Begin();
  Outcome outcome =
      Execute(*command, argv, session, env_, *state_, tx.get(), reply);
  if (rehearse_ && rehearsed != reply) {
    wrong_ = absl::StrCat(args[0], " answered otherwise once it was undone");
  }
  if (!outcome.abandoned) Commit(*tx);
  return outcome.wait;
}

void NodeSide::RunOne(Connection& connection, const Args& args, Reply& reply) {
  std::swap(connection.session, connections_[0].session);
  const std::optional<Wait> wait = Call(args, reply);
  std::swap(connection.session, connections_[0].session);
  if (wait.has_value()) reply.Append(wait->at_deadline);
}

void NodeSide::RunQueued(Connection& connection, const Args& args,
                         Reply& reply) {
  connection.queue->push_back(args);
  if (Check(ViewsOf(args), env_, reply) != nullptr) reply.Simple("QUEUED");
}

void NodeSide::Exec(Connection& connection, Reply& reply) {
  std::vector<std::vector<absl::string_view>> views;
  for (const Args& args : *connection.queue) views.push_back(ViewsOf(args));
  const std::vector<Argv> commands(views.begin(), views.end());
  const std::unique_ptr<kv::Transaction> tx = Begin();
  const Outcome outcome = ExecuteTransaction(
      commands, connection.watched, connection.session, env_, *tx, reply);
  if (!outcome.abandoned) Commit(*tx);
  connection.queue.reset();
  connection.watched.clear();
}

std::string NodeSide::Run(size_t connection, const Args& args) {
  Connection& at = connections_[connection];
  const auto is = [&](absl::string_view name) {
    return absl::EqualsIgnoreCase(args[0], name);
  };
  Reply reply;
  if (is("multi")) {
    at.queue.emplace();
    reply.Ok();
  } else if (is("exec")) {
    Exec(at, reply);
  } else if (at.queue.has_value()) {
    RunQueued(at, args, reply);
  } else if (is("watch")) {
    for (size_t i = 1; i < args.size(); ++i) {
      at.watched.push_back(Watch(*state_, {at.session.db, args[i]}, env_.now));
    }
    reply.Ok();
  } else {
    RunOne(at, args, reply);
  }
  return ToText(reply);
}

std::string NodeSide::Audit() {
  if (!wrong_.empty()) return wrong_;
  for (const kv::Keyspace* keyspace : {state_.get(), follower_.get()}) {
    if (const std::string wrong = keyspace->Audit(); !wrong.empty()) {
      return wrong;
    }
  }
  return state_->digests().all() == follower_->digests().all()
             ? ""
             : "the follower's digest differs from the leader's";
}

}  // namespace muster::commands
