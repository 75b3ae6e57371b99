// The words of a command line, guarded against CLI11. It splits a positional
// "[a,b]" into two and takes "++" for the end of a command; Muster's names must
// not have such meanings.
//
//   Guarded("[a,b]")  "[a,b]" and a zero byte, which no word of argv can hold
//   Unguarded(that)   "[a,b]"
#ifndef MUSTER_NODE_CLI_WORDS_H_
#define MUSTER_NODE_CLI_WORDS_H_

#include <string>
#include <vector>

namespace muster::cli {

// Without the name of the program. "help COMMAND" becomes "COMMAND --help".
std::vector<std::string> WordsOf(int argc, const char* const* argv);

// Takes the words of the command of `muster kv` out of `words`, so that any
// word may be an argument of it: those that are no flag of `muster kv`, and
// whatever follows "--". A flag may stand behind them, too; an unknown one only
// before.
//   kv --db 1 LRANGE l 0 -1 --at h:1   LRANGE l 0 -1
std::vector<std::string> TakeKvCommand(std::vector<std::string>& words);

std::string Guarded(std::string word);
// Takes every zero byte out of the text, which may be of several words.
std::string Unguarded(std::string text);

}  // namespace muster::cli

#endif  // MUSTER_NODE_CLI_WORDS_H_
