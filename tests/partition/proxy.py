"""Nodes on this machine's loopback, with a TCP and a UDP proxy between them.

Each node listens at one address and advertises another, where this proxy
listens while the node is there:

  a, at 127.x.y.1 ----> 127.x.y.102, as b advertises ----> b, at 127.x.y.2

So each ordered pair of nodes has a path of its own. Who sent a datagram is seen
by its address; who opened a connection, by the process that has it open. A
node that was killed has its proxy refuse; one that is off has it stay silent.
TCP: see tcp_path.py. Datagrams are lost, delayed, reordered and, past what a
slow link holds, dropped.

All sockets belong to one thread; the tables of Network are written by another,
one value at a time.
"""

import asyncio
import errno
import os
import random
import socket
import struct
import threading
import time

import tcp_path
from network import NODES, PORT, Network

# A slow link sends this many bytes at once, and holds back that many seconds.
BURST = 32 * 1024
LATENCY = 0.4
# A process that was just started is known soon.
WHO_SECONDS = 1.0
WHO_EVERY = 0.01
DATAGRAM = 65536
LAG_EVERY = 0.02
# Of <linux/netlink.h>, <linux/sock_diag.h> and <linux/inet_diag.h>.
NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST = 1
ANY_STATE = 0xffffffff
INODE_AT = 16 + 68


class NoLoopback(Exception):
  """Nothing can be bound on 127.0.0.0/8."""


def _take_subnet():
  """Its first three numbers, and the socket that keeps it ours."""
  for _ in range(100):
    subnet = f"127.{random.randrange(64, 255)}.{random.randrange(255)}"
    lock = socket.socket()
    try:
      lock.bind((f"{subnet}.254", PORT))
      return subnet, lock
    except OSError as error:
      lock.close()
      why = error
  raise NoLoopback(f"127.0.0.0/8: {why}")


def _hex(address):
  """As /proc/net/tcp writes it."""
  host, port = address
  return f"{socket.inet_aton(host)[::-1].hex().upper()}:{port:04X}"


def inode_from_tables(local, remote):
  local, remote = _hex(local), _hex(remote)
  for name in ("/proc/net/tcp", "/proc/net/tcp6"):
    try:
      with open(name, encoding="ascii") as table:
        for line in table:
          words = line.split()
          # Those of IPv6 end with the IPv4 address that they stand for.
          if words[1].endswith(local) and words[2].endswith(remote):
            return int(words[9])
    except OSError:
      continue  # A kernel without IPv6.
  return 0


def inode(local, remote):
  """Of the socket of a connection, as seen from its local end; 0 if it is
  closed. The kernel is asked for that one (sock_diag(7)): its tables take
  10 ms to read on a busy machine."""
  who = struct.pack(">HH", local[1], remote[1])
  for host in (local[0], remote[0]):
    who += socket.inet_aton(host).ljust(16, b"\0")
  body = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0,
                     ANY_STATE) + who + struct.pack("=Iq", 0, -1)
  head = struct.pack("=IHHII", 16 + len(body), SOCK_DIAG_BY_FAMILY,
                     NLM_F_REQUEST, 1, 0)
  try:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW,
                       NETLINK_SOCK_DIAG) as sock:
      sock.send(head + body)
      answer = sock.recv(DATAGRAM)
  except OSError:
    return inode_from_tables(local, remote)
  if struct.unpack_from("=H", answer, 4)[0] != SOCK_DIAG_BY_FAMILY:
    error = -struct.unpack_from("=i", answer, 16)[0]
    known = error == errno.ENOENT
    return 0 if known else inode_from_tables(local, remote)
  return struct.unpack_from("=I", answer, INODE_AT)[0]


def _has_open(pid, socket_inode):
  try:
    folder = f"/proc/{pid}/fd"
    for fd in os.listdir(folder):
      try:
        if os.readlink(f"{folder}/{fd}") == f"socket:[{socket_inode}]":
          return True
      except OSError:
        continue  # Closed meanwhile.
  except OSError:
    pass  # It has ended.
  return False


