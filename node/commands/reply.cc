#include "node/commands/reply.h"

#include <algorithm>
#include <array>
#include <bit>
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

// Little-endian, as the machine.
static_assert(std::endian::native == std::endian::little);

template <typename T>
bool TakeFixed(absl::string_view& bytes, T& value) {
  if (bytes.size() < sizeof(value)) return false;
  std::memcpy(&value, bytes.data(), sizeof(value));
  bytes.remove_prefix(sizeof(value));
  return true;
}

bool TakeText(absl::string_view& bytes, absl::string_view& text) {
  uint64_t size = 0;
  if (!TakeVarint(bytes, size) || size > bytes.size()) return false;
  text = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return true;
}

// Takes a node off the front; false: they do not begin with one.
bool TakeNode(absl::string_view& bytes, ReplyNode& node) {
  if (bytes.empty()) return false;
  node = {};
  node.kind = static_cast<Reply::Kind>(bytes.front());
  bytes.remove_prefix(1);
  switch (node.kind) {
    case Reply::Kind::kSimple:
    case Reply::Kind::kError:
    case Reply::Kind::kBulk:
      return TakeText(bytes, node.text);
    case Reply::Kind::kInteger: {
      uint64_t zigzag = 0;
      if (!TakeVarint(bytes, zigzag)) return false;
      node.integer = static_cast<int64_t>(
          zigzag >> 1 ^ ((zigzag & 1) != 0 ? ~uint64_t{0} : 0));
      return true;
    }
    case Reply::Kind::kDouble:
      return TakeFixed(bytes, node.number);
    case Reply::Kind::kNil:
    case Reply::Kind::kNilArray:
      return true;
    case Reply::Kind::kArray:
    case Reply::Kind::kMap:
    case Reply::Kind::kSet:
    case Reply::Kind::kPairs:
      return TakeFixed(bytes, node.count);
  }
  return false;
}

bool IsLineEnd(char c) { return c == '\r' || c == '\n'; }

// Whether a door can write it.
bool IsSound(const ReplyNode& node) {
  switch (node.kind) {
    case Reply::Kind::kSimple:
    case Reply::Kind::kError:
      return std::none_of(node.text.begin(), node.text.end(), IsLineEnd);
    case Reply::Kind::kMap:
    case Reply::Kind::kPairs:
      return node.count % 2 == 0;
    default:
      return true;
  }
}

// What is still to come of the aggregates that are open, and of the whole.
class OpenCounts {
 public:
  explicit OpenCounts(uint32_t values) { left_[0] = values; }
  // Closes what is complete. Whether nothing is to come.
  bool Done() {
    while (depth_ > 0 && left_[depth_] == 0) --depth_;
    return left_[depth_] == 0;
  }
  // Takes a node. False: it is too deep. REQUIRES: not Done().
  bool Take(const ReplyNode& node) {
    --left_[depth_];
    if (node.count == 0) return true;
    if (depth_ == Reply::kMaxDepth) return false;
    left_[++depth_] = node.count;
    return true;
  }

 private:
  std::array<uint32_t, Reply::kMaxDepth + 1> left_{};
  size_t depth_ = 0;
};

}  // namespace

void Reply::Text(Kind kind, absl::string_view text) {
  Bare(kind);
  AppendVarint(text.size(), nodes_);
  nodes_.append(text.data(), text.size());
}

void Reply::Line(Kind kind, absl::string_view text) {
  Text(kind, text);
  std::replace_if(nodes_.end() - static_cast<ptrdiff_t>(text.size()),
                  nodes_.end(), IsLineEnd, ' ');
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

std::optional<Reply> Reply::FromBytes(std::string bytes, uint32_t count) {
  OpenCounts open(count);
  absl::string_view rest = bytes;
  ReplyNode node;
  while (!open.Done()) {
    if (!TakeNode(rest, node) || !IsSound(node) || !open.Take(node)) {
      return std::nullopt;
    }
  }
  if (!rest.empty()) return std::nullopt;
  return Reply(std::move(bytes));
}

uint32_t Reply::CountValues() const {
  uint32_t values = 0;
  uint64_t inner = 0;  // Nodes to come that are in an aggregate.
  ReplyReader reader(*this);
  ReplyNode node;
  while (reader.Next(node)) {
    if (inner > 0) {
      --inner;
    } else {
      ++values;
    }
    inner += node.count;
  }
  return values;
}

bool ReplyReader::Next(ReplyNode& node) {
  if (rest_.empty()) return false;
  MUSTER_CHECK(TakeNode(rest_, node));
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
