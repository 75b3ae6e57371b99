// muster-judge: judges recorded histories. See tests/sim/linearizability.h for
// what is judged, and for the form of a line.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "tests/sim/linearizability.h"

namespace muster::sim {
namespace {

constexpr char kUsage[] =
    R"(Says whether histories are linearizable, key by key.

  muster-judge FILE…     each file is a history; - is the standard input

A line of a history is: client called answered COMMAND key argument… => result
  3 1200 1450 RPUSH q v17 => :2
  4 1300 - LPOP q => ?                 its outcome is unknown
Prints OK, or the key and the operations up to the first answer that no order
explains. Exit codes: 0 all are linearizable, 1 one is not, 2 bad usage or
input.
)";

bool ReadAll(const std::string& file, std::string& text) {
  std::ostringstream all;
  if (file == "-") {
    all << std::cin.rdbuf();
  } else {
    std::ifstream from(file);
    if (!from) return false;
    all << from.rdbuf();
  }
  text = all.str();
  return true;
}

// The exit code of one file.
int JudgeFile(const std::string& file) {
  std::string text;
  if (!ReadAll(file, text)) {
    std::fprintf(stderr, "muster-judge: %s: cannot be read\n", file.c_str());
    return 2;
  }
  History history;
  const std::string wrong = ReadHistory(text, history);
  if (!wrong.empty()) {
    std::fprintf(stderr, "muster-judge: %s: %s\n", file.c_str(), wrong.c_str());
    return 2;
  }
  const Verdict verdict = Judge(history);
  std::printf("%s: %s (%zu operations)\n", file.c_str(),
              ToText(verdict).c_str(), history.size());
  return verdict.ok() ? 0 : 1;
}

int Main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  int code = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string file = argv[i];
    if (file == "--help" || file == "-h") {
      std::fputs(kUsage, stdout);
      return 0;
    }
    code = std::max(code, JudgeFile(file));
  }
  return code;
}

}  // namespace
}  // namespace muster::sim

int main(int argc, char** argv) { return muster::sim::Main(argc, argv); }
