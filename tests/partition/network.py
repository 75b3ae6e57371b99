"""What may be done to the packets between nodes, however it is done.

A network has the nodes a to g and keeps what is wrong with it: who is cut from
whom, what share is lost, who is off, slow or far. namespaces.py and proxy.py
make it so. The harness's own calls are never touched.
"""

import abc

NODES = "abcdefg"
PORT = 7400


class NotPossible(Exception):
  """This network cannot do that."""


class Network(abc.ABC):
  """Times are seconds, rates bits a second, shares 0 to 1."""

  # Whether packets can be delayed.
  can_delay = False
  # The most seconds by which the harness itself was late with a packet.
  lag = 0.0

  def __init__(self):
    self.cuts = {}  # (from, to): "drop" or "reset".
    self.losses = {}  # Node: share of what comes to it.
    self.off = set()
    self.rates = {}  # Node: of what it sends.
    self.delays = {}  # Node: (least, jitter) of what it sends.

  # --------------------------------------------------------- where nodes are

  @abc.abstractmethod
  def add(self, node):
    """Idempotent."""

  @abc.abstractmethod
  def listen(self, node):
    """HOST:PORT where the node listens, and the harness calls it."""

  def address(self, node):
    """HOST:PORT where other nodes find it."""
    return self.listen(node)

  def twin_listen(self, node):
    """Where a second node of that name listens."""
    return f"{self.listen(node).rpartition(':')[0]}:{PORT + 1}"

  def command(self, _node, arguments):
    """The arguments, to be run where the node is."""
    return arguments

  # ----------------------------------------------------- the life of a node

  def open(self, node):
    """The node is about to start."""

  def joined(self, node, pid):
    """It runs, as that process; so may a twin of it."""

  def close(self, node):
    """It is about to be killed, or has ended."""

  # ---------------------------------------------------------------- packets

  @abc.abstractmethod
  def apply(self, node):
    """What comes to the node, or what it sends, is treated otherwise now."""

  def cut(self, sender, receiver, reset=False):
    self.cuts[sender, receiver] = "reset" if reset else "drop"
    self.apply(receiver)

  def mend(self, sender, receiver):
    if self.cuts.pop((sender, receiver), None):
      self.apply(receiver)

  def lose(self, receiver, share):
    self.losses[receiver] = share
    self.apply(receiver)

  def heal(self):
    touched = {to for _, to in self.cuts} | set(self.losses)
    self.cuts.clear()
    self.losses.clear()
    for node in touched:
      self.apply(node)

  def set_off(self, node, off):
    """Off: whatever is sent there meets silence, as of a machine without
    power."""
    if off != (node in self.off):
      (self.off.add if off else self.off.remove)(node)
      self.apply(node)

  def slow(self, node, rate):
    """No rate: as fast as it can."""
    self._shape(self.rates, node, rate)

  def delay(self, node, least, jitter):
    """Each packet takes `least` and up to `jitter` more, drawn evenly."""
    if not self.can_delay:
      raise NotPossible("this network cannot delay packets, the proxy can: "
                        "ops/partition --proxy")
    self._shape(self.delays, node, (least, jitter) if least + jitter else None)

  def _shape(self, table, node, value):
    if value:
      table[node] = value
      self.apply(node)
    elif table.pop(node, None):
      self.apply(node)

  def reset(self):
    """As new: nothing cut, lost, slow, far or off."""
    self.heal()
    for node in list(self.off):
      self.set_off(node, False)
    for node in list(self.rates):
      self.slow(node, None)
    for node in list(self.delays):
      self.delay(node, 0, 0)

  @abc.abstractmethod
  def bytes_sent(self, node):
    """By the node to other nodes so far."""

  def end(self):
    """Nothing of it is left."""
