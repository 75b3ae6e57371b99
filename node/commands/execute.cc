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

Watched Watch(const kv::Keyspace& state, const kv::KeyName& key, kv::Time now) {
  return {{key.db, std::string(key.key)}, state.Find(key, now).digest()};
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
      std::all_of(watched.begin(), watched.end(), [&](const Watched& key) {
        return tx.Find(key.key.name()).digest() == key.digest;
      });
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
