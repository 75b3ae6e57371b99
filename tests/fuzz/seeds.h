// Inputs for fuzz targets to begin with.
#ifndef MUSTER_TESTS_FUZZ_SEEDS_H_
#define MUSTER_TESTS_FUZZ_SEEDS_H_

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace muster::fuzz {

// By target.
using Seeds = std::map<std::string, std::vector<std::string>>;

void AddPeerSeeds(Seeds& seeds);
void AddClientSeeds(Seeds& seeds);
void AddKeyspaceSeeds(Seeds& seeds);
void AddKvSeeds(Seeds& seeds);
void AddReplicaSeeds(Seeds& seeds);

// As ByteSource::Text reads it.
inline std::string WithLength(absl::string_view text) {
  std::string bytes;
  bytes.push_back(static_cast<char>(text.size() & 0xff));
  bytes.push_back(static_cast<char>(text.size() >> 8));
  bytes.append(text.data(), text.size());
  return bytes;
}

}  // namespace muster::fuzz

#endif  // MUSTER_TESTS_FUZZ_SEEDS_H_
