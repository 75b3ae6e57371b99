// Who answers the cases: a keyspace in this process, or a real Redis.
#ifndef MUSTER_TESTS_COMMANDS_SIDE_H_
#define MUSTER_TESTS_COMMANDS_SIDE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace muster::commands {

class Side {
 public:
  static constexpr size_t kConnections = 2;

  Side() = default;
  virtual ~Side() = default;
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

  // No keys; new connections, at database 0.
  virtual void Reset() = 0;
  // The answer, as redis-cli prints it.
  virtual std::string Run(size_t connection,
                          const std::vector<std::string>& args) = 0;
  // Goes on when so much time has passed.
  virtual void Later(uint64_t ms) = 0;
  // What is wrong beside the answers, or "".
  virtual std::string Audit() { return ""; }
};

}  // namespace muster::commands

#endif  // MUSTER_TESTS_COMMANDS_SIDE_H_
