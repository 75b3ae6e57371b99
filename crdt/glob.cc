#include "crdt/glob.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace muster::crdt {
namespace {

uint8_t Byte(char c) { return static_cast<uint8_t>(c); }

// One element of a pattern that stands for exactly one byte: whether it stands
// for `byte`. Takes it off the pattern.
//
// `class_body` begins after "[".
bool TakeClass(absl::string_view& class_body, uint8_t byte) {
  const bool negated = !class_body.empty() && class_body.front() == '^';
  if (negated) class_body.remove_prefix(1);
  bool found = false;
  while (!class_body.empty() && class_body.front() != ']') {
    if (class_body.front() == '\\' && class_body.size() >= 2) {
      found |= Byte(class_body[1]) == byte;
      class_body.remove_prefix(2);
    } else if (class_body.size() >= 3 && class_body[1] == '-') {
      const auto [low, high] =
          std::minmax({Byte(class_body[0]), Byte(class_body[2])});
      found |= low <= byte && byte <= high;
      class_body.remove_prefix(3);
    } else {
      found |= Byte(class_body.front()) == byte;
      class_body.remove_prefix(1);
    }
  }
  if (!class_body.empty()) class_body.remove_prefix(1);
  return found != negated;
}

// REQUIRES: `pattern` is not empty and does not begin with "*".
bool TakeOne(absl::string_view& pattern, uint8_t byte) {
  char first = pattern.front();
  pattern.remove_prefix(1);
  if (first == '?') return true;
  if (first == '[') return TakeClass(pattern, byte);
  if (first == '\\' && !pattern.empty()) {
    first = pattern.front();
    pattern.remove_prefix(1);
  }
  return Byte(first) == byte;
}

}  // namespace

// Only the last star is ever gone back to: what an earlier one matched is as
// short as it can be, and a longer match of it helps nothing.
bool GlobMatch(absl::string_view pattern, absl::string_view text) {
  absl::string_view after_star;  // Of the pattern.
  size_t star_end = 0;           // What the star takes of the text ends here.
  bool star = false;
  size_t at = 0;
  while (at < text.size()) {
    if (!pattern.empty() && pattern.front() == '*') {
      pattern.remove_prefix(1);
      if (pattern.empty()) return true;
      star = true;
      after_star = pattern;
      star_end = at;
    } else if (!pattern.empty() && TakeOne(pattern, Byte(text[at]))) {
      ++at;
    } else if (star) {
      pattern = after_star;
      at = ++star_end;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*') == absl::string_view::npos;
}

}  // namespace muster::crdt
