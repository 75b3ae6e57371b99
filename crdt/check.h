// MUSTER_CHECK: for our own bugs, never for what a peer or a client sent.
#ifndef MUSTER_CRDT_CHECK_H_
#define MUSTER_CRDT_CHECK_H_

#include <cstdio>
#include <cstdlib>

#define MUSTER_CHECK(condition)                                             \
  do {                                                                      \
    if (!(condition)) {                                                     \
      std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, \
                   #condition);                                             \
      std::abort();                                                         \
    }                                                                       \
  } while (false)

#endif  // MUSTER_CRDT_CHECK_H_
