#include "node/cli/kv_text.h"

#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "node/cli/json.h"
#include "node/codec/kv_codec.h"
#include "node/codec/utf8.h"

namespace muster::cli {
namespace {

bool IsSpace(char c) { return absl::ascii_isspace(static_cast<uint8_t>(c)); }

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = absl::ascii_tolower(static_cast<uint8_t>(c));
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char Unescaped(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

// Takes a word off the front of `line`, one piece at a time.
class WordReader {
 public:
  explicit WordReader(absl::string_view line) : line_(line) {}

  // False: there is none.
  bool Skip() {
    while (at_ < line_.size() && IsSpace(line_[at_])) ++at_;
    return at_ < line_.size();
  }
  // False: it is malformed.
  bool Take(std::string& word) {
    while (at_ < line_.size() && !IsSpace(line_[at_])) {
      const char c = line_[at_++];
      if (c == '"') return TakeDouble(word) && IsAtEnd();
      if (c == '\'') return TakeSingle(word) && IsAtEnd();
      word.push_back(c);
    }
    return true;
  }

 private:
  // Nothing may follow a quote at once.
  bool IsAtEnd() const { return at_ == line_.size() || IsSpace(line_[at_]); }

  bool TakeDouble(std::string& word) {
    while (at_ < line_.size()) {
      const char c = line_[at_++];
      if (c == '"') return true;
      if (c != '\\' || at_ == line_.size()) {
        word.push_back(c);
      } else {
        TakeEscape(word);
      }
    }
    return false;
  }
  // What follows a backslash.
  void TakeEscape(std::string& word) {
    if (line_[at_] == 'x' && at_ + 2 < line_.size()) {
      const int high = HexValue(line_[at_ + 1]);
      const int low = HexValue(line_[at_ + 2]);
      if (high >= 0 && low >= 0) {
        word.push_back(static_cast<char>(high << 4 | low));
        at_ += 3;
        return;
      }
    }
    word.push_back(Unescaped(line_[at_++]));
  }
  bool TakeSingle(std::string& word) {
    while (at_ < line_.size()) {
      const char c = line_[at_++];
      if (c == '\'') return true;
      const bool quote = c == '\\' && at_ < line_.size() && line_[at_] == '\'';
      word.push_back(quote ? line_[at_++] : c);
    }
    return false;
  }

  const absl::string_view line_;
  size_t at_ = 0;
};

std::string BytesJson(absl::string_view bytes) {
  if (codec::IsUtf8(bytes)) return JsonString(bytes);
  return absl::StrCat("{\"base64\":", JsonString(absl::Base64Escape(bytes)),
                      "}");
}

// JSON has no infinity.
std::string NumberJson(double number) {
  const std::string text = commands::DoubleText(number);
  return std::isfinite(number) ? text : JsonString(text);
}

std::string ValuesJson(const v1::KvValue::Values& values) {
  std::string out = "[";
  for (const v1::KvValue& value : values.values()) {
    if (out.size() > 1) out.push_back(',');
    out.append(ValueJson(value));
  }
  out.push_back(']');
  return out;
}

}  // namespace

std::optional<std::vector<std::string>> SplitLine(absl::string_view line) {
  std::vector<std::string> words;
  WordReader reader(line);
  while (reader.Skip()) {
    if (!reader.Take(words.emplace_back())) return std::nullopt;
  }
  return words;
}

std::string ValueText(const v1::KvValue& value) {
  commands::Reply reply;
  codec::AppendReply(value, reply);
  return commands::ToText(reply);
}

std::string ValueJson(const v1::KvValue& value) {
  switch (value.kind_case()) {
    case v1::KvValue::kBulk:
      return BytesJson(value.bulk());
    case v1::KvValue::kSimple:
      return BytesJson(value.simple());
    case v1::KvValue::kError:
      return absl::StrCat("{\"error\":", BytesJson(value.error()), "}");
    case v1::KvValue::kInteger:
      return absl::StrCat(value.integer());
    case v1::KvValue::kNumber:
      return NumberJson(value.number());
    case v1::KvValue::kNil:
    case v1::KvValue::KIND_NOT_SET:
      return "null";
    case v1::KvValue::kArray:
      return ValuesJson(value.array());
    case v1::KvValue::kMap:
      return ValuesJson(value.map());
    case v1::KvValue::kSet:
      return ValuesJson(value.set());
    case v1::KvValue::kPairs:
      return ValuesJson(value.pairs());
  }
  return "null";
}

}  // namespace muster::cli
