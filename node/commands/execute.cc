#include "node/commands/execute.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "crdt/check.h"

namespace muster::commands {
namespace {

// So much of the name and of the arguments is told.
constexpr size_t kMaxToldBytes = 128;

std::string UnknownCommand(Argv argv) {
  std::string args;
  for (size_t i = 1; i < argv.size() && args.size() < kMaxToldBytes; ++i) {
    absl::StrAppend(&args, "'", argv[i].substr(0, kMaxToldBytes - args.size()),
                    "' ");
  }
  return absl::StrCat("ERR unknown command '", argv[0].substr(0, kMaxToldBytes),
                      "', with args beginning with: ", args);
}

void TooLong(absl::string_view what, size_t bytes, size_t limit, Reply& reply) {
  reply.Error(absl::StrCat("ERR ", what, " of ", bytes,
                           " bytes exceeds the limit of ", limit, " (--kv-max-",
                           what, "-bytes)"));
}

// Whether all arguments are within the limits; else the error was answered.
bool CheckLimits(const Command& command, Argv argv, const Limits& limits,
                 Reply& reply) {
  size_t longest = 0;
  VisitKeys(command, argv,
            [&](size_t i) { longest = std::max(longest, argv[i].size()); });
  if (longest > limits.max_key_bytes) {
    TooLong("key", longest, limits.max_key_bytes, reply);
    return false;
  }
  if (!command.Has(kWrite)) return true;
  for (const absl::string_view arg : argv) {
    if (arg.size() <= limits.max_value_bytes) continue;
    TooLong("value", arg.size(), limits.max_value_bytes, reply);
    return false;
  }
  return true;
}

bool IsTooLarge(const kv::Transaction* tx, const Limits& limits) {
  return tx != nullptr && tx->bytes() > limits.max_mutation_bytes;
}

Outcome RefuseTooLarge(kv::Transaction& tx, const Limits& limits,
                       Reply& reply) {
  reply.Clear();
  reply.Error(absl::StrCat(
      "ERR mutation of ", tx.bytes(), " bytes exceeds the limit of ",
      limits.max_mutation_bytes, " (--kv-max-mutation-bytes)"));
  tx.Abandon();
  return {.abandoned = true};
}

// Of Watched::digest: the key was there. Else it is 15 bits of the leader's
// life and 48 of a seq.
constexpr uint64_t kThere = uint64_t{1} << 63;
constexpr int kSeqBits = 48;
constexpr uint64_t kSeqMask = (uint64_t{1} << kSeqBits) - 1;

uint64_t AbsentAt(const kv::LifeId& leader, kv::Seq seq) {
  const uint64_t life = (leader.hi ^ leader.lo) << kSeqBits;
  return (life | (seq.value & kSeqMask)) & ~kThere;
}

bool IsUnchanged(const kv::Transaction& tx, const Watched& watched) {
  const kv::KeyName key = watched.key.name();
  const kv::KeyView view = tx.Find(key);
  if (view.exists()) return watched.digest == (view.digest() | kThere);
  const kv::Seq seen(watched.digest & kSeqMask);
  // 0: before there was any mutation.
  return (watched.digest == 0 ||
          watched.digest == AbsentAt(tx.leader(), seen)) &&
         tx.state().LastRemoval(key, tx.leader()) <= seen;
}

}  // namespace

const Command* Check(Argv argv, const Environment& env, Reply& reply) {
  if (argv.empty()) {
    reply.Error("ERR empty command");
    return nullptr;
  }
  const Command* command = FindCommand(argv[0]);
  if (command == nullptr) {
    reply.Error(UnknownCommand(argv));
    return nullptr;
  }
  if (!command->Takes(argv.size())) {
    reply.Error(absl::StrCat("ERR wrong number of arguments for '",
                             command->name, "' command"));
    return nullptr;
  }
  if (!CheckLimits(*command, argv, env.limits, reply)) return nullptr;
  if (env.out_of_memory && command->Has(kDenyOom)) {
    reply.Error("OOM command not allowed when used memory > 'maxmemory'.");
    return nullptr;
  }
  return command;
}

Outcome Execute(const Command& command, Argv argv, Session& session,
                const Environment& env, const kv::Keyspace& state,
                kv::Transaction* tx, Reply& reply) {
  MUSTER_CHECK(reply.empty());
  Call call(command, argv, session, env, state, tx, reply);
  command.handler(call);
  if (IsTooLarge(tx, env.limits)) {
    return RefuseTooLarge(*tx, env.limits, reply);
  }
  return {.wait = std::move(call.wait())};
}

Watched Watch(const kv::Keyspace& state, const kv::KeyName& key, kv::Time now,
              const kv::LifeId& leader) {
  const kv::KeyView view = state.Find(key, now);
  return {{key.db, std::string(key.key)},
          view.exists() ? view.digest() | kThere
                        : AbsentAt(leader, state.context().Of(leader))};
}

Watched Watch(const kv::Keyspace& state, const kv::KeyName& key, kv::Time now) {
  return Watch(state, key, now, state.last_leader());
}

Outcome ExecuteTransaction(absl::Span<const Argv> commands,
                           absl::Span<const Watched> watched, Session& session,
                           const Environment& env, kv::Transaction& tx,
                           Reply& reply) {
  std::vector<const Command*> checked;
  for (const Argv argv : commands) {
    Reply error;
    checked.push_back(Check(argv, env, error));
    if (checked.back() != nullptr) continue;
    reply.Error("EXECABORT Transaction discarded because of previous errors.");
    return {};
  }
  const bool unchanged =
      std::all_of(watched.begin(), watched.end(),
                  [&](const Watched& key) { return IsUnchanged(tx, key); });
  if (!unchanged) {
    reply.NilArray();
    return {};
  }
  const Session before = session;
  Environment inside = env;
  inside.blocking = Blocking::kNever;
  reply.Begin(Reply::Kind::kArray, static_cast<uint32_t>(commands.size()));
  for (size_t i = 0; i < commands.size(); ++i) {
    Call call(*checked[i], commands[i], session, inside, tx.state(), &tx,
              reply);
    checked[i]->handler(call);
    if (!IsTooLarge(&tx, env.limits)) continue;
    session = before;
    return RefuseTooLarge(tx, env.limits, reply);
  }
  return {};
}

}  // namespace muster::commands
