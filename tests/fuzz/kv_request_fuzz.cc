// Calls on keys, of clients: Execute and Stream, which are read by hand, and
// the typed calls.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "crdt/check.h"
#include "muster/v1/kv.pb.h"
#include "node/commands/command_list.h"
#include "node/service/kv_requests.h"
#include "node/service/kv_typed.h"
#include "tests/fuzz/byte_source.h"

namespace {

using namespace muster;
using service::KvPlan;
using service::Limits;

enum class Call : uint8_t { kExecute, kStream, kVersions, kExplain, kTyped };

// The call is within its limits, and its list is one that a node forwards.
void CheckCall(const KvPlan& plan, const Limits& limits) {
  const core::KvCall& call = plan.call;
  MUSTER_CHECK(call.db < kv::kDatabases);
  MUSTER_CHECK(call.commands.count() > 0);
  MUSTER_CHECK(call.commands.count() <= limits.kv_max_commands);
  MUSTER_CHECK(call.commands.bytes().size() <= limits.kv_max_call_bytes);
  MUSTER_CHECK(
      commands::IsCommandList(call.commands.bytes(), call.commands.count()));
  MUSTER_CHECK(call.watched.empty() || call.atomic);
}

// What was taken is what the generated classes read.
void CheckSame(const core::KvCall& call, absl::string_view bytes) {
  v1::KvExecuteRequest sent;
  MUSTER_CHECK(
      sent.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  MUSTER_CHECK(sent.atomic() == call.atomic);
  MUSTER_CHECK(sent.commands_size() == static_cast<int>(call.commands.count()));
  MUSTER_CHECK(sent.watched_size() == static_cast<int>(call.watched.size()));
  commands::CommandReader reader(call.commands);
  std::vector<absl::string_view> argv;
  for (const v1::KvCommand& command : sent.commands()) {
    MUSTER_CHECK(reader.Next(argv));
    MUSTER_CHECK(argv.size() == static_cast<size_t>(command.args_size()));
    for (size_t i = 0; i < argv.size(); ++i) {
      MUSTER_CHECK(argv[i] == command.args(static_cast<int>(i)));
    }
  }
  for (size_t i = 0; i < call.watched.size(); ++i) {
    const v1::KvWatched& watched = sent.watched(static_cast<int>(i));
    MUSTER_CHECK(watched.key() == call.watched[i].key.key);
    MUSTER_CHECK(watched.version() == call.watched[i].digest);
  }
}

void TryExecute(absl::string_view bytes, const Limits& limits) {
  const absl::StatusOr<KvPlan> plan = DecodeExecute(bytes, limits);
  if (!plan.ok()) return;
  CheckCall(*plan, limits);
  CheckSame(plan->call, bytes);
}

void TryStream(absl::string_view bytes, const Limits& limits) {
  const auto request = DecodeStreamRequest(bytes, limits);
  if (request.ok() && request->plan.ok()) CheckCall(*request->plan, limits);
}

void TryTyped(uint8_t which, absl::string_view bytes, const Limits& limits) {
  const auto calls = service::KvTypedCalls();
  const service::KvTypedCall& typed = calls[which % calls.size()];
  const absl::StatusOr<KvPlan> plan =
      typed.decode(typed.command, bytes, limits);
  if (plan.ok()) CheckCall(*plan, limits);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  google::protobuf::SetLogHandler(nullptr);
  fuzz::ByteSource source(data, size);
  const uint8_t mode = source.Byte();
  const uint8_t which = source.Byte();
  Limits limits;
  if ((mode & 0x80) != 0) {
    limits.kv_max_commands = 2;
    limits.kv_max_args = 3;
    limits.kv_max_call_bytes = 32;
  }
  switch (Call{static_cast<uint8_t>((mode & 0x7f) % 5)}) {
    case Call::kExecute:
      TryExecute(source.Rest(), limits);
      break;
    case Call::kStream:
      TryStream(source.Rest(), limits);
      break;
    case Call::kVersions: {
      const auto keys = service::DecodeVersions(source.Rest(), limits);
      if (keys.ok()) MUSTER_CHECK(keys->size() <= limits.kv_max_commands);
      break;
    }
    case Call::kExplain: {
      const auto plan = service::DecodeKvExplain(source.Rest(), limits);
      if (plan.ok()) MUSTER_CHECK(plan->limit <= limits.max_page_size);
      break;
    }
    case Call::kTyped:
      TryTyped(which, source.Rest(), limits);
      break;
  }
  return 0;
}
