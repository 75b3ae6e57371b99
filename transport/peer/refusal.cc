#include "transport/peer/refusal.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace muster::peer {
namespace {

struct Pair {
  // The order is the same on both sides.
  const RefusalSide& first;
  const RefusalSide& second;
  // Names, or addresses where the names are the same.
  const std::string& first_name;
  const std::string& second_name;
};

Pair InOrder(const RefusalSide& one, const RefusalSide& other) {
  if (one.name == other.name) {
    const bool swap = other.address < one.address;
    const RefusalSide& first = swap ? other : one;
    const RefusalSide& second = swap ? one : other;
    return {first, second, first.address, second.address};
  }
  const bool swap = other.name < one.name;
  const RefusalSide& first = swap ? other : one;
  const RefusalSide& second = swap ? one : other;
  return {first, second, first.name, second.name};
}

}  // namespace

std::string DescribeCluster(const RefusalSide& one, const RefusalSide& other) {
  const Pair pair = InOrder(one, other);
  return absl::StrCat(pair.first_name, " is of cluster \"", pair.first.cluster,
                      "\", ", pair.second_name, " of \"", pair.second.cluster,
                      "\": start both with the same --cluster");
}

std::string DescribeProtocol(const RefusalSide& one, const RefusalSide& other) {
  const Pair pair = InOrder(one, other);
  const bool first_is_older =
      pair.first.protocol_max < pair.second.protocol_max;
  return absl::StrCat(pair.first_name, " speaks peer protocol ",
                      pair.first.protocol_min, " to ", pair.first.protocol_max,
                      ", ", pair.second_name, " ", pair.second.protocol_min,
                      " to ", pair.second.protocol_max, ": upgrade ",
                      first_is_older ? pair.first_name : pair.second_name);
}

std::string DescribeSecret(const RefusalSide& one, const RefusalSide& other) {
  const Pair pair = InOrder(one, other);
  if (pair.first.has_secret && pair.second.has_secret) {
    return absl::StrCat(pair.first_name, " and ", pair.second_name,
                        " have different --cluster-secret: start both with "
                        "the same");
  }
  const bool first_has = pair.first.has_secret;
  const std::string& with = first_has ? pair.first_name : pair.second_name;
  const std::string& without = first_has ? pair.second_name : pair.first_name;
  return absl::StrCat(without, " has no --cluster-secret, but ", with,
                      " asks for one: start ", without, " with the same");
}

bool RefusalLog::IsNews(const std::string& peer, const std::string& sentence) {
  if (said_.size() >= kMaxPeers && !said_.contains(peer)) said_.clear();
  std::string& said = said_[peer];
  if (said == sentence) return false;
  said = sentence;
  return true;
}

}  // namespace muster::peer
