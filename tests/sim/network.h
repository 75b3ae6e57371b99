// The network of a simulation: links that behave like TCP under gRPC, and
// datagrams that behave like UDP.
//
// A *path* is one direction between two hosts. A *link* is a connection with a
// hello: connect (one round trip), hello, hello with proof, proof, and then
// frames both ways. On a path, bytes of a link arrive in order; a segment lost
// makes what is behind it wait; while a path is cut, the link waits with TCP's
// growing retransmission time, and moves again only when that has passed after
// the cut heals. Frames are lost only when a link breaks, and then any suffix.
// Control frames overtake bulk as long as it has not been given to the socket.
//
// Dialling is as the transport's (transport/peer/dialer.h): every address of a
// process's dial set is kept connected, with a back-off of 50 ms that doubles
// up to 2 s, which a beat from there ends.
//
// In hostile mode frames are dropped, duplicated and swapped too, which TCP
// never does: safety must hold all the same.
//
// Invariants: (1) without hostile mode each end hears a prefix of what the
// other sent, in the order of its classes; (2) OnLinkDown is told once for each
// OnLinkUp; (3) nothing crosses a cut path; (4) a dead process refuses, a host
// without power is silent.
#ifndef MUSTER_TESTS_SIM_NETWORK_H_
#define MUSTER_TESTS_SIM_NETWORK_H_

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "node/core/output.h"
#include "tests/sim/world.h"

namespace muster::sim {

struct Path {
  bool cut = false;
  bool reset = false;  // With `cut`: answered with a TCP reset, not silence.
  SimTime latency = 200;
  SimTime jitter = 100;
  uint32_t segment_loss_ppm = 0;  // Costs a retransmission time.
  uint32_t datagram_loss_ppm = 0;
  uint32_t datagram_twice_ppm = 0;
  uint32_t tail_ppm = 0;         // Datagrams with a heavy tail:
  SimTime tail = 0;              // doubled with probability ½ each time.
  int64_t bytes_per_second = 0;  // 0: no limit.
};

struct NetworkOptions {
  // Bulk frames are dropped once this much waits before the socket.
  size_t bulk_queue_bytes = 8 << 20;
  // What a socket and the path hold.
  size_t socket_bytes = 64 << 10;
  // Of a handshake: from the dialler's start, and from the acceptor's.
  SimTime dialler_limit = 16 * kSecond;
  SimTime acceptor_limit = 8 * kSecond;
  uint32_t hostile_ppm = 0;  // Of frames dropped, twice, or swapped, each.
  // Of routed frames that come once more, late, by another way: so a relay may
  // do, though no link does.
  uint32_t echo_ppm = 0;
};

class Network {
 public:
  explicit Network(World& world);
  ~Network();

  NetworkOptions options;

  Path& path(int from, int to);
  // Both directions.
  void Cut(int a, int b, bool reset = false);
  void Mend(int a, int b);
  // The way from one host to another is wider than it was: what waits on it
  // goes at its speed.
  void Widened(int from, int to);
  // Resets every link between two hosts.
  void BreakLinks(int a, int b);
  // Whether a packet can go from `from` to `to`.
  bool Open(int from, int to) { return !path(from, to).cut; }

  // ---- for scenarios ----
  // Frames for which it is true are lost.
  std::function<bool(int from, int to, const core::Frame&)> drop;
  bool twice = false;  // Every frame arrives twice.
  // Told of every frame of a rebase as it is sent.
  std::function<void(Process& from, Process& to, const core::RebaseFrame&)>
      on_rebase;
  // And of every part of an exchange of the keyspace.
  std::function<void(Process& from, Process& to, const core::KvExchangePart&)>
      on_exchange;

  // ---- what a process's output asks for ----
  void Send(Process& from, core::LinkId link, core::Frame frame);
  void SendBeat(Process& from, const core::SendBeat& beat);
  void Close(Process& from, const core::CloseLink& close);
  void SetDial(Process& from, const std::vector<std::string>& addresses);
  void Probe(Process& from, const core::ConnectProbe& probe);
  void ProbeHello(Process& from, const core::HelloProbe& probe);
  void ProcessDied(Process& process, bool power_lost);

  // ---- figures ----
  uint64_t bytes_sent = 0;  // Frames given to sockets.
  uint64_t bulk_bytes_sent = 0;
  uint64_t frames_sent = 0;
  uint64_t rebases_begun = 0;
  uint64_t datagrams_sent = 0;
  uint64_t dropped_bulk = 0;
  // Bytes of frames sent from one host to another.
  uint64_t BytesBetween(int from, int to) const;
  // Frames of one kind sent between two hosts: the index in Frame::body.
  static constexpr size_t kPull = 1;
  size_t Sent(int from, int to, size_t kind) const;
  // When a frame or a datagram of a process last came to another, or word of
  // it that was long on its way; or 0.
  SimTime LastHeard(const Process& from) const;
  // Up at both ends.
  size_t LinksBetween(int a, int b) const;

