// Messages as JSON, one object a line, for programs that read `--json`.
//
//   {"topic":"room","key":"u1","meta":"{\"tab\":1}","ref":"…","ref_prev":""}
//
// Every field is there, with its name in the proto; numbers of 64 bits are
// numbers; enums are their names; a map is an object in byte order of its
// keys. A field of bytes is text if it is valid UTF-8, else it is called
// NAME_base64 and is base64 with padding.
#ifndef MUSTER_NODE_CLI_JSON_H_
#define MUSTER_NODE_CLI_JSON_H_

#include <google/protobuf/message.h>

#include <string>

#include "absl/strings/string_view.h"

namespace muster::cli {

// Without a newline.
std::string ToJson(const google::protobuf::Message& message);

// The same with a field before the others: {"event":"join","topic":…}.
std::string ToJson(absl::string_view name, absl::string_view value,
                   const google::protobuf::Message& message);

// `text` is valid UTF-8.
std::string JsonString(absl::string_view text);

}  // namespace muster::cli

#endif  // MUSTER_NODE_CLI_JSON_H_
