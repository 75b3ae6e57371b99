// Session tokens: the secrets with which sessions are used and resumed.
//
// A token is 128 random bits as 32 hex digits. The session's id is the first
// 128 bits of SHA-256 of that text. So any node can check a token without
// having heard of the session, and an id reveals nothing of its token.
//
// Threads: any. Cost: about 0.3 us each.
#ifndef MUSTER_NODE_SERVICE_TOKENS_H_
#define MUSTER_NODE_SERVICE_TOKENS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "crdt/types.h"

namespace muster::service {

inline constexpr size_t kTokenText = 32;

// From the operating system's generator. Empty if it has failed.
std::string NewToken();

// NOT_FOUND if no node can have made `token`. The error does not repeat it.
absl::StatusOr<crdt::SessionId> SessionOf(absl::string_view token);

// First 64 bits of SHA-256, for telling scopes apart.
uint64_t HashText(absl::string_view text);

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_TOKENS_H_
