// Commands and answers of `muster kv` as text.
#ifndef MUSTER_NODE_CLI_KV_TEXT_H_
#define MUSTER_NODE_CLI_KV_TEXT_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "muster/v1/kv.pb.h"

namespace muster::cli {

// The words of a line, quoted as redis-cli has it: "a\n\x41" with escapes,
// 'a' with \' alone. Nothing: a quote is not closed, or something follows one
// at once.
std::optional<std::vector<std::string>> SplitLine(absl::string_view line);

// As redis-cli prints it on a terminal, without a last line feed.
std::string ValueText(const v1::KvValue& value);

// One JSON value: a text, or {"base64":"…"} if it is not UTF-8; a number; null;
// an array; {"error":"ERR …"}. A map is an array of its fields and values in
// turn.
std::string ValueJson(const v1::KvValue& value);

}  // namespace muster::cli

#endif  // MUSTER_NODE_CLI_KV_TEXT_H_
