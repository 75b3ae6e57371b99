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

std::vector<std::string> TakeKvCommand(std::vector<std::string>& words) {
  std::vector<std::string> command;
  if (words.empty() || words[0] != "kv") return command;
  std::vector<std::string> own = {words[0]};
  size_t i = 1;
  for (; i < words.size() && words[i] != "--"; ++i) {
    const std::string& word = words[i];
    const bool has_value = word == "--at" || word == "--db";
    const bool is_flag = has_value || word == "--leader" || word == "--json" ||
                         word == "--atomic" || word.starts_with("--at=") ||
                         word.starts_with("--db=");
    const bool may_be_flag = command.empty() && word.starts_with("-");
    (is_flag || may_be_flag ? own : command).push_back(word);
    if (has_value && i + 1 < words.size()) own.push_back(words[++i]);
  }
  for (++i; i < words.size(); ++i) command.push_back(words[i]);
  words = std::move(own);
  return command;
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
