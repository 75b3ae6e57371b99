// Anything that peers and clients may say to a replica, in any order.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/byte_source.h"
#include "tests/fuzz/replica_driver.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  google::protobuf::SetLogHandler(nullptr);
  muster::fuzz::ByteSource source(data, size);
  muster::fuzz::ReplicaDriver driver;
  while (!source.empty() && driver.Step(source)) {
  }
  driver.Finish();
  return 0;
}
