#include "node/cli/words.h"

#include <utility>

namespace muster::cli {

std::vector<std::string> WordsOf(int argc, const char* const* argv) {
  std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  if (words.empty() || words[0] != "help") return words;
  if (words.size() > 1 && words[1].starts_with('-')) return words;
  words.erase(words.begin());
  // Alone it is about all commands.
  words.insert(words.begin() + (words.empty() ? 0 : 1), "--help");
  return words;
}

std::string Guarded(std::string word) {
  const bool is_list =
      word.size() > 1 && word.front() == '[' && word.back() == ']';
  if (is_list || word == "++") word.push_back('\0');
  return word;
}

std::string Unguarded(std::string text) {
  std::erase(text, '\0');
  return text;
}

}  // namespace muster::cli
