// HOST:PORT as people write it, and errors for a text that is no HOST:PORT.
//
//   "10.0.0.1:7400", "[::1]:7400"   addresses
//   "::1:7400"                      an IPv6 address stands in brackets; write
//                                   [::1]:7400
//   "http://h:7400"                 a scheme stands before it; write h:7400
//
// Nothing is resolved: a host is a name, or IPv4, or IPv6 in brackets.
// Threads: none.
#ifndef MUSTER_CLIENT_ADDRESS_H_
#define MUSTER_CLIENT_ADDRESS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace muster::client {

// Why `text` is not HOST:PORT with a port from `min_port` to 65535, for
// people, with the right form if it is clear; "" if `text` is one.
std::string AddressFault(absl::string_view text, int min_port = 1);
// The same for HOST alone; IPv6 may stand without brackets.
std::string HostFault(absl::string_view host);

// "a:1,b:2" as a list. Errors: INVALID_ARGUMENT naming `field` (where the text
// comes from), the bad part and the right form.
absl::StatusOr<std::vector<std::string>> ParseAddresses(
    absl::string_view text, absl::string_view field = "addresses");

}  // namespace muster::client

#endif  // MUSTER_CLIENT_ADDRESS_H_
