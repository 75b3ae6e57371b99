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

std::string Guarded(std::string word);
// Takes every zero byte out of the text, which may be of several words.
std::string Unguarded(std::string text);

}  // namespace muster::cli

#endif  // MUSTER_NODE_CLI_WORDS_H_
