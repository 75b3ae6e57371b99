#include "bench/attacks.h"

#include <arpa/inet.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "bench/sessions_stream.h"
#include "muster/v1/peer.grpc.pb.h"
#include "node/codec/peer_proof.h"

namespace muster::bench {
namespace {

using namespace std::chrono_literals;

constexpr char kCluster[] = "muster";
// Connections opened before pausing, so that others are accepted, too.
constexpr size_t kBurst = 50;

sockaddr_in Parse(const std::string& address) {
  const size_t colon = address.rfind(':');
  uint32_t port = 0;
  sockaddr_in to{};
  to.sin_family = AF_INET;
  if (colon == std::string::npos ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) ||
      inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr) != 1) {
    Die(absl::StrCat("not an address: ", address));
  }
  to.sin_port = htons(static_cast<uint16_t>(port));
  return to;
}

int ConnectSocket(const std::string& address) {
  const sockaddr_in to = Parse(address);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) Die("no more sockets; raise `ulimit -n`");
  if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

// The client's preface and empty SETTINGS.
std::string Preface() {
  return std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") +
         std::string("\0\0\0\4\0\0\0\0\0", 9);
}

// A header as HPACK writes one that is in no table.
void AppendHeader(absl::string_view name, absl::string_view value,
                  std::string& out) {
  out.push_back('\0');
  for (const absl::string_view text : {name, value}) {
    out.push_back(static_cast<char>(text.size()));
    out.append(text.data(), text.size());
  }
}

std::string FrameHead(size_t size, char type, char flags) {
  std::string head;
  for (const int shift : {16, 8, 0}) {
    head.push_back(static_cast<char>(size >> shift));
  }
  head += {type, flags, 0, 0, 0, 1};  // Stream 1.
  return head;
}

// Begins a Session call, and a message of 1,000 bytes in it.
std::string BeginCall() {
  std::string headers;
  AppendHeader(":method", "POST", headers);
  AppendHeader(":scheme", "http", headers);
  AppendHeader(":path", "/muster.v1.Presence/Session", headers);
  AppendHeader(":authority", "localhost", headers);
  AppendHeader("te", "trailers", headers);
  AppendHeader("content-type", "application/grpc", headers);
  constexpr size_t kMessage = 1000;
  std::string data = FrameHead(5 + kMessage, 0, 0);
  data += {0, 0, 0, kMessage >> 8, static_cast<char>(kMessage & 0xff)};
  return FrameHead(headers.size(), 1, 4) + headers + data;
}

bool SendAll(int fd, absl::string_view bytes) {
  return send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
         static_cast<ssize_t>(bytes.size());
}

void CloseAll(std::vector<int>& sockets) {
  for (const int fd : sockets) close(fd);
  sockets.clear();
}

}  // namespace

void RaiseFileLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// --------------------------------------------------------------------- idle

IdleConnections::IdleConnections(const std::string& address, size_t count)
    : thread_([this, address, count] { Run(address, count); }) {}

IdleConnections::~IdleConnections() {
  stop_ = true;
  thread_.join();
  CloseAll(sockets_);
}

void IdleConnections::Run(const std::string& address, size_t count) {
  const std::string hello = Preface();
  while (!stop_ && sockets_.size() < count) {
    const int fd = ConnectSocket(address);
    if (fd < 0) continue;
    sockets_.push_back(fd);
    SendAll(fd, hello);
    ++open_;
    if (sockets_.size() % kBurst == 0) std::this_thread::sleep_for(10ms);
  }
}

std::string IdleConnections::Done() const {
  return absl::StrCat(open_.load(), " connections opened");
}

// --------------------------------------------------------------------- slow

SlowBytes::SlowBytes(const std::string& address, size_t count)
    : preface_(Preface()) {
  for (size_t i = 0; i < count; ++i) {
    const int fd = ConnectSocket(address);
    if (fd < 0) Die("a connection was refused");
    sockets_.push_back(fd);
    if (i % 2 != 0) SendAll(fd, preface_ + BeginCall());
  }
  sender_ = std::make_unique<Probe>(absl::Seconds(1), [this] { SendByte(); });
}