class Proxy(Network):

  can_delay = True

  def __init__(self):
    super().__init__()
    self._subnet, self._lock = _take_subnet()
    self._random = random.Random(1)
    self._pids = {}  # Process: node.
    self._sent = dict.fromkeys(NODES, 0)
    self._free_at = {}  # Node: when its slow link has sent all.
    self._connections = set()
    self._listeners = {}
    self._datagrams = {}
    self._tasks = set()
    self._fault = None
    self._loop = asyncio.new_event_loop()
    self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
    self._thread.start()
    self._do(self._look_at_lag, time.monotonic())

  # --------------------------------------------------------- where nodes are

  def _host(self, node, advertised=False):
    return f"{self._subnet}.{NODES.index(node) + 1 + 100 * advertised}"

  def listen(self, node):
    return f"{self._host(node)}:{PORT}"

  def address(self, node):
    return f"{self._host(node, advertised=True)}:{PORT}"

  def add(self, node):
    pass

  def open(self, node):
    self._do(self._open, node)

  def joined(self, node, pid):
    self._pids[pid] = node

  def close(self, node):
    self._do(self._close, node)

  def apply(self, node):
    pass

  def bytes_sent(self, node):
    return self._sent[node]

  def reset(self):
    super().reset()
    if self._fault is not None:
      raise RuntimeError(
          f"the proxy is at fault: {self._fault!r}") from self._fault

  def end(self):
    asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
    self._loop.call_soon_threadsafe(self._loop.stop)
    self._thread.join()
    self._loop.close()
    self._lock.close()

  def _do(self, what, *arguments):
    """Runs it in the thread that has the sockets."""
    async def do():
      what(*arguments)
    asyncio.run_coroutine_threadsafe(do(), self._loop).result()

  # ------------------------------------------------------- what packets meet

  def passes(self, sender, receiver):
    return (sender, receiver) not in self.cuts and not self.off & {
        sender, receiver}

  def fate(self, sender, receiver, packets):
    """Of some packets sent together: pass, drop or reset."""
    if not self.off & {sender, receiver} and (
        self.cuts.get((sender, receiver)) == "reset"):
      return "reset"
    whole = (1 - self.losses.get(receiver, 0)) ** packets
    if self.passes(sender, receiver) and self._random.random() < whole:
      return "pass"
    return "drop"

  def way(self, sender):
    """Seconds that a packet takes."""
    least, jitter = self.delays.get(sender, (0, 0))
    return least + jitter * self._random.random()

  def queue(self, sender, size):
    """Counts the bytes as sent. Returns the seconds until they have left."""
    self._sent[sender] += size
    rate = self.rates.get(sender)
    if not rate:
      return 0.0
    now = time.monotonic()
    free = max(self._free_at.get(sender, 0), now - BURST * 8 / rate)
    self._free_at[sender] = free + size * 8 / rate
    return max(0.0, self._free_at[sender] - now)

  # ------------------------------------------------------------- in the loop

  def _look_at_lag(self, due):
    now = time.monotonic()
    self.lag = max(self.lag, now - due)
    self._loop.call_later(LAG_EVERY, self._look_at_lag, now + LAG_EVERY)

  def _open(self, node):
    if node in self._listeners:  # It was off, and what it had is gone.
      for connection in list(self._connections):
        if node in (connection.dialler.node, connection.acceptor.node):
          connection.abort()
      return
    at = (self._host(node, advertised=True), PORT)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(at)
    listener.listen(128)
    listener.setblocking(False)
    self._listeners[node] = listener
    self._loop.add_reader(listener, self._accept, node, listener)
    datagrams = socket.socket(type=socket.SOCK_DGRAM)
    datagrams.bind(at)
    datagrams.setblocking(False)
    self._datagrams[node] = datagrams
    self._loop.add_reader(datagrams, self._receive, node, datagrams)

  def _close(self, node):
    self._pids = {p: n for p, n in self._pids.items() if n != node}
    if node in self.off:
      return
    for sockets in (self._listeners, self._datagrams):
      sock = sockets.pop(node, None)
      if sock is not None:
        self._loop.remove_reader(sock)
        sock.close()

  async def _end(self):
    self.off.clear()
    for node in NODES:
      self._close(node)
    for task in self._tasks:
      task.cancel()
    await asyncio.gather(*self._tasks, return_exceptions=True)

  def _accept(self, node, listener):
    try:
      accepted, _ = listener.accept()
    except OSError:
      return
    accepted.setblocking(False)
    task = self._loop.create_task(self._serve(accepted, node))
    self._tasks.add(task)
    task.add_done_callback(self._served)

  def _served(self, task):
    self._tasks.discard(task)
    if not task.cancelled() and task.exception() is not None:
      self._fault = task.exception()

  async def _serve(self, accepted, node):
    dialler = await self._who(accepted)
    if dialler is None:
      tcp_path.reset(accepted)
      return
    connection = tcp_path.Connection(self, dialler, accepted, node)
    self._connections.add(connection)
    try:
      await connection.run((self._host(node), PORT))
    finally:
      self._connections.discard(connection)

  async def _who(self, accepted):
    """The node that has opened a connection; None if it is closed again."""
    try:
      ends = accepted.getpeername(), accepted.getsockname()
    except OSError:
      return None
    end = time.monotonic() + WHO_SECONDS
    while time.monotonic() < end:
      found = inode(*ends)
      if not found:
        return None
      for pid, node in list(self._pids.items()):
        if _has_open(pid, found):
          return node
      await asyncio.sleep(WHO_EVERY)
    return None

  def _receive(self, node, datagrams):
    try:
      data, (host, _) = datagrams.recvfrom(DATAGRAM)
    except OSError:
      return
    sender = next((n for n in NODES if self._host(n) == host), None)
    if sender is None:
      return
    held = self.queue(sender, len(data))
    if held > LATENCY or self.fate(sender, node, 1) != "pass":
      return
    self._loop.call_later(held + self.way(sender), self._forward, sender, node,
                          data)

  def _forward(self, sender, receiver, data):
    # It comes from where the receiver knows the sender to be.
    source = self._datagrams.get(sender)
    if source is None:
      return
    try:
      source.sendto(data, (self._host(receiver), PORT))
    except OSError:
      pass
