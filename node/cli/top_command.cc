// top: a live view of the cluster.
#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "muster/v1/cluster.grpc.pb.h"
#include "muster/v1/presence.grpc.pb.h"
#include "node/cli/client_command.h"
#include "node/cli/member_text.h"
#include "node/cli/screen.h"
#include "node/cli/text.h"
#include "node/cli/top_view.h"
#include "node/mutex.h"

namespace muster::cli {
namespace {

constexpr absl::Duration kRefresh = absl::Seconds(1);
constexpr int kTopicPages = 10;
// Members asked for their status; one thread each.
constexpr size_t kMembersAsked = 32;

// Asks the nodes; keeps a connection to each.
class Sampler {
 public:
  explicit Sampler(const ClientCommand& command)
      : connection_(&command.connection),
        quick_(QuickOptions(command.connection)) {}

  absl::StatusOr<TopSample> Take() {
    TopSample sample;
    v1::MembersResponse members;
    absl::Status status = connection_->Call(&v1::Cluster::Stub::Members,
                                            v1::MembersRequest(), &members);
    if (!status.ok()) return status;
    sample.asked = connection_->address(connection_->preferred());
    // The headline counts the other members.
    std::copy_if(members.members().begin(), members.members().end(),
                 std::back_inserter(sample.members), IsLiving);
    AskMembers(&sample);
    status = AskTopics(&sample);
    if (!status.ok()) return status;
    sample.at = absl::Now();
    quick_.Prefer(connection_->preferred());
    connection_ = &quick_;
    return sample;
  }

 private:
  // Once `top` has begun, a key is answered soon.
  static client::ConnectionOptions QuickOptions(
      const client::Connection& connection) {
    client::ConnectionOptions options = connection.options();
    options.call_timeout = absl::Seconds(2);
    options.patience = absl::ZeroDuration();
    return options;
  }

  void AskMembers(TopSample* sample) {
    Mutex mutex;
    std::vector<std::thread> threads;
    for (const v1::Member& member : sample->members) {
      if (threads.size() == kMembersAsked) break;
      client::Connection* connection = ConnectionTo(member.address());
      threads.emplace_back([connection, &mutex, sample] {
        v1::StatusResponse response;
        if (!connection
                 ->Call(&v1::Cluster::Stub::Status, v1::StatusRequest(),
                        &response)
                 .ok()) {
          return;
        }
        MutexLock lock(mutex);
        sample->statuses[connection->address(0)] = std::move(response);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  absl::Status AskTopics(TopSample* sample) {
    v1::TopicsRequest request;
    for (int page = 0; page < kTopicPages; ++page) {
      v1::TopicsResponse response;
      const absl::Status status =
          connection_->Call(&v1::Presence::Stub::Topics, request, &response);
      if (!status.ok()) return status;
      sample->topics.insert(sample->topics.end(), response.topics().begin(),
                            response.topics().end());
      sample->more_topics = !response.next_page_token().empty();
      if (!sample->more_topics) break;
      request.set_page_token(response.next_page_token());
    }
    return absl::OkStatus();
  }

  client::Connection* ConnectionTo(const std::string& address) {
    std::unique_ptr<client::Connection>& connection = connections_[address];
    if (connection == nullptr) {
      client::ConnectionOptions options;
      options.addresses = {address};
      options.connect_timeout = absl::Milliseconds(300);
      options.call_timeout = absl::Milliseconds(500);
      options.patience = absl::ZeroDuration();
      connection = std::make_unique<client::Connection>(std::move(options));
    }
    return connection.get();
  }

  client::Connection* connection_;
  client::Connection quick_;
  std::map<std::string, std::unique_ptr<client::Connection>> connections_;
};

ExitCode ShowOnce(const ClientCommand& command) {
  const absl::StatusOr<TopSample> sample = Sampler(command).Take();
  if (!sample.ok()) return Report(sample.status(), command.err);
  for (const std::string& line : DrawTop(*sample, nullptr, {200, 1000})) {
    command.out << line << '\n';
  }
  return kDone;
}

// The contents of the screen, sample by sample, and while no node answers.
class View {
 public:
  explicit View(const ClientCommand& command) : command_(command) {}

  bool has_begun() const { return screen_.has_value(); }

  void Show(TopSample sample) {
    if (!screen_.has_value()) screen_.emplace(command_.out);
    if (lost_at_.has_value() && !screen_->is_terminal()) {
      command_.err << "muster: connected again, to " << sample.asked
                   << std::endl;
    }
    lost_at_.reset();
    lines_ = DrawTop(sample, before_.has_value() ? &*before_ : nullptr,
                     screen_->size());
    screen_->Show(lines_);
    before_ = std::move(sample);
  }

  // Keeps the last sample on the screen, under the error. False: time to give
  // up.
  bool ShowLost(const absl::Status& why) {
    const bool is_new = !lost_at_.has_value();
    if (is_new) lost_at_ = absl::Now();
    const absl::Duration lost_for = absl::Now() - *lost_at_;
    if (lost_for >= GiveUp(command_.line)) return false;
    if (!screen_->is_terminal()) {
      if (is_new) {
        command_.err << "muster: " << why.message() << "; looking for a node"
                     << std::endl;
      }
      return true;
    }
    lines_[0] =
        Clip(Printable(absl::StrCat("muster top  no node for ",
                                    ShortTime(static_cast<uint64_t>(
                                        absl::ToInt64Milliseconds(lost_for))),
                                    ", looking for one: ", why.message())),
             screen_->size().columns);
    screen_->Show(lines_);
    return true;
  }

 private:
  const ClientCommand& command_;
  std::optional<Screen> screen_;
  std::optional<TopSample> before_;
  std::vector<std::string> lines_;
  std::optional<absl::Time> lost_at_;
};

}  // namespace

ExitCode RunTop(const ClientCommand& command) {
  if (command.line.once) return ShowOnce(command);
  Quit quit(command.interrupt);
  Sampler sampler(command);
  absl::Status failure;
  {
    View view(command);
    do {
      absl::StatusOr<TopSample> sample = sampler.Take();
      if (sample.ok()) {
        view.Show(*std::move(sample));
        continue;
      }
      const bool may_come_back =
          view.has_begun() && ExitCodeOf(sample.status()) == kUnreachable;
      if (!may_come_back || !view.ShowLost(sample.status())) {
        failure = sample.status();
        break;
      }
    } while (!quit.Wait(kRefresh));
  }
  return Report(failure, command.err);
}

}  // namespace muster::cli
