#include "node/codec/kv_codec.h"

#include <bit>

#include "crdt/check.h"

namespace muster::codec {
namespace {

using commands::Reply;
using commands::ReplyNode;
using commands::ReplyReader;
using Value = v1::KvValue;

// Bytes of a value beside its text, and of a position, as a guess for
// reserve().
constexpr size_t kValueOverhead = 6;
constexpr size_t kPositionBytes = 40;

void AppendWord(uint64_t word, std::string& out) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(word >> shift));
  }
}

uint64_t WordOf(absl::string_view bytes) {
  uint64_t word = 0;
  for (const char c : bytes) word = word << 8 | static_cast<uint8_t>(c);
  return word;
}

// ---------------------------------------------------------------- decoding

bool ReadCommand(absl::string_view bytes,
                 std::vector<absl::string_view>& argv) {
  argv.clear();
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.Is(v1::KvCommand::kArgsFieldNumber, WireType::kBytes)) {
      argv.push_back(reader.bytes());
    }
  }
  return reader.ok();
}

bool ReadPosition(absl::string_view bytes, KvOptionsText& options) {
  using Proto = v1::KvPosition;
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.Is(Proto::kTermFieldNumber, WireType::kVarint)) {
      options.min_term = reader.varint();
    } else if (reader.Is(Proto::kLeaderFieldNumber, WireType::kBytes)) {
      options.min_leader = reader.bytes();
    } else if (reader.Is(Proto::kSeqFieldNumber, WireType::kVarint)) {
      options.min_seq = reader.varint();
    }
  }
  return reader.ok();
}

bool ReadOptions(absl::string_view bytes, KvOptionsText& options) {
  using Proto = v1::KvOptions;
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.Is(Proto::kDbFieldNumber, WireType::kVarint)) {
      options.db = reader.varint();
    } else if (reader.Is(Proto::kAtLeaderFieldNumber, WireType::kVarint)) {
      options.at_leader = reader.varint() != 0;
    } else if (reader.Is(Proto::kMinPositionFieldNumber, WireType::kBytes) &&
               !ReadPosition(reader.bytes(), options)) {
      return false;
    }
  }
  return reader.ok();
}

bool ReadWatched(absl::string_view bytes, KvWatchedText& watched) {
  using Proto = v1::KvWatched;
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.Is(Proto::kDbFieldNumber, WireType::kVarint)) {
      watched.db = reader.varint();
    } else if (reader.Is(Proto::kKeyFieldNumber, WireType::kBytes)) {
      watched.key = reader.bytes();
    } else if (reader.Is(Proto::kVersionFieldNumber, WireType::kFixed64)) {
      watched.version = reader.fixed64();
    }
  }
  return reader.ok();
}

// ---------------------------------------------------------------- encoding

size_t VarintBytes(uint64_t value) {
  return static_cast<size_t>(std::bit_width(value | 1) + 6) / 7;
}

void WriteVarint(uint64_t value, std::string& out) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

constexpr char TagOf(int field, WireType type) {
  return static_cast<char>(field << 3 | static_cast<int>(type));
}

// A value of text as a field: its size is known, so nothing is moved.
void WriteText(int field, int kind, absl::string_view text, WireWriter& out) {
  std::string& bytes = *out.out();
  bytes.push_back(TagOf(field, WireType::kBytes));
  WriteVarint(1 + VarintBytes(text.size()) + text.size(), bytes);
  bytes.push_back(TagOf(kind, WireType::kBytes));
  WriteVarint(text.size(), bytes);
  bytes.append(text.data(), text.size());
}

void WriteValue(int field, const ReplyNode& node, ReplyReader& reader,
                WireWriter& out);

void WriteValues(int field, int kind, uint32_t count, ReplyReader& reader,
                 WireWriter& out) {
  const size_t value = out.Begin(field);
  const size_t values = out.Begin(kind);
  ReplyNode child;
  for (uint32_t i = 0; i < count; ++i) {
    MUSTER_CHECK(reader.Next(child));
    WriteValue(Value::Values::kValuesFieldNumber, child, reader, out);
  }
  out.End(values);
  out.End(value);
}

void WriteNumber(int field, const ReplyNode& node, WireWriter& out) {
  const size_t value = out.Begin(field);
  if (node.kind == Reply::Kind::kInteger) {
    const auto bits = static_cast<uint64_t>(node.integer);
    out.Varint(Value::kIntegerFieldNumber,
               bits << 1 ^ (node.integer < 0 ? ~uint64_t{0} : 0));
  } else if (node.kind == Reply::Kind::kDouble) {
    out.Fixed64(Value::kNumberFieldNumber,
                std::bit_cast<uint64_t>(node.number));
  } else {
    out.Varint(Value::kNilFieldNumber, 1);
  }
  out.End(value);
}

