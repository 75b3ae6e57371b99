#include "node/commands/call.h"

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "crdt/keyspace/shown.h"
#include "node/commands/numbers.h"

namespace muster::commands {

bool Call::Is(size_t i, absl::string_view word) const {
  return absl::EqualsIgnoreCase(argv_[i], word);
}

bool Call::Integer(size_t i, int64_t& out) {
  const std::optional<int64_t> value = kv::ParseInteger(argv_[i]);
  if (value.has_value()) {
    out = *value;
    return true;
  }
  Error("ERR value is not an integer or out of range");
  return false;
}

bool Call::Count(size_t i, uint64_t& out) {
  const std::optional<int64_t> value = kv::ParseInteger(argv_[i]);
  if (!value.has_value() || *value < 0) {
    Error("ERR value is out of range, must be positive");
    return false;
  }
  out = static_cast<uint64_t>(*value);
  return true;
}

bool Call::Double(size_t i, double& out) {
  const std::optional<double> value = ParseDouble(argv_[i]);
  if (value.has_value()) {
    out = *value;
    return true;
  }
  Error("ERR value is not a valid float");
  return false;
}

bool Call::FindAs(size_t i, kv::Type type, kv::KeyView& out) {
  out = Find(i);
  return CheckType(out, type);
}

bool Call::CheckType(const kv::KeyView& view, kv::Type type) {
  if (!view.exists() || view.type() == type) return true;
  WrongType();
  return false;
}

void Call::WrongType() {
  Error("WRONGTYPE Operation against a key holding the wrong kind of value");
}

void Call::WrongArity() {
  Error(absl::StrCat("ERR wrong number of arguments for '", command_.name,
                     "' command"));
}

void Call::InvalidExpire() {
  Error(
      absl::StrCat("ERR invalid expire time in '", command_.name, "' command"));
}

bool Call::CheckValueBytes(size_t bytes) {
  if (bytes <= env_.limits.max_value_bytes) return true;
  Error(absl::StrCat("ERR value of ", bytes, " bytes exceeds the limit of ",
                     env_.limits.max_value_bytes, " (--kv-max-value-bytes)"));
  return false;
}

void Call::WaitFor(size_t first, size_t last, uint64_t timeout_ms,
                   Reply at_deadline) {
  if (env_.blocking == Blocking::kNever) {
    reply_.Append(at_deadline);
    return;
  }
  Wait& wait = wait_.emplace();
  for (size_t i = first; i <= last; ++i) {
    wait.keys.push_back({session_.db, std::string(argv_[i])});
  }
  if (timeout_ms != 0) wait.until.at_ms = env_.now.value + timeout_ms;
  wait.at_deadline = std::move(at_deadline);
}

}  // namespace muster::commands
