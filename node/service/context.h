// The context that all parts of the services share.
#ifndef MUSTER_NODE_SERVICE_CONTEXT_H_
#define MUSTER_NODE_SERVICE_CONTEXT_H_

#include <string>

#include "node/runtime/core_port.h"
#include "node/service/admin.h"
#include "node/service/limits.h"
#include "node/service/offload.h"

namespace muster::service {

class Sink;

struct Context {
  std::string node;     // This node's name.
  std::string cluster;  // Its cluster's.
  std::string version;  // Of the software.
  Limits limits;
  CorePort& core;
  Offload& offload;
  Sink& sink;
  AdminPolicy admin{""};
};

}  // namespace muster::service

#endif  // MUSTER_NODE_SERVICE_CONTEXT_H_