SlowBytes::~SlowBytes() {
  sender_->Stop();
  CloseAll(sockets_);
}

void SlowBytes::SendByte() {
  size_t refused = 0;
  for (size_t i = 0; i < sockets_.size(); ++i) {
    const char byte = i % 2 == 0 ? preface_[at_ % preface_.size()] : 'x';
    const bool sent = SendAll(sockets_[i], absl::string_view(&byte, 1));
    sent_ += sent;
    refused += !sent;
  }
  refused_ = refused;
  ++at_;
}

std::string SlowBytes::Done() const {
  return absl::StrCat(sockets_.size(), " connections, ", sent_.load(),
                      " bytes, ", refused_.load(), " closed by the node");
}

// -------------------------------------------------------------------- links

LinkLoop::LinkLoop(const std::string& address, size_t threads) {
  for (size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this, address] { Run(address); });
  }
}

LinkLoop::~LinkLoop() {
  stop_ = true;
  for (std::thread& thread : threads_) thread.join();
}

void LinkLoop::Run(const std::string& address) {
  const auto stub = v1::Peer::NewStub(Connect(address));
  while (!stop_) {
    const uint64_t number = next_++;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 1s);
    const auto link = stub->Link(&context);
    v1::PeerFrame frame;
    v1::Hello& hello = *frame.mutable_hello();
    hello.set_protocol_min(1);
    hello.set_protocol_max(1);
    hello.set_feature_level(1);
    hello.set_cluster(kCluster);
    hello.mutable_origin()->set_node(absl::StrCat("stranger-", number));
    hello.mutable_origin()->set_incarnation(number);
    hello.mutable_origin()->set_life_hi(number);
    hello.mutable_origin()->set_life_lo(number);
    // Nobody is there to be dialled.
    hello.set_address(absl::StrCat("127.0.0.1:", 1 + number % 1000));
    hello.set_nonce(std::string(codec::kNonceBytes, 'n'));
    bool up = link->Write(frame) && link->Read(&frame);
    if (up && number % 2 == 0) {
      frame.mutable_proof();
      up = link->Write(frame) && link->Read(&frame) && frame.has_proof();
      established_ += up;
    }
    context.TryCancel();
    link->Finish();
  }
}

std::string LinkLoop::Done() const {
  return absl::StrCat(next_ - 1, " links begun, ", established_.load(),
                      " established");
}

// ---------------------------------------------------------------- datagrams

DatagramFlood::DatagramFlood(const std::string& address, size_t per_second)
    : socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  const sockaddr_in to = Parse(address);
  if (connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) !=
      0) {
    Die("no datagrams can be sent");
  }
  sender_ = std::make_unique<Probe>(
      absl::Milliseconds(1),
      [this, count = per_second / 1000] { SendSome(count); });
}

DatagramFlood::~DatagramFlood() {
  sender_->Stop();
  close(socket_);
}

void DatagramFlood::SendSome(size_t count) {
  static const uint64_t kOurs = codec::ClusterHash(kCluster);
  for (size_t i = 0; i < count; ++i) {
    const uint64_t number = ++number_;
    std::string bytes(200, static_cast<char>(number));
    if (number % 3 != 0) {
      v1::BeatDatagram beat;
      beat.set_cluster(number % 3 == 1 ? kOurs : kOurs + 1);
      beat.mutable_origin()->set_node(absl::StrCat("stranger-", number));
      beat.mutable_origin()->set_incarnation(number);
      beat.mutable_origin()->set_life_hi(number);
      beat.set_number(number);
      bytes = beat.SerializeAsString();
    }
    sent_ += SendAll(socket_, bytes);
  }
}

std::string DatagramFlood::Done() const {
  return absl::StrCat(sent_.load(), " datagrams");
}

}  // namespace muster::bench
