// What a key does while nobody else uses it: the specification that histories
// are judged by.
#include <algorithm>
#include <array>
#include <charconv>
#include <functional>

#include "tests/sim/linearizability.h"

namespace muster::sim {
namespace {

using std::string;
using Words = std::vector<string>;
using Type = KeyState::Type;

const string kNil = "_";
const string kOk = "+OK";
const string kWrongType = "-WRONGTYPE";
const string kNoInteger = "-ERR";

string Integer(int64_t value) { return ":" + std::to_string(value); }
string Bulk(const string& value) { return "$" + value; }

bool ToInteger(const string& text, int64_t& value) {
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && at == end && !text.empty();
}

// Makes the key one of this type, unless it is one of another.
bool Open(KeyState& state, Type type) {
  if (state.type == Type::kNone) state.type = type;
  return state.type == type;
}

void CloseIfEmpty(KeyState& state) {
  if (state.parts.empty()) state = {};
}

string Get(const Words&, KeyState& state) {
  if (state.type == Type::kNone) return kNil;
  return state.type == Type::kString ? Bulk(state.parts[0]) : kWrongType;
}

string Set(const Words& words, KeyState& state) {
  const bool only_new = words.size() > 3;
  if (only_new && state.type != Type::kNone) return kNil;
  state = {Type::kString, {words[2]}};
  return kOk;
}

string SetNx(const Words& words, KeyState& state) {
  if (state.type != Type::kNone) return Integer(0);
  state = {Type::kString, {words[2]}};
  return Integer(1);
}

string Exists(const Words&, KeyState& state) {
  return Integer(state.type == Type::kNone ? 0 : 1);
}

string Del(const Words& words, KeyState& state) {
  string result = Exists(words, state);
  state = {};
  return result;
}

string IncrBy(const Words& words, KeyState& state) {
  int64_t amount = 1;
  if (words.size() > 2 && !ToInteger(words[2], amount)) return kNoInteger;
  if (state.type == Type::kNone) state = {Type::kString, {"0"}};
  if (state.type != Type::kString) return kWrongType;
  int64_t value = 0;
  if (!ToInteger(state.parts[0], value) ||
      __builtin_add_overflow(value, amount, &value)) {
    return kNoInteger;
  }
  state.parts[0] = std::to_string(value);
  return Integer(value);
}

string Push(const Words& words, KeyState& state) {
  if (!Open(state, Type::kList)) return kWrongType;
  const bool front = words[0] == "LPUSH";
  for (size_t i = 2; i < words.size(); ++i) {
    state.parts.insert(front ? state.parts.begin() : state.parts.end(),
                       words[i]);
  }
  return Integer(static_cast<int64_t>(state.parts.size()));
}

string Pop(const Words& words, KeyState& state) {
  if (state.type == Type::kNone) return kNil;
  if (state.type != Type::kList) return kWrongType;
  const bool front = words[0] == "LPOP" || words[0] == "BLPOP";
  const auto at = front ? state.parts.begin() : std::prev(state.parts.end());
  string result = Bulk(*at);
  state.parts.erase(at);
  CloseIfEmpty(state);
  return result;
}

string Size(const Words& words, KeyState& state) {
  if (state.type == Type::kNone) return Integer(0);
  const Type type = words[0] == "LLEN" ? Type::kList : Type::kSet;
  if (state.type != type) return kWrongType;
  return Integer(static_cast<int64_t>(state.parts.size()));
}

string Member(const Words& words, KeyState& state) {
  if (state.type != Type::kNone && state.type != Type::kSet) return kWrongType;
  const auto at =
      std::lower_bound(state.parts.begin(), state.parts.end(), words[2]);
  const bool is = at != state.parts.end() && *at == words[2];
  if (words[0] == "SISMEMBER") return Integer(is ? 1 : 0);
  if (words[0] == "SADD") {
    state.type = Type::kSet;
    if (!is) state.parts.insert(at, words[2]);
    return Integer(is ? 0 : 1);
  }
  if (is) state.parts.erase(at);
  CloseIfEmpty(state);
  return Integer(is ? 1 : 0);
}

// Parts are field, value, field, value …, by field.
string Field(const Words& words, KeyState& state) {
  if (state.type != Type::kNone && state.type != Type::kHash) {
    return kWrongType;
  }
  size_t at = 0;
  while (at < state.parts.size() && state.parts[at] < words[2]) at += 2;
  const bool is = at < state.parts.size() && state.parts[at] == words[2];
  if (words[0] == "HGET") return is ? Bulk(state.parts[at + 1]) : kNil;
  const auto begin = state.parts.begin() + static_cast<std::ptrdiff_t>(at);
  if (words[0] == "HSET") {
    state.type = Type::kHash;
    if (is) {
      state.parts[at + 1] = words[3];
    } else {
      state.parts.insert(begin, {words[2], words[3]});
    }
    return Integer(is ? 0 : 1);
  }
  if (is) state.parts.erase(begin, begin + 2);
  CloseIfEmpty(state);
  return Integer(is ? 1 : 0);
}

struct Spec {
  const char* name;
  size_t least;  // Words,
  size_t most;   // at most.
  string (*perform)(const Words&, KeyState&);
};
constexpr size_t kAny = 1 << 20;
constexpr std::array<Spec, 21> kSpecs = {{
    {"GET", 2, 2, Get},          {"SET", 3, 4, Set},
    {"SETNX", 3, 3, SetNx},      {"DEL", 2, 2, Del},
    {"EXISTS", 2, 2, Exists},    {"INCR", 2, 2, IncrBy},
    {"INCRBY", 3, 3, IncrBy},    {"RPUSH", 3, kAny, Push},
    {"LPUSH", 3, kAny, Push},    {"LPOP", 2, 2, Pop},
    {"RPOP", 2, 2, Pop},         {"BLPOP", 2, 3, Pop},
    {"BRPOP", 2, 3, Pop},        {"LLEN", 2, 2, Size},
    {"SADD", 3, 3, Member},      {"SREM", 3, 3, Member},
    {"SISMEMBER", 3, 3, Member}, {"SCARD", 2, 2, Size},
    {"HSET", 4, 4, Field},       {"HGET", 3, 3, Field},
    {"HDEL", 3, 3, Field},
}};

const Spec* Find(const Words& command) {
  if (command.empty()) return nullptr;
  const auto* spec =
      std::find_if(kSpecs.begin(), kSpecs.end(),
                   [&](const Spec& s) { return command[0] == s.name; });
  if (spec == kSpecs.end() || command.size() < spec->least ||
      command.size() > spec->most) {
    return nullptr;
  }
  const bool option = spec->perform == Set && command.size() == 4;
  return option && command[3] != "NX" ? nullptr : spec;
}

}  // namespace

bool IsKnown(const Words& command) { return Find(command) != nullptr; }

string Perform(const Words& command, KeyState& state) {
  return Find(command)->perform(command, state);
}

}  // namespace muster::sim
