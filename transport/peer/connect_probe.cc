#include "transport/peer/connect_probe.h"

#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <cstddef>
#include <list>
#include <system_error>
#include <utility>

#include "transport/peer/address.h"

namespace muster::peer {
namespace {

using asio::ip::tcp;

class ConnectProbe : public std::enable_shared_from_this<ConnectProbe> {
 public:
  // The probe lives in handlers of the loop, so it must not hold the loop.
  ConnectProbe(Loop& loop, std::function<void(ConnectOutcome)> done)
      : loop_(loop), done_(std::move(done)), timer_(loop.io()) {}

  void Start(std::shared_ptr<Loop> loop, const std::string& address) {
    timer_.expires_after(kConnectProbeLimit);
    timer_.async_wait([self = shared_from_this()](const std::error_code& e) {
      if (!e) self->Finish(ConnectOutcome::kNoAnswer);
    });
    Resolve(std::move(loop), address,
            [self = shared_from_this()](Resolved resolved) {
              self->Connect(resolved);
            });
  }

 private:
  void Connect(const Resolved& resolved) {
    if (done_ == nullptr) return;
    if (!resolved.ok() || resolved->empty()) {
      return Finish(ConnectOutcome::kNoAnswer);
    }
    waiting_ = resolved->size();
    for (const tcp::endpoint& endpoint : *resolved) {
      tcp::socket& socket = sockets_.emplace_back(loop_.io());
      socket.async_connect(
          endpoint, [self = shared_from_this()](const std::error_code& error) {
            self->OnConnect(error);
          });
    }
  }

  void OnConnect(const std::error_code& error) {
    --waiting_;
    if (!error) return Finish(ConnectOutcome::kConnected);
    if (error != asio::error::connection_refused) all_refused_ = false;
    if (waiting_ > 0) return;
    Finish(all_refused_ ? ConnectOutcome::kRefused : ConnectOutcome::kNoAnswer);
  }

  void Finish(ConnectOutcome outcome) {
    if (done_ == nullptr) return;
    auto done = std::exchange(done_, nullptr);
    timer_.cancel();
    for (tcp::socket& socket : sockets_) {
      std::error_code ignored;
      socket.close(ignored);
    }
    loop_.Step([&] { done(outcome); });
  }

  Loop& loop_;
  std::function<void(ConnectOutcome)> done_;
  asio::steady_timer timer_;
  std::list<tcp::socket> sockets_;
  size_t waiting_ = 0;
  bool all_refused_ = true;
};

}  // namespace

void StartConnectProbe(std::shared_ptr<Loop> loop, const std::string& address,
                       std::function<void(ConnectOutcome)> done) {
  auto probe = std::make_shared<ConnectProbe>(*loop, std::move(done));
  probe->Start(std::move(loop), address);
}

}  // namespace muster::peer
