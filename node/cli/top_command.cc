// top: a live view of the cluster.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "muster/v1/cluster.grpc.pb.h"
#include "muster/v1/presence.grpc.pb.h"
#include "node/cli/client_command.h"
#include "node/cli/member_text.h"
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
  explicit Sampler(const ClientCommand& command) : command_(command) {}

  absl::StatusOr<TopSample> Take() {
    TopSample sample;
    v1::MembersResponse members;
    absl::Status status = command_.connection.Call(
        &v1::Cluster::Stub::Members, v1::MembersRequest(), &members);
    if (!status.ok()) return status;
    sample.asked = command_.connection.address(command_.connection.preferred());
    // The headline says how many there are of the others.
    std::copy_if(members.members().begin(), members.members().end(),
                 std::back_inserter(sample.members), IsLiving);
    AskMembers(&sample);
    status = AskTopics(&sample);
    if (!status.ok()) return status;
    sample.at = absl::Now();
    return sample;
  }

 private:
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
      const absl::Status status = command_.connection.Call(
          &v1::Presence::Stub::Topics, request, &response);
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

  const ClientCommand& command_;
  std::map<std::string, std::unique_ptr<client::Connection>> connections_;
};

// The terminal while `top` has it: a screen of its own, without a cursor.
class Screen {
 public:
  explicit Screen(std::ostream& out)
      : out_(out), terminal_(isatty(STDOUT_FILENO) == 1) {
    if (terminal_) out_ << "\033[?1049h\033[?25l" << std::flush;
  }
  ~Screen() {
    if (terminal_) out_ << "\033[?25h\033[?1049l" << std::flush;
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  // Asked anew for each frame, so a resize needs no signal.
  ScreenSize size() const {
    winsize window{};
    if (!terminal_ || ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 ||
        window.ws_row == 0 || window.ws_col == 0) {
      return {200, 1000};
    }
    return {window.ws_col, window.ws_row};
  }

  void Show(const std::vector<std::string>& lines) {
    if (!terminal_) {
      for (const std::string& line : lines) out_ << line << '\n';
      out_ << std::flush;
      return;
    }
    out_ << "\033[H";
    for (size_t i = 0; i < lines.size(); ++i) {
      out_ << (i > 0 ? "\r\n" : "") << lines[i] << "\033[K";
    }
    out_ << "\033[J" << std::flush;
  }

 private:
  std::ostream& out_;
  const bool terminal_;
};

ExitCode ShowOnce(const ClientCommand& command) {
  const absl::StatusOr<TopSample> sample = Sampler(command).Take();
  if (!sample.ok()) return Report(sample.status(), command.err);
  for (const std::string& line : DrawTop(*sample, nullptr, {200, 1000})) {
    command.out << line << '\n';
  }
  return kDone;
}

}  // namespace

ExitCode RunTop(const ClientCommand& command) {
  if (command.line.once) return ShowOnce(command);
  absl::Notification stop;
  OnInterrupt on_interrupt(command.interrupt, [&stop] { stop.Notify(); });
  Sampler sampler(command);
  std::optional<TopSample> before;
  absl::Status failure;
  {
    std::optional<Screen> screen;
    do {
      absl::StatusOr<TopSample> sample = sampler.Take();
      if (!sample.ok()) {
        failure = sample.status();
        break;
      }
      if (!screen.has_value()) screen.emplace(command.out);
      screen->Show(DrawTop(*sample, before.has_value() ? &*before : nullptr,
                           screen->size()));
      before = *std::move(sample);
    } while (!stop.WaitForNotificationWithTimeout(kRefresh));
  }
  return Report(failure, command.err);
}

}  // namespace muster::cli
