// The answer of a command: a value of RESP3's shape, in one string.
//
//   LRANGE l 0 -1     array 2
//                       bulk "a"
//                       bulk "b"
//
// A reply is its nodes in preorder; an aggregate says how many nodes follow as
// its children. A door walks them by ReplyReader and writes them its own way:
// RESP2 has no maps, sets, pairs and doubles, and takes them as arrays and
// bulks; RESP3 has all but pairs, which it takes as arrays of two.
//
//   node := kind count[4]                   array, map, set, pairs
//         | kind size bytes                 simple, error, bulk
//         | kind zigzag                     integer
//         | kind number[8]                  double
//         | kind                            nil, nil array
//
// Sizes and zigzags are varints, counts and doubles little-endian. The bytes go
// from node to node: kinds keep their numbers, and docs/wire_format.md has the
// table. FromBytes checks what came from another node.
//
// Cost: what fits into a std::string's own bytes (OK, an integer, a short
// bulk) allocates nothing.
// Limits: kMaxDepth aggregates one in another.
#ifndef MUSTER_NODE_COMMANDS_REPLY_H_
#define MUSTER_NODE_COMMANDS_REPLY_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace muster::commands {

class Reply {
 public:
  // The values are on the wire.
  enum class Kind : uint8_t {
    kSimple = 0,
    kError = 1,
    kInteger = 2,
    kBulk = 3,
    kNil = 4,
    kNilArray = 5,  // RESP2's null array; RESP3 knows only one null.
    kDouble = 6,
    kArray = 7,
    kMap = 8,  // field, value, field, value …
    kSet = 9,
    kPairs = 10,  // member, score, member, score …; flat in RESP2
  };
  static constexpr size_t kMaxDepth = 32;

  Reply() = default;
  // Foreign bytes: nothing, unless they are exactly `count` whole values. Lines
  // (simple, error) must have no line ends, maps and pairs an even count.
  static std::optional<Reply> FromBytes(std::string bytes, uint32_t count);

  // Each appends one node. Line ends, which no line may have, become spaces.
  void Simple(absl::string_view text) { Line(Kind::kSimple, text); }
  void Ok() { Text(Kind::kSimple, "OK"); }
  // `text` begins with its word: "ERR no such key".
  void Error(absl::string_view text) { Line(Kind::kError, text); }
  void Integer(int64_t value);
  void Bulk(absl::string_view bytes) { Text(Kind::kBulk, bytes); }
  void Nil() { Bare(Kind::kNil); }
  void NilArray() { Bare(Kind::kNilArray); }
  void Double(double value);

  // An aggregate whose `count` children are the next nodes: of a map or pairs,
  // twice as many as it has entries.
  void Begin(Kind aggregate, uint32_t count);
  void EmptyArray() { Begin(Kind::kArray, 0); }
  // The same, where the count is known only later. Returns what End takes.
  size_t BeginOpen(Kind aggregate);
  void End(size_t opened, uint32_t count);

  void Append(const Reply& other) { nodes_ += other.nodes_; }

  bool empty() const { return nodes_.empty(); }
  // Of the first node. REQUIRES: not empty.
  Kind kind() const { return static_cast<Kind>(nodes_.front()); }
  bool IsError() const { return !empty() && kind() == Kind::kError; }
  size_t bytes() const { return nodes_.size(); }
  const std::string& encoded() const { return nodes_; }
  // How many values there are; what is in an aggregate does not count.
  // Cost: O(nodes).
  uint32_t CountValues() const;
  void Clear() { nodes_.clear(); }
  bool operator==(const Reply&) const = default;

 private:
  friend class ReplyReader;
  explicit Reply(std::string nodes) : nodes_(std::move(nodes)) {}
  void Bare(Kind kind) { nodes_.push_back(static_cast<char>(kind)); }
  void Text(Kind kind, absl::string_view text);
  void Line(Kind kind, absl::string_view text);

  std::string nodes_;
};

struct ReplyNode {
  Reply::Kind kind = Reply::Kind::kNil;
  absl::string_view text;  // Simple, error, bulk; good while the reply is.
  int64_t integer = 0;
  double number = 0;
  uint32_t count = 0;  // Children, which follow.
};

class ReplyReader {
 public:
  explicit ReplyReader(const Reply& reply) : rest_(reply.nodes_) {}
  // False: there are no more.
  bool Next(ReplyNode& node);

 private:
  absl::string_view rest_;
};

// As redis-cli prints it on a terminal over RESP2, without a last line feed:
//   OK      (integer) 1      "x"      (nil)      (error) ERR no such key
//   1) "a"
//   2) "b"
std::string ToText(const Reply& reply);

// As RESP2 carries a double: 17 significant digits, "inf", "-inf".
std::string DoubleText(double value);

}  // namespace muster::commands

#endif  // MUSTER_NODE_COMMANDS_REPLY_H_
