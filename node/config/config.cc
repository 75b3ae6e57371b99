#include "node/config/config.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "node/config/config_file.h"
#include "node/config/config_table.h"

namespace muster {
namespace {

absl::Status ApplyFlag(const std::string& name, const std::string& text,
                       Config* config) {
  const ConfigOption* option = FindByName(name);
  if (option == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("--", name, ": unknown flag"));
  }
  const absl::Status status = PutText(*option, text, config);
  if (status.ok()) return status;
  return absl::InvalidArgumentError(
      absl::StrCat("--", name, " ", option->secret ? "(hidden)" : text, ": ",
                   status.message()));
}

// Replaces "@FILE" in each secret by the contents of the file.
absl::Status ResolveSecrets(Config* config) {
  for (const ConfigOption& option : ConfigTable()) {
    if (!option.secret) continue;
    const auto text = std::get<std::string>(option.get(*config));
    if (text.empty()) continue;
    absl::StatusOr<std::string> secret = ReadSecret(option.name, text);
    if (!secret.ok()) return secret.status();
    const absl::Status status = PutText(option, *secret, config);
    if (!status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          option.name, ": what is in ", text, " ", status.message()));
    }
  }
  return absl::OkStatus();
}

std::string HostName() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "";
  return name.data();
}

// Without --node the node is called as its host.
absl::Status ResolveNode(Config* config) {
  core::Options& core = config->runtime.core;
  if (!core.node.empty()) return absl::OkStatus();
  const ConfigOption& option = *FindByName("node");
  const std::string host = HostName();
  const absl::Status status = PutText(option, host, config);
  if (status.ok()) return status;
  return absl::InvalidArgumentError(
      absl::StrCat("--node is not given, and the name of this host, \"", host,
                   "\", will not do: ", status.message()));
}

}  // namespace

absl::StatusOr<std::string> ReadSecret(absl::string_view name,
                                       const std::string& text) {
  absl::string_view path = text;
  if (!absl::ConsumePrefix(&path, "@")) return text;
  const absl::StatusOr<std::string> read = ReadSmallFile(std::string(path));
  if (!read.ok()) {
    return absl::Status(read.status().code(),
                        absl::StrCat(name, ": ", read.status().message()));
  }
  std::string secret(absl::StripTrailingAsciiWhitespace(*read));
  if (!secret.empty()) return secret;
  return absl::InvalidArgumentError(
      absl::StrCat(name, ": ", path, " is empty"));
}

bool IsBearerToken(absl::string_view text) {
  constexpr size_t kMaxTokenBytes = 1024;
  return !text.empty() && text.size() <= kMaxTokenBytes &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return absl::ascii_isgraph(c); });
}

absl::StatusOr<Config> LoadConfig(const ConfigSources& sources) {
  Config config;
  if (!sources.file.empty()) {
    const absl::Status status = ApplyConfigFile(sources.file, &config);
    if (!status.ok()) return status;
  }
  for (const auto& [name, text] : sources.variables) {
    const ConfigOption& option = *FindByName(name);
    const absl::Status status = PutText(option, text, &config);
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(option.variable, ": ", status.message()));
    }
  }
  for (const auto& [name, text] : sources.flags) {
    const absl::Status status = ApplyFlag(name, text, &config);
    if (!status.ok()) return status;
  }
  if (absl::Status status = ResolveSecrets(&config); !status.ok()) {
    return status;
  }
  if (absl::Status status = ResolveNode(&config); !status.ok()) return status;
  if (absl::Status status = CheckTogether(config); !status.ok()) return status;
  return config;
}

}  // namespace muster
