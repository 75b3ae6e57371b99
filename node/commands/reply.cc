#include "node/commands/reply.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "crdt/check.h"
#include "crdt/varint.h"

namespace muster::commands {
namespace {

using crdt::AppendVarint;
using crdt::TakeVarint;

bool IsAggregate(Reply::Kind kind) { return kind >= Reply::Kind::kArray; }

template <typename T>
T TakeFixed(absl::string_view& bytes) {
  T value;
  MUSTER_CHECK(bytes.size() >= sizeof(value));
  std::memcpy(&value, bytes.data(), sizeof(value));
  bytes.remove_prefix(sizeof(value));
  return value;
}

uint64_t TakeNumber(absl::string_view& bytes) {
  uint64_t value = 0;
  MUSTER_CHECK(TakeVarint(bytes, value));
  return value;
}

}  // namespace

void Reply::Text(Kind kind, absl::string_view text) {
  Bare(kind);
  AppendVarint(text.size(), nodes_);
  nodes_.append(text.data(), text.size());
}

void Reply::Error(absl::string_view text) {
  Text(Kind::kError, text);
  std::replace_if(
      nodes_.end() - static_cast<ptrdiff_t>(text.size()), nodes_.end(),
      [](char c) { return c == '\r' || c == '\n'; }, ' ');
}

void Reply::Integer(int64_t value) {
  Bare(Kind::kInteger);
  const auto bits = static_cast<uint64_t>(value);
  AppendVarint(bits << 1 ^ (value < 0 ? ~uint64_t{0} : 0), nodes_);
}

void Reply::Double(double value) {
  Bare(Kind::kDouble);
  char bytes[sizeof(value)];
  std::memcpy(bytes, &value, sizeof(value));
  nodes_.append(bytes, sizeof(bytes));
}

void Reply::Begin(Kind aggregate, uint32_t count) {
  End(BeginOpen(aggregate), count);
}

size_t Reply::BeginOpen(Kind aggregate) {
  MUSTER_CHECK(IsAggregate(aggregate));
  Bare(aggregate);
  nodes_.append(sizeof(uint32_t), '\0');
  return nodes_.size() - sizeof(uint32_t);
}

void Reply::End(size_t opened, uint32_t count) {
  std::memcpy(&nodes_[opened], &count, sizeof(count));
}

bool ReplyReader::Next(ReplyNode& node) {
  if (rest_.empty()) return false;
  node = {};
  node.kind = static_cast<Reply::Kind>(rest_.front());
  rest_.remove_prefix(1);
  switch (node.kind) {
    case Reply::Kind::kSimple:
    case Reply::Kind::kError:
    case Reply::Kind::kBulk: {
      const uint64_t size = TakeNumber(rest_);
      MUSTER_CHECK(size <= rest_.size());
      node.text = rest_.substr(0, size);
      rest_.remove_prefix(size);
      break;
    }
    case Reply::Kind::kInteger: {
      const uint64_t zigzag = TakeNumber(rest_);
      node.integer = static_cast<int64_t>(
          zigzag >> 1 ^ ((zigzag & 1) != 0 ? ~uint64_t{0} : 0));
      break;
    }
    case Reply::Kind::kDouble:
      node.number = TakeFixed<double>(rest_);
      break;
    case Reply::Kind::kNil:
    case Reply::Kind::kNilArray:
      break;
    case Reply::Kind::kArray:
    case Reply::Kind::kMap:
    case Reply::Kind::kSet:
    case Reply::Kind::kPairs:
      node.count = TakeFixed<uint32_t>(rest_);
      break;
  }
  return true;
}

std::string DoubleText(double value) {
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return absl::StrFormat("%.17g", value);
}

namespace {

std::string Quoted(absl::string_view bytes) {
  std::string out = "\"";
  for (const char c : bytes) {
    switch (c) {
      case '\\':
      case '"':
        out += '\\';
        out += c;
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\a':
        out += "\\a";
        break;
      case '\b':
        out += "\\b";
        break;
      default:
        if (c >= ' ' && c <= '~') {
          out += c;
        } else {
          absl::StrAppendFormat(&out, "\\x%02x", static_cast<uint8_t>(c));
        }
    }
  }
  return out + '"';
}

void AppendNode(ReplyReader& reader, size_t indent, std::string& out);

// Children after the first are indented by what stands before the first.
void AppendChildren(ReplyReader& reader, uint32_t count, size_t indent,
                    std::string& out) {
  const size_t digits = absl::StrCat(count).size();
  for (uint32_t i = 1; i <= count; ++i) {
    if (i > 1) absl::StrAppend(&out, "\n", std::string(indent, ' '));
    absl::StrAppendFormat(&out, "%*d) ", static_cast<int>(digits),
                          static_cast<int>(i));
    AppendNode(reader, indent + digits + 2, out);
  }
}

void AppendNode(ReplyReader& reader, size_t indent, std::string& out) {
  ReplyNode node;
  if (!reader.Next(node)) return;
  switch (node.kind) {
    case Reply::Kind::kSimple:
      absl::StrAppend(&out, node.text);
      break;
    case Reply::Kind::kError:
      absl::StrAppend(&out, "(error) ", node.text);
      break;
    case Reply::Kind::kInteger:
      absl::StrAppend(&out, "(integer) ", node.integer);
      break;
    case Reply::Kind::kBulk:
      out += Quoted(node.text);
      break;
    case Reply::Kind::kDouble:
      out += Quoted(DoubleText(node.number));
      break;
    case Reply::Kind::kNil:
    case Reply::Kind::kNilArray:
      out += "(nil)";
      break;
    case Reply::Kind::kArray:
    case Reply::Kind::kMap:
    case Reply::Kind::kSet:
    case Reply::Kind::kPairs:
      if (node.count == 0) out += "(empty array)";
      AppendChildren(reader, node.count, indent, out);
      break;
  }
}

}  // namespace

std::string ToText(const Reply& reply) {
  ReplyReader reader(reply);
  std::string out;
  AppendNode(reader, 0, out);
  return out;
}

}  // namespace muster::commands
