#include "muster/client/address.h"

#include <arpa/inet.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace muster::client {
namespace {

constexpr absl::string_view kUsualPort = "7400";

// With or without a zone, as in fe80::1%eth0.
bool IsIpv6(absl::string_view text) {
  in6_addr ignored;
  const std::string address(text.substr(0, text.find('%')));
  return inet_pton(AF_INET6, address.c_str(), &ignored) == 1;
}

bool IsPort(absl::string_view text, int min_port) {
  int port = 0;
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), absl::ascii_isdigit) &&
         absl::SimpleAtoi(text, &port) && port >= min_port && port <= 65535;
}

bool IsHostByte(unsigned char c) {
  return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_';
}

// The host of HOST:PORT: a name, IPv4, or IPv6 in brackets.
std::string BracketedHostFault(absl::string_view host) {
  if (host.empty()) return "the host is missing";
  if (host.front() == '[' || host.back() == ']') {
    const bool closed = host.front() == '[' && host.back() == ']';
    if (closed && IsIpv6(host.substr(1, host.size() - 2))) return "";
    return "between brackets stands an IPv6 address, as in [::1]:7400";
  }
  if (std::all_of(host.begin(), host.end(), IsHostByte)) return "";
  return "the host must be a name or an IP address";
}

// `text` holds two colons and begins with no bracket.
std::string WithBrackets(absl::string_view text) {
  const size_t colon = text.rfind(':');
  const absl::string_view host = text.substr(0, colon);
  const absl::string_view port = text.substr(colon + 1);
  if (IsIpv6(host) && IsPort(port, 1)) {
    return absl::StrCat("[", host, "]:", port);
  }
  if (IsIpv6(text)) return absl::StrCat("[", text, "]:", kUsualPort);
  return "";
}

bool HoldsSpace(absl::string_view text) {
  return std::any_of(text.begin(), text.end(), absl::ascii_isspace);
}

// The right form is said only if it is right.
std::string FaultAndForm(absl::string_view fault, absl::string_view form,
                         int min_port) {
  if (HoldsSpace(form) || !AddressFault(form, min_port).empty()) {
    return std::string(fault);
  }
  return absl::StrCat(fault, "; write ", form);
}

}  // namespace

std::string AddressFault(absl::string_view text, int min_port) {
  if (text.empty()) return "it is empty";
  if (HoldsSpace(text)) {
    return FaultAndForm("it holds white space",
                        absl::StripAsciiWhitespace(text), min_port);
  }
  if (const size_t scheme = text.find("://");
      scheme != absl::string_view::npos) {
    const absl::string_view rest = text.substr(scheme + 3);
    return FaultAndForm("a scheme stands before it",
                        rest.substr(0, rest.find('/')), min_port);
  }
  if (const size_t path = text.find('/'); path != absl::string_view::npos) {
    return FaultAndForm("a path stands behind it", text.substr(0, path),
                        min_port);
  }
  if (text.front() != '[' && std::count(text.begin(), text.end(), ':') > 1) {
    return FaultAndForm("an IPv6 address stands in brackets",
                        WithBrackets(text), min_port);
  }
  const size_t bracket = text.rfind(']');
  const size_t colon = text.rfind(':');
  const bool has_port = colon != absl::string_view::npos &&
                        (bracket == absl::string_view::npos || colon > bracket);
  const absl::string_view port_alone = colon == 0 ? text.substr(1) : text;
  if (IsPort(port_alone, min_port)) {
    return FaultAndForm("the host is missing",
                        absl::StrCat("127.0.0.1:", port_alone), min_port);
  }
  if (!has_port) {
    return FaultAndForm("the port is missing",
                        absl::StrCat(text, ":", kUsualPort), min_port);
  }
  if (std::string fault = BracketedHostFault(text.substr(0, colon));
      !fault.empty()) {
    return fault;
  }
  if (IsPort(text.substr(colon + 1), min_port)) return "";
  return absl::StrCat("the port must be a number, ", min_port, " to 65535");
}

std::string HostFault(absl::string_view host) {
  return IsIpv6(host) ? "" : BracketedHostFault(host);
}

absl::StatusOr<std::vector<std::string>> ParseAddresses(
    absl::string_view text, absl::string_view field) {
  if (absl::StripAsciiWhitespace(text).empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        field, ": no address is given; it must be HOST:PORT[,HOST:PORT…]"));
  }
  std::vector<std::string> addresses = absl::StrSplit(text, ',');
  for (const std::string& address : addresses) {
    const std::string fault = AddressFault(address);
    if (fault.empty()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": \"", address, "\" is not HOST:PORT: ", fault));
  }
  return addresses;
}

}  // namespace muster::client
