#include "node/listener/connections.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "transport/peer/address.h"

namespace muster {
namespace {

// A look at n connections takes about n * 0.5 us.
constexpr std::chrono::microseconds kSweepShare{10};

std::optional<ino_t> InodeOf(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0) return std::nullopt;
  return info.st_ino;
}

}  // namespace

std::vector<std::pair<std::string, uint64_t>> ConnectionCounters::All() const {
  return {{"connections_accepted", accepted},
          {"connections_guests", guests},
          {"connections_guests_closed", guests_closed},
          {"connections_guests_refused_calls", calls_refused},
          {"connections_open_clients", open_clients},
          {"connections_open_guests", open_guests},
          {"connections_open_peers", open_peers},
          {"connections_peers", peers},
          {"connections_refused", refused()},
          {"connections_refused_full", refused_full},
          {"connections_refused_told", refused_told}};
}

Connections::Connections(Limits limits) : limits_(std::move(limits)) {}

Connections::~Connections() {
  for (const Guest& guest : guests_) close(guest.fd);
}

Connections::Place Connections::Admit(int fd, const Endpoint& remote,
                                      Clock::time_point now) {
  // An earlier connection with this number is closed by now.
  if (auto before = handed_.find(fd); before != handed_.end()) Erase(before);
  const Endpoint from = Plain(remote);
  Place place = Place::kClosed;
  if (HasRoom(now)) {
    AddClient(fd, from);
    place = Place::kClient;
    ++counters_.accepted;
  } else if (TurnAway(from.address(), now)) {
    ++counters_.refused_told;
  } else if (HasRoomForGuest(from.address()) && AddGuest(fd, from, now)) {
    place = Place::kGuest;
    ++counters_.guests;
  } else {
    ++counters_.refused_full;
  }
  Count();
  return place;
}

bool Connections::HasRoom(Clock::time_point now) {
  if (handed_.size() - peers_handed_ < limits_.clients) return true;
  if (now < next_sweep_) return false;
  next_sweep_ = now + kSweepShare * handed_.size();
  Sweep();
  return handed_.size() - peers_handed_ < limits_.clients;
}

void Connections::Sweep() {
  for (auto it = handed_.begin(); it != handed_.end();) {
    const auto here = it++;
    if (InodeOf(here->first) != here->second.inode) Erase(here);
  }
}

void Connections::AddClient(int fd, const Endpoint& remote) {
  const std::optional<ino_t> inode = InodeOf(fd);
  if (!inode) return;
  handed_[fd] = {*inode, remote, false};
  by_remote_[remote] = fd;
}

void Connections::Erase(std::map<int, Handed>::iterator it) {
  const auto name = by_remote_.find(it->second.remote);
  if (name != by_remote_.end() && name->second == it->first) {
    by_remote_.erase(name);
  }
  if (it->second.peer) --peers_handed_;
  handed_.erase(it);
}

// ------------------------------------------------------------------- guests

bool Connections::HasRoomForGuest(const asio::ip::address& host) {
  const auto is_guest = [](const Guest& guest) { return !guest.peer; };
  const auto room = [&](size_t limit) {
    return static_cast<size_t>(
               std::count_if(guests_.begin(), guests_.end(), is_guest)) < limit;
  };
  if (room(limits_.guests)) return true;
  DropClosedGuests();
  if (room(limits_.guests)) return true;
  return limits_.has_peers && limits_.has_peers(host) &&
         room(limits_.guests + limits_.peer_guests);
}

bool Connections::AddGuest(int fd, const Endpoint& remote,
                           Clock::time_point now) {
  const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return false;
  guests_.push_back({own, remote, now + kGuestTime});
  return true;
}

void Connections::DropClosedGuests() {
  std::erase_if(guests_, [](const Guest& guest) {
    // Both sides have ended the connection.
    pollfd state{guest.fd, 0, 0};
    if (poll(&state, 1, 0) <= 0 || state.revents == 0) return false;
    close(guest.fd);
    return true;
  });
}

std::optional<Connections::Clock::time_point> Connections::CloseOverdue(
    Clock::time_point now) {
  DropClosedGuests();
  std::optional<Clock::time_point> next;
  std::erase_if(guests_, [&](const Guest& guest) {
    if (guest.peer) return false;
    if (guest.until > now) {
      next = next ? std::min(*next, guest.until) : guest.until;
      return false;
    }
    shutdown(guest.fd, SHUT_RDWR);
    close(guest.fd);
    ++counters_.guests_closed;
    if (guest.told) Owe(guest.remote.address(), now);
    return true;
  });
  Count();
  return next;
}

void Connections::Told(const Endpoint& remote) {
  ++counters_.calls_refused;
  for (Guest& guest : guests_) guest.told |= guest.remote == remote;
}

void Connections::Owe(const asio::ip::address& host, Clock::time_point now) {
  if (hosts_.size() >= kMaxHosts && !hosts_.contains(host)) {
    std::erase_if(hosts_,
                  [now](const auto& item) { return item.second.until <= now; });
    if (hosts_.size() >= kMaxHosts) return;
  }
  Host& told = hosts_[host];
  if (told.until <= now) told.owed = 0;
  ++told.owed;
  told.until = now + kToldTime;
}

bool Connections::TurnAway(const asio::ip::address& host,
                           Clock::time_point now) {
  const auto told = hosts_.find(host);
  if (told == hosts_.end()) return false;
  const bool owed = told->second.until > now;
  if (!owed || --told->second.owed == 0) hosts_.erase(told);
  return owed;
}

// -------------------------------------------------------------------- peers

void Connections::SetPeer(const Endpoint& remote, bool peer,
                          Clock::time_point now) {
  if (peer) ++counters_.peers;
  if (auto name = by_remote_.find(remote); name != by_remote_.end()) {
    Handed& handed = handed_.at(name->second);
    peers_handed_ = peers_handed_ - handed.peer + peer;
    handed.peer = peer;
  }
  for (Guest& guest : guests_) {
    if (guest.remote != remote) continue;
    guest.peer = peer;
    if (!peer) guest.until = now + kGuestTime;
  }
  Count();
}

void Connections::Count() {
  const auto guest_peers = static_cast<size_t>(
      std::count_if(guests_.begin(), guests_.end(),
                    [](const Guest& guest) { return guest.peer; }));
  counters_.open_clients = handed_.size() - peers_handed_;
  counters_.open_guests = guests_.size() - guest_peers;
  counters_.open_peers = peers_handed_ + guest_peers;
}

// ---------------------------------------------------------------- endpoints

asio::ip::tcp::endpoint Plain(const asio::ip::tcp::endpoint& endpoint) {
  const asio::ip::address& address = endpoint.address();
  if (address.is_v4()) return endpoint;
  const asio::ip::address_v6 v6 = address.to_v6();
  if (v6.is_v4_mapped()) {
    return {asio::ip::make_address_v4(asio::ip::v4_mapped, v6),
            endpoint.port()};
  }
  return {asio::ip::address_v6(v6.to_bytes()), endpoint.port()};
}

asio::ip::tcp::endpoint PlainEndpoint(const std::string& remote) {
  std::string text = remote;
  const size_t scope = text.find('%');
  const size_t end = text.find(']');
  if (scope != std::string::npos && end != std::string::npos && scope < end) {
    text.erase(scope, end - scope);
  }
  const auto found = peer::NumericEndpoint(text);
  return found.empty() ? asio::ip::tcp::endpoint() : Plain(found[0]);
}

}  // namespace muster
