// Golden scripts: a text of inputs with the outputs beside them, reviewed as
// diffs (as etcd-io/raft's testdata is).
//
//   # A comment. It stays where it is.
//   write a 3            one command a line, run in order
//   deliver
//   ----
//   a->b delta aaaa 1+3  what they put out, up to the next empty line
//
// A test runs each script of a folder, and fails with what differs. To take
// the outputs as they are now, run it with MUSTER_GOLDEN_REWRITE=1 in the
// environment, and review the diff:
//
//   MUSTER_GOLDEN_REWRITE=1 ctest --test-dir build/ci -R golden
//   git diff tests/core/golden
#ifndef MUSTER_TESTS_CORE_GOLDEN_SCRIPT_H_
#define MUSTER_TESTS_CORE_GOLDEN_SCRIPT_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "node/core/frames.h"

namespace muster::core {

// What runs the commands of one script.
class ScriptWorld {
 public:
  virtual ~ScriptWorld() = default;
  // Appends lines, none of them empty. An unknown command, or one that is
  // wrongly written, is a line that says so.
  virtual void Do(const std::vector<std::string>& words,
                  std::vector<std::string>& lines) = 0;
};

// The text of the script with the outputs that its commands have now.
std::string RunScript(const std::string& script, ScriptWorld& world);
// The lines in which they differ, marked - and +, with the line number of the
// first; empty if they are equal.
std::string LineDiff(const std::string& expected, const std::string& actual);

// Registers a test for each script of a folder, named by its file.
using MakeWorld = std::function<std::unique_ptr<ScriptWorld>()>;
void RegisterScripts(const std::string& suite, const std::string& folder,
                     const MakeWorld& make);

// ---- words of commands ----
// A life named by up to four hex digits, as frames are written: "b", "bbb2".
crdt::LifeId LifeOf(const std::string& word);
// The life of the node NAME, if none is given: its letter four times.
std::string LifeWord(const std::string& name);
// "250ms", "2s"; zero if it is none.
absl::Duration TimeOf(const std::string& word);
uint64_t NumberOf(const std::string& word);
// The frame as tests/sim/frame_text.h writes it.
std::string FrameText(const Frame& frame);

}  // namespace muster::core

#endif  // MUSTER_TESTS_CORE_GOLDEN_SCRIPT_H_
