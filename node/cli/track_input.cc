#include "node/cli/track_input.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "node/cli/text.h"

namespace muster::cli {
namespace {

using client::HeldEntry;

// Limits of a session. A resume names all its entries in one message, which
// must stay well below --max-message-bytes (4 MiB unless set).
constexpr size_t kEntriesPerSession = 10'000;
constexpr size_t kResumeBytes = 1 << 20;
// Bytes of an entry's ref, lengths and tags.
constexpr size_t kEntryBytes = 45;
constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

absl::StatusOr<std::vector<HeldEntry>> ReadEntries(std::istream& in) {
  std::vector<HeldEntry> entries;
  std::string line;
  for (size_t number = 1; std::getline(in, line); ++number) {
    if (number == 1 && absl::StartsWith(line, kByteOrderMark)) {
      line.erase(0, kByteOrderMark.size());
    }
    if (absl::EndsWith(line, "\r")) line.pop_back();
    if (line.empty()) continue;
    const size_t tab = line.find('\t');
    if (tab == std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("standard input, line ", number,
                       ": no tab; a line is topic<TAB>key<TAB>meta"));
    }
    const size_t second = line.find('\t', tab + 1);
    HeldEntry entry;
    entry.id = number;
    entry.topic = line.substr(0, tab);
    entry.key =
        line.substr(tab + 1, second == std::string::npos ? std::string::npos
                                                         : second - tab - 1);
    if (second != std::string::npos) entry.meta = line.substr(second + 1);
    entries.push_back(std::move(entry));
  }
  return entries;
}

bool IsJson(absl::string_view meta) {
  google::protobuf::Value value;
  return google::protobuf::util::JsonStringToMessage({meta.data(), meta.size()},
                                                     &value)
      .ok();
}

std::vector<std::vector<HeldEntry>> SplitBySession(
    std::vector<HeldEntry> entries) {
  std::vector<std::vector<HeldEntry>> sessions;
  size_t bytes = 0;
  for (HeldEntry& entry : entries) {
    const size_t more = entry.topic.size() + entry.key.size() + kEntryBytes;
    bytes += more;
    if (sessions.empty() || bytes > kResumeBytes ||
        sessions.back().size() == kEntriesPerSession) {
      sessions.emplace_back();
      bytes = more;
    }
    sessions.back().push_back(std::move(entry));
  }
  return sessions;
}

std::string RefusalText(const HeldEntry& entry, const absl::Status& status) {
  const std::string line =
      entry.id == 0 ? ""
                    : absl::StrCat("standard input, line ", entry.id, ": ");
  const std::string reason = absl::IsAlreadyExists(status)
                                 ? "an earlier line has the same topic and key"
                                 : std::string(status.message());
  return absl::StrCat(line, Printable(entry.topic), "  ", Printable(entry.key),
                      ": ", reason);
}

}  // namespace muster::cli
