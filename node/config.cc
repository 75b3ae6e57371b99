#include "node/config.h"

#include <unistd.h>

#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "node/config_file.h"
#include "node/config_table.h"

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
  const bool secret = option->name == "cluster-secret";
  return absl::InvalidArgumentError(absl::StrCat(
      "--", name, " ", secret ? "(hidden)" : text, ": ", status.message()));
}

// "@FILE" stands for what is in the file, without white space at its end.
absl::Status ResolveSecret(std::string* secret) {
  absl::string_view path = *secret;
  if (!absl::ConsumePrefix(&path, "@")) return absl::OkStatus();
  const absl::StatusOr<std::string> text = ReadSmallFile(std::string(path));
  if (!text.ok()) {
    return absl::Status(
        text.status().code(),
        absl::StrCat("cluster-secret: ", text.status().message()));
  }
  *secret = std::string(absl::StripTrailingAsciiWhitespace(*text));
  if (secret->empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("cluster-secret: ", path, " is empty"));
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

absl::StatusOr<Config> LoadConfig(const ConfigSources& sources) {
  Config config;
  if (!sources.file.empty()) {
    const absl::Status status = ApplyConfigFile(sources.file, &config);
    if (!status.ok()) return status;
  }
  if (!sources.secret_variable.empty()) {
    const absl::Status status = PutText(*FindByName("cluster-secret"),
                                        sources.secret_variable, &config);
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(kSecretVariable, ": ", status.message()));
    }
  }
  for (const auto& [name, text] : sources.flags) {
    const absl::Status status = ApplyFlag(name, text, &config);
    if (!status.ok()) return status;
  }
  if (absl::Status status = ResolveSecret(&config.runtime.cluster_secret);
      !status.ok()) {
    return status;
  }
  if (absl::Status status = ResolveNode(&config); !status.ok()) return status;
  if (absl::Status status = CheckTogether(config); !status.ok()) return status;
  return config;
}

}  // namespace muster