// The node and all its children, which follow in `reader`.
void WriteValue(int field, const ReplyNode& node, ReplyReader& reader,
                WireWriter& out) {
  switch (node.kind) {
    case Reply::Kind::kSimple:
      return WriteText(field, Value::kSimpleFieldNumber, node.text, out);
    case Reply::Kind::kError:
      return WriteText(field, Value::kErrorFieldNumber, node.text, out);
    case Reply::Kind::kBulk:
      return WriteText(field, Value::kBulkFieldNumber, node.text, out);
    case Reply::Kind::kInteger:
    case Reply::Kind::kDouble:
    case Reply::Kind::kNil:
    case Reply::Kind::kNilArray:
      return WriteNumber(field, node, out);
    case Reply::Kind::kArray:
      return WriteValues(field, Value::kArrayFieldNumber, node.count, reader,
                         out);
    case Reply::Kind::kMap:
      return WriteValues(field, Value::kMapFieldNumber, node.count, reader,
                         out);
    case Reply::Kind::kSet:
      return WriteValues(field, Value::kSetFieldNumber, node.count, reader,
                         out);
    case Reply::Kind::kPairs:
      return WriteValues(field, Value::kPairsFieldNumber, node.count, reader,
                         out);
  }
}

void WritePosition(int field, const core::KvPosition& position,
                   WireWriter& out) {
  using Proto = v1::KvPosition;
  if (position.term.IsNone()) return;
  const size_t mark = out.Begin(field);
  out.Varint(Proto::kTermFieldNumber, position.term.number);
  std::string& bytes = *out.out();
  bytes.push_back(TagOf(Proto::kLeaderFieldNumber, WireType::kBytes));
  bytes.push_back(static_cast<char>(kLifeIdBytes));
  AppendWord(position.term.leader.hi, bytes);
  AppendWord(position.term.leader.lo, bytes);
  out.VarintIfSet(Proto::kSeqFieldNumber, position.seq.value);
  out.End(mark);
}

void WriteExecuteResponse(const core::KvAnswer& answer, bool atomic,
                          WireWriter& out) {
  using Proto = v1::KvExecuteResponse;
  ReplyReader reader(answer.replies);
  ReplyNode node;
  if (atomic) {
    // One reply holds those of all commands.
    MUSTER_CHECK(reader.Next(node));
    if (node.kind != Reply::Kind::kArray) {
      out.Varint(Proto::kChangedFieldNumber, 1);
    }
  }
  while (reader.Next(node)) {
    WriteValue(Proto::kValuesFieldNumber, node, reader, out);
  }
  WritePosition(Proto::kPositionFieldNumber, answer.position, out);
}

}  // namespace

std::string LifeIdBytes(const crdt::LifeId& life) {
  std::string bytes;
  AppendWord(life.hi, bytes);
  AppendWord(life.lo, bytes);
  return bytes;
}

bool ParseLifeId(absl::string_view bytes, crdt::LifeId& life) {
  if (bytes.size() != kLifeIdBytes) return false;
  life = {WordOf(bytes.substr(0, kLifeIdBytes / 2)),
          WordOf(bytes.substr(kLifeIdBytes / 2))};
  return true;
}

bool ReadExecute(absl::string_view bytes, KvExecuteText& text,
                 const std::function<void(commands::Argv)>& take) {
  using Proto = v1::KvExecuteRequest;
  std::vector<absl::string_view> argv;
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.Is(Proto::kCommandsFieldNumber, WireType::kBytes)) {
      if (!ReadCommand(reader.bytes(), argv)) return false;
      take(argv);
    } else if (reader.Is(Proto::kAtomicFieldNumber, WireType::kVarint)) {
      text.atomic = reader.varint() != 0;
    } else if (reader.Is(Proto::kWatchedFieldNumber, WireType::kBytes)) {
      if (!ReadWatched(reader.bytes(), text.watched.emplace_back())) {
        return false;
      }
    } else if (reader.Is(Proto::kOptionsFieldNumber, WireType::kBytes)) {
      if (!ReadOptions(reader.bytes(), text.options)) return false;
    }
  }
  return reader.ok();
}

bool ReadRequest(absl::string_view bytes, KvRequestText& text) {
  using Proto = v1::KvRequest;
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.Is(Proto::kNumberFieldNumber, WireType::kVarint)) {
      text.number = reader.varint();
    } else if (reader.Is(Proto::kExecuteFieldNumber, WireType::kBytes)) {
      text.execute = reader.bytes();
    }
  }
  return reader.ok();
}

KvOptionsText ToText(const v1::KvOptions& options) {
  const v1::KvPosition& position = options.min_position();
  return {options.db(), options.at_leader(), position.term(), position.leader(),
          position.seq()};
}

std::string EncodeExecuteResponse(const core::KvAnswer& answer, bool atomic) {
  std::string bytes;
  bytes.reserve(answer.replies.bytes() * 2 + kValueOverhead + kPositionBytes);
  WireWriter out(&bytes);
  WriteExecuteResponse(answer, atomic, out);
  return bytes;
}

void WriteAnswer(uint64_t number, const core::KvAnswer& answer, bool atomic,
                 WireWriter& out) {
  using Proto = v1::KvAnswer;
  const size_t mark = out.Begin(v1::KvResponse::kAnswersFieldNumber);
  out.VarintIfSet(Proto::kNumberFieldNumber, number);
  if (answer.status.ok()) {
    const size_t executed = out.Begin(Proto::kExecutedFieldNumber);
    WriteExecuteResponse(answer, atomic, out);
    out.End(executed);
  } else {
    out.Varint(Proto::kCodeFieldNumber,
               static_cast<uint64_t>(answer.status.code()));
    out.BytesIfSet(Proto::kMessageFieldNumber, answer.status.message());
  }
  out.End(mark);
}

}  // namespace muster::codec
