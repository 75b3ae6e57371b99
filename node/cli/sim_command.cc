#include "node/cli/sim_command.h"

#include <unistd.h>

#include <filesystem>
#include <system_error>

namespace muster::cli {

ExitCode RunSim(const std::vector<std::string>& args, std::ostream& err) {
  std::error_code error;
  const std::filesystem::path self =
      std::filesystem::read_symlink("/proc/self/exe", error);
  std::vector<std::string> words = {"muster-sim"};
  words.insert(words.end(), args.begin(), args.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const std::filesystem::path here = self.parent_path();
  for (const auto& place :
       {here / "muster-sim", here.parent_path() / "tests/sim/muster-sim"}) {
    execv(place.c_str(), argv.data());
  }
  err << "muster: sim: there is no muster-sim beside " << self.string()
      << "; it is built and installed with the tests (MUSTER_TESTS=ON)\n";
  return kAnswerIsNo;
}

}  // namespace muster::cli
