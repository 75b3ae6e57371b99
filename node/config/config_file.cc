#include "node/config/config_file.h"

#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "node/config/config_table.h"
#include "node/config/suggestion.h"

namespace muster {
namespace {

std::string Where(absl::string_view file, const toml::source_region& source) {
  return absl::StrCat(file, ":", source.begin.line, ": ");
}

std::string ShownValue(absl::string_view key, const toml::node& node) {
  const ConfigOption* option = FindByKey(key);
  if (option != nullptr && option->secret) return "(hidden)";
  std::ostringstream out;
  node.visit([&](const auto& value) {
    if constexpr (requires { out << value; }) out << value;
  });
  return out.str();
}

// False if no option has a value of this type.
bool ToValue(const toml::node& node, ConfigValue* value) {
  if (const auto* v = node.as_boolean()) {
    *value = v->get();
  } else if (const auto* v = node.as_integer()) {
    *value = v->get();
  } else if (const auto* v = node.as_floating_point()) {
    *value = v->get();
  } else if (const auto* v = node.as_string()) {
    *value = v->get();
  } else if (const auto* v = node.as_array()) {
    std::vector<std::string> list;
    for (const toml::node& element : *v) {
      const auto* text = element.as_string();
      if (text == nullptr) return false;
      list.push_back(text->get());
    }
    *value = std::move(list);
  } else {
    return false;
  }
  return true;
}

// "; did you mean …?", or nothing.
std::string KeySuggestion(absl::string_view key) {
  std::vector<std::string> keys;
  for (const ConfigOption& option : ConfigTable()) keys.push_back(option.Key());
  return Suggestion(key, keys);
}

absl::Status ApplyKey(absl::string_view key, const toml::node& node,
                      const std::string& where, Config* config) {
  const ConfigOption* option = FindByKey(key);
  if (option == nullptr) {
    return absl::InvalidArgumentError(
        node.is_table()
            ? absl::StrCat(where, "[", key,
                           "]: unknown table; keys stand at the top level")
            : absl::StrCat(where, key, " = ", ShownValue(key, node),
                           ": unknown key", KeySuggestion(key)));
  }
  ConfigValue value;
  absl::Status status =
      ToValue(node, &value)
          ? PutValue(*option, value, config)
          // The value has no type of ours: the error names the rule alone.
          : PutValue(*option,
                     option->type == ConfigType::kBool ? ConfigValue(int64_t{0})
                                                       : ConfigValue(false),
                     config);
  if (status.ok()) return status;
  return absl::InvalidArgumentError(absl::StrCat(
      where, key, " = ", ShownValue(key, node), ": ", status.message()));
}

}  // namespace

absl::StatusOr<std::string> ReadSmallFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text(kMaxConfigFileBytes + 1, '\0');
  if (in) in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.is_open() || in.bad()) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  }
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.size() > kMaxConfigFileBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": the file is longer than ", kMaxConfigFileBytes, " bytes"));
  }
  return text;
}

absl::Status ApplyConfigText(absl::string_view text, absl::string_view name,
                             Config* config) {
  toml::table table;
  try {
    table = toml::parse(std::string_view(text.data(), text.size()));
  } catch (const toml::parse_error& error) {
    const std::string_view why = error.description();
    return absl::InvalidArgumentError(
        absl::StrCat(Where(name, error.source()),
                     absl::string_view(why.data(), why.size())));
  }
  // In the order of the file, so that the first fault is the one reported.
  std::vector<std::pair<const toml::key*, const toml::node*>> keys;
  for (const auto& [key, node] : table) keys.emplace_back(&key, &node);
  std::sort(keys.begin(), keys.end(), [](const auto& a, const auto& b) {
    return a.first->source().begin.line < b.first->source().begin.line;
  });
  for (const auto& [key, node] : keys) {
    const absl::Status status =
        ApplyKey(absl::string_view(key->str().data(), key->str().size()), *node,
                 Where(name, key->source()), config);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ApplyConfigFile(const std::string& path, Config* config) {
  const absl::StatusOr<std::string> text = ReadSmallFile(path);
  if (!text.ok()) return text.status();
  return ApplyConfigText(*text, path, config);
}

}  // namespace muster
