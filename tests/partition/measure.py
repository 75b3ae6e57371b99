"""Measures deaths, and cuts that heal, and prints one table.

Each figure is the median of some tries; times are seconds from the deed until
every other node shows it, as asked every few milliseconds.
"""

import signal
import statistics
import time

import faults
import load
import runner
import scenario
import watches
import world as worlds

TRIES = 5
LONG_TRIES = 1
CUTS = (1.0, 10.0, 60.0)
# Of each side while the network is cut.
TRACKS = 50
LOOK = 0.005
# Of a long loss.
LOSS = 0.1
JITTER = 0.2
CLIENTS = 21
PAUSE = 0.5


def _await(holds, what):
  took = worlds.wait_until(holds, 30.0, LOOK)
  if took is None:
    raise faults.HarnessError(f"never came: {what}")
  return took


class Bench:
  """Three nodes, c of which dies again and again."""

  def __init__(self, options, network):
    self.network = network
    self.world = worlds.World(options.binary, network, options.flags)
    self.key = 0
    self.false_downs = 0
    self.watched = {}

  def begin(self):
    self.world.start("abc")
    self.watch()

  def watch(self):
    for name in "abc":
      self.watched[name] = watches.MembersWatch(self.world.node(name))

  def count(self, down, cut=False):
    """Ends a phase in which c was seen as down `down` times at most by each of
    the others; and was cut from them, so that it may have seen the same."""
    for name, watch in self.watched.items():
      watch.end()
      for other in set(watch.downs):
        allowed = down if "c" in (other, cut and name) else 0
        self.false_downs += max(0, watch.downs.count(other) - allowed)
    self.watch()

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

  def back(self, down):
    self.world.start("c")
    _await(lambda: all(
        set(self.world.states(n).values()) == {"alive"} for n in "abc"),
           "three members")
    self.count(down)

  def killed(self):
    took = self.death(lambda: self.world.end_node("c", signal.SIGKILL))
    self.back(down=1)
    return took

  def off(self):
    took = self.death(
        lambda: self.world.end_node("c", signal.SIGKILL, off=True))
    self.back(down=1)
    return took

  def stopped(self):
    took = self.death(lambda: self.world.node("c").send(signal.SIGTERM))
    self.world.end_node("c", signal.SIGTERM)
    self.back(down=0)
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
    _await(self.all_list([], "abc"), "an empty room")
    self.count(down=1)
    return took, back

  def cut(self, seconds):
    """Seconds until equal after a cut of c, and the bytes sent since."""
    for other in "ab":
      self.network.cut("c", other)
      self.network.cut(other, "c")
    until = time.monotonic() + seconds
    for _ in range(TRACKS):
      self.track("a")
      self.track("c")
    worlds.wait_until(lambda: time.monotonic() >= until, seconds)
    before = sum(self.network.bytes_sent(n) for n in "abc")
    self.network.heal()
    took = _await(self.all_list(self.keys(), "abc"), "equal after the cut")
    sent = sum(self.network.bytes_sent(n) for n in "abc") - before
    for client in list(self.world.clients):
      client.close()
    self.world.clients.clear()
    _await(self.all_list([], "abc"), "an empty room")
    self.count(down=1, cut=True)
    return took, sent


def long_loss(options, network, tell):
  """Seven nodes under load on a network that loses LOSS of all packets and
  brings the others up to JITTER late; returns 1 if a node was seen as down, or
  the nodes were not equal soon after."""
  world = worlds.World(options.binary, network, options.flags)
  run = runner.Runner(world, tell)
  seconds = options.loss_minutes * 60
  try:
    run.run(scenario.parse(f"start {len(scenario.NODES)}"))
    watched = {name: watches.MembersWatch(node)
               for name, node in world.nodes.items()}
    run.run(scenario.parse(f"delay 0ms jitter {JITTER * 1000:g}ms\n"
                           f"lose {LOSS * 100:g}%"))
    world.load = load.Load(world, CLIENTS, "room", PAUSE)
    work = world.load
    network.lag = 0.0
    end = time.monotonic() + seconds
    downs = {}
    while not downs and time.monotonic() < end:
      worlds.wait_until(lambda: any(w.downs for w in watched.values()),
                        min(60.0, end - time.monotonic()))
      left = max(0.0, end - time.monotonic())
      downs = {n: w.downs for n, w in watched.items() if w.downs}
      tell(f"   {left:.0f} s to go; downs: {downs or 'none'}; the harness was "
           f"at most {network.lag * 1000:.0f} ms late")
    run.run(scenario.parse("load off"))
    lossy = _await(lambda: run.holds({"kind": "held"}), "all that is held")
    run.run(scenario.parse("heal\ndelay off\neventually 10s equal"))
    downs = sum(len(watch.downs) for watch in watched.values())
    print(f"{options.loss_minutes:g} minutes of {LOSS:.0%} loss and up to "
          f"{JITTER * 1000:g} ms of jitter, 7 nodes: {work.updates} updates, "
          f"{work.moves} moves, {downs} false downs; all listed everywhere "
          f"{lossy:.2f} s after the last update", flush=True)
    if not downs:
      world.remove_logs()
    return 1 if downs else 0
  except (runner.Broken, *faults.FAULTS) as error:
    print(f"FAILED {faults.why(error)}", flush=True)
    return 1
  finally:
    world.stop()
    network.reset()


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
    bench.begin()
    print(f"three nodes; medians of {TRIES}, and of {LONG_TRIES} for a cut of "
          f"{CUTS[-1]:g} s", flush=True)
    _row("killed (-9): its entries gone",
         [bench.killed() for _ in range(TRIES)])
    _row("power off: its entries gone", [bench.off() for _ in range(TRIES)])
    _row("SIGTERM: its entries gone", [bench.stopped() for _ in range(TRIES)])
    frozen = [bench.frozen() for _ in range(TRIES)]
    _row("frozen: its entries gone", [gone for gone, _ in frozen])
    _row("thawed: its entries back", [back for _, back in frozen])
    for seconds in CUTS:
      cuts = [bench.cut(seconds) for _ in range(
          TRIES if seconds < CUTS[-1] else LONG_TRIES)]
      name = f"cut of {seconds:g} s, {2 * TRACKS} tracks meanwhile"
      _row(f"{name}: equal", [took for took, _ in cuts])
      _row(f"{name}: bytes sent", [sent for _, sent in cuts], "bytes")
    print(f"  {'false downs, all along':44} {bench.false_downs:8}",
          flush=True)
    bench.world.remove_logs()
    return 0
  except faults.FAULTS as error:
    print(f"FAILED {faults.why(error)}", flush=True)
    return 1
  finally:
    bench.world.stop()
    network.reset()
