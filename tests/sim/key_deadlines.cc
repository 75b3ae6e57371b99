#include "tests/sim/key_deadlines.h"

#include <cstdlib>

namespace muster::sim {

void KeyDeadlines::Set(Known& known, int64_t ms, int64_t called,
                       int64_t answered) const {
  constexpr int64_t kMicroseconds = 1000;
  known.certainly = called + ms * kMicroseconds - slack_;
  known.possibly = answered + ms * kMicroseconds + slack_;
}

std::string KeyDeadlines::Answered(const std::vector<std::string>& words,
                                   const std::string& result, int64_t called,
                                   int64_t answered) {
  Known& known = keys_[words[1]];
  const std::string& name = words[0];
  const bool only_new = name == "SET" && words[3] == "NX";
  // What the result says of the key as it was.
  const bool was_there =
      only_new ? result == "_" : result == ":1" || result[0] == '$';
  const bool says = name != "SET" || only_new;
  if (says && was_there && called > known.possibly) {
    return "K9: " + words[1] + " is there " +
           std::to_string(called - known.possibly) +
           " us after it was due: " + name + " => " + result;
  }
  // PERSIST answers 0 also where there is no deadline.
  if (says && !was_there && name != "PERSIST" && answered < known.certainly) {
    return "K9: " + words[1] + " is gone " +
           std::to_string(known.certainly - answered) +
           " us before it is due: " + name + " => " + result;
  }
  if (name == "SET" && result == "+OK") {
    Set(known, std::atoll(words.back().c_str()), called, answered);
  } else if (name == "PEXPIRE" && was_there) {
    Set(known, std::atoll(words[2].c_str()), called, answered);
  } else if (name == "PERSIST" && was_there) {
    known = {kForever, kForever};
  }
  return "";
}

}  // namespace muster::sim
