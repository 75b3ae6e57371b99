#include "node/cli/top_view.h"

#include <algorithm>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "node/cli/member_text.h"
#include "node/cli/text.h"

namespace muster::cli {
namespace {

using Align = TextTable::Align;

constexpr char kOpen[] = "-";

const v1::StatusResponse* StatusOf(const TopSample& sample,
                                   const std::string& address) {
  const auto found = sample.statuses.find(address);
  return found == sample.statuses.end() ? nullptr : &found->second;
}

using StreamId = std::pair<std::string, std::string>;  // Life and kind.
using Positions = std::map<StreamId, uint64_t>;

// The highest seq of each stream that anyone has applied.
Positions Ends(const TopSample& sample) {
  Positions ends;
  for (const auto& [address, status] : sample.statuses) {
    for (const v1::StreamStatus& stream : status.streams()) {
      uint64_t& end = ends[{stream.life_id(), stream.kind()}];
      end = std::max(end, stream.seq());
    }
  }
  return ends;
}

uint64_t Behind(const v1::StatusResponse& status, const Positions& ends) {
  Positions applied;
  for (const v1::StreamStatus& stream : status.streams()) {
    applied[{stream.life_id(), stream.kind()}] = stream.seq();
  }
  uint64_t behind = 0;
  for (const auto& [id, end] : ends) {
    const auto found = applied.find(id);
    behind += end - (found == applied.end() ? 0 : found->second);
  }
  return behind;
}

std::string RateText(double change, absl::Duration time) {
  const double seconds = absl::ToDoubleSeconds(time);
  if (seconds <= 0) return kOpen;
  const double rate = change / seconds;
  const int decimals = rate < 10 && rate > -10 && rate != 0 ? 1 : 0;
  return absl::StrFormat("%.*f", decimals, rate);
}

// Changes a second that the node makes, by the positions of its stream.
std::string ChangesText(const v1::Member& member, const TopSample& now,
                        const TopSample* before) {
  if (before == nullptr) return kOpen;
  for (const v1::Member& old : before->members) {
    if (old.life_id() != member.life_id()) continue;
    return RateText(static_cast<double>(member.presence_seq()) -
                        static_cast<double>(old.presence_seq()),
                    now.at - before->at);
  }
  return kOpen;
}

std::vector<std::string> MemberRow(const v1::Member& member,
                                   const TopSample& now,
                                   const TopSample* before,
                                   const Positions& ends) {
  std::vector<std::string> row = {
      member.node(), StateText(member.state()), absl::StrCat(member.entries()),
      ChangesText(member, now, before),
      member.self() ? kOpen : ShortTime(member.last_heartbeat_age_ms())};
  const v1::StatusResponse* status = StatusOf(now, member.address());
  if (status == nullptr) {
    row.insert(row.end(), 5, kOpen);
    row.push_back(
        RoleText(member.keyspace_role(), member.keyspace_exchanging()));
  } else {
    row.push_back(absl::StrCat(Behind(*status, ends)));
    row.push_back(absl::StrCat(status->sessions()));
    row.push_back(absl::StrCat(status->watchers()));
    row.push_back(absl::StrFormat("%.1f ms", status->loop_lag_us() / 1000.0));
    row.push_back(ShortBytes(status->rss_bytes()));
    row.push_back(
        RoleText(status->keyspace().role(), status->keyspace().exchanging()));
  }
  row.push_back(member.address());
  return row;
}

TextTable MemberTable(const TopSample& now, const TopSample* before) {
  TextTable table({Align::kLeft, Align::kLeft, Align::kRight, Align::kRight,
                   Align::kRight, Align::kRight, Align::kRight, Align::kRight,
                   Align::kRight, Align::kRight, Align::kLeft, Align::kLeft});
  table.AddRow({"NODE", "STATE", "ENTRIES", "CHANGES/S", "BEAT", "BEHIND",
                "SESSIONS", "WATCHERS", "LOOP", "MEMORY", "KEYS", "ADDRESS"});
  const Positions ends = Ends(now);
  for (const v1::Member& member : now.members) {
    table.AddRow(MemberRow(member, now, before, ends));
  }
  return table;
}

std::string GrowthText(const v1::TopicCount& topic, const TopSample& now,
                       const TopSample* before) {
  if (before == nullptr) return kOpen;
  const auto old =
      std::lower_bound(before->topics.begin(), before->topics.end(), topic,
                       [](const v1::TopicCount& a, const v1::TopicCount& b) {
                         return a.topic() < b.topic();
                       });
  const bool known =
      old != before->topics.end() && old->topic() == topic.topic();
  return RateText(static_cast<double>(topic.entries()) -
                      (known ? static_cast<double>(old->entries()) : 0),
                  now.at - before->at);
}

// Above the rows, where every screen shows it.
std::string TopicsTitle(const TopSample& now) {
  const std::string title = "BUSIEST TOPICS";
  if (!now.more_topics) return title;
  return absl::StrCat(title, " of the first ", now.topics.size(),
                      " in byte order: there are more");
}

TextTable TopicTable(const TopSample& now, const TopSample* before) {
  std::vector<const v1::TopicCount*> busiest;
  for (const v1::TopicCount& topic : now.topics) busiest.push_back(&topic);
  std::stable_sort(busiest.begin(), busiest.end(),
                   [](const v1::TopicCount* a, const v1::TopicCount* b) {
                     return a->entries() > b->entries();
                   });
  constexpr size_t kShown = 200;  // More than any screen has rows.
  if (busiest.size() > kShown) busiest.resize(kShown);
  TextTable table({Align::kRight, Align::kRight, Align::kRight, Align::kLeft});
  table.AddRow({"ENTRIES", "KEYS", "GROWTH/S", TopicsTitle(now)});
  for (const v1::TopicCount* topic : busiest) {
    table.AddRow({absl::StrCat(topic->entries()), absl::StrCat(topic->keys()),
                  GrowthText(*topic, now, before), topic->topic()});
  }
  return table;
}

std::string Headline(const TopSample& now) {
  std::string line =
      absl::StrCat("muster top  ",
                   absl::FormatTime("%H:%M:%S", now.at, absl::LocalTimeZone()));
  const v1::StatusResponse* status = nullptr;
  for (const v1::Member& member : now.members) {
    if (member.self()) status = StatusOf(now, member.address());
  }
  if (status == nullptr) return absl::StrCat(line, "  as seen at ", now.asked);
  line = absl::StrCat(line, "  cluster ", status->cluster(), " as ",
                      status->node(), " sees it: ", status->entries(),
                      " entries, ", status->keys(), " keys, ", status->topics(),
                      " topics");
  // An older node leaves the field out.
  const std::string states = StatesText(*status);
  return states.empty() ? line : absl::StrCat(line, "; members: ", states);
}

void Append(const TextTable& table, std::vector<std::string>* lines) {
  std::ostringstream text;
  table.Print(text);
  for (absl::string_view line :
       absl::StrSplit(text.str(), '\n', absl::SkipEmpty())) {
    lines->emplace_back(line);
  }
}

}  // namespace

std::vector<std::string> DrawTop(const TopSample& now, const TopSample* before,
                                 ScreenSize size) {
  std::vector<std::string> lines = {Printable(Headline(now)), ""};
  Append(MemberTable(now, before), &lines);
  lines.emplace_back();
  Append(TopicTable(now, before), &lines);
  if (lines.size() > size.rows) lines.resize(size.rows);
  for (std::string& line : lines) line = Clip(line, size.columns);
  return lines;
}

}  // namespace muster::cli