 private:
  struct Item {
    enum class Kind { kHello, kHelloBack, kProof, kProofBack, kFrame, kFin };
    Kind kind = Kind::kFrame;
    core::Frame frame;
    core::PeerHello hello;
    std::string reason;
    bool permanent = false;
    size_t bytes = 0;
    SimTime sent = 0;
    SimTime ready = 0;
  };
  // One direction of a connection.
  static constexpr SimTime kNone = -1;
  struct Lane {
    // Control, deltas, messages, rebase.
    std::array<std::deque<Item>, 4> waiting;
    size_t waiting_bytes = 0;
    std::deque<Item> wire;
    size_t wire_bytes = 0;
    SimTime busy_until = 0;
    SimTime last_ready = 0;
    SimTime retransmit = 0;  // 0: moving.
    size_t unacked = 0;      // While the way back is cut.
    SimTime due = kNone;     // When its next arrival is posted for.
  };
  struct End {
    Process* process = nullptr;
    core::LinkId link = 0;  // 0: not up.
    bool open = true;
    core::PeerHello peer;
    SimTime asked = 0;  // The last message of the hello that has an answer.
  };
  struct Conn {
    uint64_t number = 0;
    End ends[2];    // 0 dialled.
    Lane lanes[2];  // lanes[i]: from ends[i].
    std::string dialed;
    uint64_t attempt = 0;
    bool refused = false;  // For good, by the other side.
  };
  using ConnRef = std::shared_ptr<Conn>;
  // An address that a process wants a link to.
  struct Dialer {
    enum class State { kWaiting, kDialling, kLinked };
    State state = State::kWaiting;
    bool wanted = true;
    uint64_t attempt = 0;
    SimTime answered = 0;  // When the peer's hello came, or 0.
    SimTime since = 0;
    SimTime patience = 700 * kMillisecond;
    SimTime beat = -kSecond * 1000;  // The last one without a link.
    SimTime due = 0;                 // kWaiting only.
    int failures = 0;
    bool refused = false;
    crdt::LifeId life;  // That was reached last.
  };
  using DialerMap = std::map<std::pair<int, std::string>, Dialer>;

  int HostOf(const Conn& conn, int side) const {
    return conn.ends[side].process->host.index;
  }
  Path& PathFrom(const Conn& conn, int side) {
    return path(HostOf(conn, side), HostOf(conn, 1 - side));
  }
  static size_t Class(const core::Frame& frame);

  // An attempt that has been given up is not found any more.
  Dialer* FindAttempt(const Process& from, const std::string& address,
                      uint64_t attempt);
  // Ends the connection of an attempt, if there is one yet.
  void Abort(uint64_t attempt);
  void Schedule(Process& from, const std::string& address);
  void Dial(Process& from, const std::string& address);
  void Connect(Process& from, const std::string& address, uint64_t attempt,
               int tries);
  // Gives an attempt up that takes too long.
  void LimitAttempt(Process& from, const std::string& address,
                    uint64_t attempt);
  void Connected(Process& from, const std::string& address, uint64_t attempt,
                 Process& to);
  void Failed(Process& from, const std::string& address, uint64_t attempt,
              bool refused, crdt::LifeId life);
  void AttemptOver(Process& process, const Conn& conn);
  // The dialling side's last step; false if it was given up meanwhile.
  bool Established(const ConnRef& conn);
  void OnLinkLost(Process& process, crdt::LifeId life);
  void OnBeatFrom(Process& process, int host);
  struct Traffic;
  Traffic& TrafficOf(const Process& process);
  // Fails the world if a process has sent too many for a second.
  void CheckTraffic(const Process& from, int64_t sent, absl::string_view what);
  void CountDatagram(const Process& from);
  void CountControl(const Process& from);
  bool IsLinked(const Process& process, crdt::LifeId life) const;
  SimTime BackOff(int failures);
  void Enqueue(const ConnRef& conn, int side, Item item);
  void Pump(const ConnRef& conn, int side);
  void Put(const ConnRef& conn, int side, Item item);
  void Post(const ConnRef& conn, int side);
  void Arrive(const ConnRef& conn, int side);
  void Stall(const ConnRef& conn, int side);
  void Move(const ConnRef& conn, int side);
  void Deliver(const ConnRef& conn, int to_side, Item item);
  void DeliverFrame(const ConnRef& conn, int to_side, const Item& item);
  void DeliverToProcess(const ConnRef& conn, int to_side, const Item& item);
  // Once more, later, by whatever link there is then.
  void Echo(Process& to, const core::RoutedFrame& frame);
  void HandleHello(const ConnRef& conn, int side, const Item& item);
  void Up(const ConnRef& conn, int side);
  // Closes one end; its process is told if the link was up.
  void Shut(const ConnRef& conn, int side, const std::string& why);
  core::PeerHello HelloOf(Process& process) const;
  SimTime Transit(const Path& path);
  static SimTime TransmitTime(const Path& path, size_t bytes);
  SimTime RoundTrip(int a, int b);
  void SendFin(const ConnRef& conn, int side, const std::string& why,
               bool permanent);
  void LoseSuffix(Lane& lane);
  // A frame of `from` has come.
  void NoteHeard(const Process& from, const Item& item);
  void NoteWord(crdt::LifeId life);

  World& world_;
  std::vector<std::vector<Path>> paths_;
  uint64_t next_conn_ = 1;
  std::map<uint64_t, ConnRef> conns_;
  std::map<std::pair<int, core::LinkId>, std::pair<ConnRef, int>> links_;
  DialerMap dialers_;
  DialerMap aside_;  // Not wanted, but their back-off counts if they are again.
  uint64_t next_attempt_ = 1;
  std::map<int, SimTime> last_heard_;  // By the number of the process.
  // Of a process, within a second.
  struct Traffic {
    int64_t second = 0;
    int64_t datagrams = 0;  // Sent.
    int64_t control = 0;    // Frames sent, without one ack and one pull for
    int64_t bulk = 0;       // each of these, heard in this second or the last.
    int64_t bulk_before = 0;
  };
  std::map<int, Traffic> traffic_;  // By the number of the process.
  std::map<std::pair<int, int>, uint64_t> bytes_between_;
  std::map<std::tuple<int, int, size_t>, size_t> sent_;
};

// About how many bytes a frame takes on the wire.
size_t WireBytes(const core::Frame& frame);

}  // namespace muster::sim

#endif  // MUSTER_TESTS_SIM_NETWORK_H_
