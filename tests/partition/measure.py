"""Measures deaths, and cuts that heal, and prints one table.

Each figure is the median of some tries; times are seconds from the deed until
every other node shows it, as asked every few milliseconds.
"""

import signal
import statistics

import world as worlds

TRIES = 3
CUTS = (1.0, 10.0, 60.0)
# Of each side while the network is cut.
TRACKS = 50
LOOK = 0.005


def _await(holds, what):
  took = worlds.wait_until(holds, 30.0, LOOK)
  if took is None:
    raise worlds.HarnessError(f"never came: {what}")
  return took


class Bench:
  """Three nodes, c of which dies again and again."""

  def __init__(self, options, network):
    self.network = network
    self.world = worlds.World(options.binary, network, options.flags)
    self.world.start("abc")
    self.key = 0

  def track(self, node):
    self.key += 1
    self.world.track(node, "room", f"u{self.key}")

  def all_list(self, keys, nodes):
    return lambda: all(self.world.keys(n, "room") == keys for n in nodes)

  def keys(self, dead=()):
    return sorted(c.key for c in self.world.clients
                  if c.node.name not in dead)

  def death(self, end):
    """Until a and b show nothing of c."""
    self.track("c")
    _await(self.all_list(self.keys(), "abc"), "the entry of c")
    gone = self.keys(dead="c")
    end()
    return _await(self.all_list(gone, "ab"), "the end of c")

  def back(self):
    self.world.start("c")
    _await(lambda: all(
        set(self.world.states(n).values()) == {"alive"} for n in "abc"),
           "three members")

  def killed(self):
    took = self.death(lambda: self.world.end_node("c", signal.SIGKILL))
    self.back()
    return took

  def off(self):
    took = self.death(
        lambda: self.world.end_node("c", signal.SIGKILL, off=True))
    self.back()
    return took

  def stopped(self):
    took = self.death(lambda: self.world.node("c").send(signal.SIGTERM))
    self.world.end_node("c", signal.SIGTERM)
    self.back()
    return took

  def frozen(self):
    """Also: until what it holds is back after it was thawed."""
    node = self.world.node("c")
    took = self.death(node.freeze)
    node.thaw()
    back = _await(self.all_list(self.keys(), "abc"), "c thawed")
    for client in [c for c in self.world.clients if c.node is node]:
      client.close()
      self.world.clients.remove(client)
    return took, back

  def cut(self, seconds):
    """Seconds until equal after a cut of c, and the bytes sent since."""
    for other in "ab":
      self.network.cut("c", other)
      self.network.cut(other, "c")
    for _ in range(TRACKS):
      self.track("a")
      self.track("c")
    began = worlds.time.monotonic()
    worlds.time.sleep(max(0.0, seconds - (worlds.time.monotonic() - began)))
    before = sum(self.network.bytes_sent(n) for n in "abc")
    self.network.heal()
    took = _await(self.all_list(self.keys(), "abc"), "equal after the cut")
    sent = sum(self.network.bytes_sent(n) for n in "abc") - before
    for client in list(self.world.clients):
      client.close()
    self.world.clients.clear()
    _await(self.all_list([], "abc"), "an empty room")
    return took, sent


def _row(what, values, unit="s"):
  if unit == "s":
    shown = f"{statistics.median(values):8.2f} s   at most {max(values):.2f} s"
  else:
    shown = f"{statistics.median(values) / 1024:8.1f} KiB"
  print(f"  {what:44} {shown}", flush=True)


def measure(options, network):
  """Prints the table; returns 1 if something never came."""
  bench = Bench(options, network)
  try:
    print(f"three nodes; medians of {TRIES}")
    _row("killed (-9): its entries gone",
         [bench.killed() for _ in range(TRIES)])
    _row("power off: its entries gone", [bench.off() for _ in range(TRIES)])
    _row("SIGTERM: its entries gone", [bench.stopped() for _ in range(TRIES)])
    frozen = [bench.frozen() for _ in range(TRIES)]
    _row("frozen: its entries gone", [gone for gone, _ in frozen])
    _row("thawed: its entries back", [back for _, back in frozen])
    for seconds in CUTS:
      cuts = [bench.cut(seconds) for _ in range(TRIES if seconds < 60 else 1)]
      name = f"cut of {seconds:g} s, {2 * TRACKS} tracks meanwhile"
      _row(f"{name}: equal", [took for took, _ in cuts])
      _row(f"{name}: bytes sent", [sent for _, sent in cuts], "bytes")
    downs = sum(bench.world.status(n).counters["downs"]
                for n in bench.world.answering())
    print(f"  downs seen by the three in their last lives: {downs}")
    bench.world.remove_logs()
    return 0
  except worlds.HarnessError as error:
    print(f"FAILED {error}", flush=True)
    return 1
  finally:
    bench.world.stop()
    network.reset()
