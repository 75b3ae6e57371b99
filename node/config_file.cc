#include "node/config_file.h"

#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "node/config_table.h"

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

// False if it is of a type that no option has.
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

size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replace, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

// "; did you mean …?", or nothing.
std::string Suggestion(absl::string_view key) {
  constexpr size_t kFar = 4;
  size_t best = kFar;
  std::string name;
  for (const ConfigOption& option : ConfigTable()) {
    const size_t distance = EditDistance(key, option.Key());
    if (distance >= best) continue;
    best = distance;
    name = option.Key();
  }
  if (name.empty()) return "";
  return absl::StrCat("; did you mean ", name, "?");
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
                           ": unknown key", Suggestion(key)));
  }
  ConfigValue value;
  absl::Status status =
      ToValue(node, &value)
          ? PutValue(*option, value, config)
          // Of no type: the rule is all that is to be said.
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
