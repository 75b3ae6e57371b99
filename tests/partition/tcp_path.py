"""A TCP connection between two nodes, as a network that is cut, lossy, slow
and far carries it.

Bytes go in order. What is lost, or meets a cut, is tried again as TCP does it,
after 0.2, 0.4, 0.8 seconds and so on, and all that follows waits behind it; a
connection that is being opened is tried after 1, 2, 4 seconds. A cut one way
also keeps the acknowledgements of the other way from coming back: of that way a
window passes, and no more. An end is carried as bytes are.

`network` says what becomes of a packet: see fate() and friends in proxy.py.
"""

import asyncio
import select
import socket
import struct
import time

CHUNK = 16 * 1024
PACKET = 1400
# Chunks on their way, one direction.
IN_FLIGHT = 64
# What may be sent without an acknowledgement.
WINDOW = 16 * 1024
FIRST_RETRY = 0.2
FIRST_SYN_RETRY = 1.0
LONGEST_RETRY = 60.0


# How a direction ends, in place of its next bytes.
END = b""
RESET = None
SILENCE = ()


def reset(sock):
  """Closes it so that the other side sees a reset."""
  linger_not(sock)
  sock.close()


def linger_not(sock):
  try:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))
  except OSError:
    pass  # It is closed.


def hung_up(sock):
  poll = select.poll()
  poll.register(sock, select.POLLRDHUP)
  return bool(poll.poll(0))


class _Side:
  """What one of the two nodes has of the connection."""

  def __init__(self, node, sock):
    self.node = node
    self.sock = sock
    self.reader = None
    self.writer = None
    self.unacknowledged = 0
    self.gone = False

  async def use(self):
    self.reader, self.writer = await asyncio.open_connection(
        sock=self.sock, limit=CHUNK)

  async def read(self):
    try:
      data = await self.reader.read(CHUNK)
    except OSError:
      data = RESET
    return SILENCE if self.gone else data

  def reset(self):
    if self.gone:
      return
    self.gone = True
    linger_not(self.sock)
    if self.writer is not None:  # Else run() closes it, when nobody waits.
      self.writer.transport.abort()

  def close(self):
    if self.writer is not None:
      self.writer.transport.abort()
    else:
      self.sock.close()


class Connection:
  """`accepted` is the dialler's socket. REQUIRES: it does not block."""

  def __init__(self, network, dialler, accepted, acceptor):
    self.network = network
    self.dialler = _Side(dialler, accepted)
    self.acceptor = _Side(acceptor, socket.socket())
    self.acceptor.sock.setblocking(False)

  async def run(self, address):
    """Opens it to the acceptor's address; until both directions have ended."""
    sides = (self.dialler, self.acceptor)
    try:
      if not await self._open(address):
        self.dialler.reset()
        return
      async with asyncio.TaskGroup() as group:
        for sender, receiver in (sides, sides[::-1]):
          queue = asyncio.Queue(IN_FLIGHT)
          group.create_task(self._send(sender, receiver, queue))
          group.create_task(self._arrive(receiver, queue))
    finally:
      for side in sides:
        side.close()

  def abort(self):
    """Both ends see a reset."""
    self.dialler.reset()
    self.acceptor.reset()

  async def _open(self, address):
    """Returns whether it could be opened."""
    there, back = self.dialler.node, self.acceptor.node
    wait = FIRST_SYN_RETRY
    while True:
      fate = self.network.fate(there, back, 1)
      if fate == "reset":
        return False
      if fate == "pass" and self.network.fate(back, there, 1) == "pass":
        break
      await asyncio.sleep(wait)
      wait = min(2 * wait, LONGEST_RETRY)
      if self.dialler.gone or hung_up(self.dialler.sock):
        return False
    await asyncio.sleep(self.network.way(there) + self.network.way(back))
    try:
      await asyncio.get_running_loop().sock_connect(self.acceptor.sock, address)
      await self.acceptor.use()
      await self.dialler.use()
    except OSError:
      return False
    return not self.dialler.gone

  async def _send(self, sender, receiver, queue):
    """What the sender sends, to the queue of what is on its way."""
    arrival = 0.0
    data = True
    while data:
      data = await sender.read()
      if data != SILENCE and not await self._carry(sender, receiver, data):
        sender.reset()
        # The receiver hears of it only when it sends something itself.
        data = SILENCE
      arrival = max(arrival, time.monotonic() + self.network.way(sender.node))
      await queue.put((arrival, data))

  async def _carry(self, sender, receiver, data):
    """Waits until the bytes, or the end, are under way; false if they were
    answered with a reset."""
    size = len(data or END)
    packets = max(1, -(-size // PACKET))
    wait = FIRST_RETRY
    while True:
      await asyncio.sleep(self.network.queue(sender.node, size))
      fate = self._fate(sender, receiver, size, packets)
      if fate != "drop":
        return fate == "pass"
      # Of more than one packet, those that were lost are sent again.
      packets = 1
      await asyncio.sleep(wait)
      wait = min(2 * wait, LONGEST_RETRY)

  def _fate(self, sender, receiver, size, packets):
    fate = self.network.fate(sender.node, receiver.node, packets)
    if fate != "pass":
      return fate
    answers = self.network.passes(receiver.node, sender.node)
    if receiver.gone:
      return "reset" if answers else "drop"
    sender.unacknowledged = 0 if answers else sender.unacknowledged + size
    return "drop" if sender.unacknowledged > WINDOW else "pass"

  async def _arrive(self, receiver, queue):
    """Hands over what arrives, until the end."""
    data = True
    while data:
      arrival, data = await queue.get()
      await asyncio.sleep(max(0.0, arrival - time.monotonic()))
      if data is RESET:
        receiver.reset()
      # One that is closed says so in its own direction.
      if data == SILENCE or receiver.writer.is_closing():
        continue
      try:
        if data == END:
          receiver.writer.write_eof()
        else:
          receiver.writer.write(data)
          await receiver.writer.drain()
      except OSError:
        pass  # It is closed now.
