"""Random runs: weighted faults and clients, and a model at every quiet point.

A run is a scenario that is made up as it goes, so that a run that failed is a
file to run again. The model is the clients that are there: what each of them
tracks, and nothing else, must be listed by every node once all is healed.
"""

import collections
import random
import tempfile
import time

import grpc

import runner
import scenario
import world as worlds

NODES = scenario.NODES
QUIET_EVERY = 20
# After healing: detection, redial, a rebase, and a grace with its delay.
QUIET_SECONDS = 30.0
# Past a grace with its delay: what is still missing then is told.
SLOW_SECONDS = 8.0
GRACE = 4
# Later than this with a packet, the harness may itself make downs.
LATE = 0.5
BUGS = ("digest_mismatches", "bad_peer_frames", "peer_bad_frames",
        "peer_bad_datagrams")
WEIGHTS = {
    "connect": 30, "disconnect": 12, "update": 12, "move": 8, "start": 14,
    "kill": 5, "stop": 4, "off": 2, "freeze": 5, "thaw": 6, "split": 5,
    "cut": 6, "heal": 5, "lose": 2, "delay": 3, "slow": 2,
}


class Run:
  """One run of `steps` steps."""

  def __init__(self, seed, steps, options, network, tell):
    self.random = random.Random(seed)
    self.steps = steps
    self.world = worlds.World(options.binary, network, options.flags)
    self.runner = runner.Runner(self.world, tell)
    self.script = []
    self.watches = {}  # Node: a watch of all, since its start.
    self.done = collections.Counter()
    self.slowest_quiet = 0.0
    self.next_key = 1

  def do(self, line):
    """Runs a line; true if it could be done."""
    step = scenario.parse_line(len(self.script) + 1, line)
    self.script.append(line)
    try:
      self.runner.run([step])
      if step.verb == "start":
        for name in step.arguments["nodes"]:
          self.watches[name] = worlds.Watch(self.world.node(name),
                                            prefix="room:")
      return True
    except runner.Broken as broken:
      self.script[-1] += f"   # {broken}"
      return False

  # Each returns a line to run, or None if there is nothing to do it to.

  def pick(self, nodes):
    return self.random.choice(nodes).name if nodes else None

  def client(self):
    """One whose node answers."""
    found = [c for c in self.world.clients if c.node in
             self.world.answering() and c.life == c.node.lives]
    return self.random.choice(found) if found else None

  def connect(self):
    node = self.pick(self.world.answering())
    if node is None:
      return None
    grace = self.random.choice(["", f" grace {GRACE}s"])
    line = f"track {node} room:{self.random.randrange(4)} u{self.next_key}"
    self.next_key += 1
    return line + grace

  def disconnect(self):
    client = self.client()
    return client and f"leave {client.key}"

  def update(self):
    client = self.client()
    return client and (f"update {client.topic} {client.key} "
                       f"m{self.random.randrange(1000)}")

  def move(self):
    clients = [c for c in self.world.clients if c.grace]
    node = self.pick(self.world.answering())
    if not clients or node is None:
      return None
    return f"move {self.random.choice(clients).key} {node}"

  def start(self):
    dead = [n for n in self.world.nodes.values() if not n.runs]
    return dead and f"start {self.pick(dead)}"

  def end(self, verb):
    # Somebody is left.
    if len(self.world.answering()) < 3:
      return None
    return f"{verb} {self.pick(self.world.answering())}"

  def thaw(self):
    frozen = [n for n in self.world.running() if n.frozen]
    return frozen and f"thaw {self.pick(frozen)}"

  def split(self):
    nodes = self.random.sample(NODES, len(NODES))
    at = self.random.randrange(1, len(nodes))
    return (f"split {' '.join(nodes[:at])} | {' '.join(nodes[at:])}"
            f"{self.random.choice(['', ' reset'])}")

  def cut(self):
    first, second = self.random.sample(NODES, 2)
    arrow = self.random.choice(["", "> "])
    return f"cut {first} {arrow}{second}{self.random.choice(['', ' reset'])}"

  def lose(self):
    return f"lose {self.random.choice([0, 5, 10])}%"

  def delay(self):
    if not self.world.network.can_delay:
      return None
    return f"delay {self.random.choice(['off', '0ms jitter 100ms', '50ms'])}"

  def slow(self):
    rate = self.random.choice(["off", "500kbit", "10mbit"])
    return f"slow {self.random.choice(NODES)} {rate}"

  def make(self, kind):
    if kind in ("kill", "stop", "off", "freeze"):
      return self.end(kind)
    if kind == "heal":
      return "heal"
    return getattr(self, kind)()

  def step(self):
    kind = self.random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    line = self.make(kind)
    if not line:
      return
    key = {"leave": 1, "move": 1, "update": 2}.get(line.split()[0])
    if self.do(line):
      self.done[kind] += 1
    elif line.startswith("start"):
      raise runner.Broken(self.script[-1])
    elif key:
      # What became of it is not known: that client is no more.
      name = line.split()[key]
      if any(c.key == name for c in self.world.clients):
        self.world.lose(name)
    self.do(f"wait {self.random.choice([0, 10, 50, 200, 500])}ms")

  def quiet(self):
    """Heals all; every node that runs must come to list the model."""
    self.do("heal")
    for name in sorted(self.world.network.rates):
      self.do(f"slow {name} off")
    if self.world.network.delays:
      self.do("delay off")
    for node in self.world.running():
      if node.frozen:
        self.do(f"thaw {node.name}")
    # Clients whose node is gone, or has dropped them meanwhile, are no more:
    # what they tracked must go.
    for client in list(self.world.clients):
      if not self.is_held(client):
        client.drop()
        self.world.clients.remove(client)
    began = time.monotonic()
    if worlds.wait_until(self.all_is_as_modelled, SLOW_SECONDS) is None:
      self.runner.tell(self.difference(SLOW_SECONDS))
      if worlds.wait_until(self.all_is_as_modelled,
                           QUIET_SECONDS - SLOW_SECONDS) is None:
        raise runner.Broken(self.difference(QUIET_SECONDS))
    self.no_bugs()
    took = time.monotonic() - began
    self.slowest_quiet = max(self.slowest_quiet, took)
    self.done["quiet points"] += 1

  def no_bugs(self):
    """What a node counts or shows that only a fault makes."""
    for node in self.world.running():
      counters = self.world.status(node).counters
      for name in BUGS:
        if counters[name]:
          raise runner.Broken(f"{node.name} counts {counters[name]} {name}")
      faults = self.watches[node.name].faults
      if faults:
        raise runner.Broken(f"the watch at {node.name}: {'; '.join(faults)}")

  def is_held(self, client):
    if not client.node.runs or client.life != client.node.lives:
      return False
    try:
      client.update(client.meta + "'")
      return True
    except (worlds.HarnessError, grpc.RpcError):
      return False

  def all_is_as_modelled(self):
    world = self.world
    names = sorted(node.name for node in world.running())
    model = world.model()
    return all(
        world.listed(node) == model and
        self.watches[node.name].listed() == model and
        sorted(n for n, state in world.states(node.name).items()
               if state == "alive") == names
        for node in world.running()) and self.runner.equal()

  def difference(self, seconds):
    """What each node lists too much or too little."""
    model = collections.Counter(self.world.model())
    lines = [f"not as modelled after {seconds:g} s"]
    for node in self.world.running():
      try:
        listed = collections.Counter(self.world.listed(node))
        shown = collections.Counter(self.watches[node.name].listed())
        states = self.world.states(node.name)
      except grpc.RpcError as error:
        lines.append(f"  {node.name}: {error.details()}")
        continue
      lines.append(f"  {node.name}: lacks {sorted((model - listed))}, has too "
                   f"many {sorted((listed - model))}, sees {states}; its watch "
                   f"lacks {sorted(model - shown)}, has too many "
                   f"{sorted(shown - model)}")
    return "\n".join(lines)

  def run(self):
    self.do(f"start {len(NODES)}")
    for number in range(1, self.steps + 1):
      self.step()
      if number % QUIET_EVERY == 0 or number == self.steps:
        self.quiet()


def run_many(options, network, tell):
  """The number of runs that did not hold."""
  failed, total = 0, collections.Counter()
  slowest, began = 0.0, time.monotonic()
  for seed in range(options.seed, options.seed + options.runs):
    tell(f"== random run, seed {seed}, {options.steps} steps")
    run = Run(seed, options.steps, options, network, tell)
    try:
      run.run()
      run.world.remove_logs()
    except (runner.Broken, grpc.RpcError, worlds.HarnessError) as broken:
      failed += 1
      with tempfile.NamedTemporaryFile(
          "w", prefix=f"muster-run-{seed}-", suffix=".scenario",
          delete=False) as file:
        file.write("\n".join(run.script) + "\n")
      logs = " ".join(node.log.name for node in run.world.nodes.values())
      print(f"FAILED run of seed {seed}, after {len(run.script)} lines: "
            f"{broken}\n  as a scenario: {file.name}\n  logs: {logs}",
            flush=True)
    finally:
      run.world.stop()
      network.reset()
    if network.lag > LATE:
      print(f"  the harness itself was {network.lag:.2f} s late in this run: "
            "the machine is too busy", flush=True)
    network.lag = 0.0
    total.update(run.done)
    slowest = max(slowest, run.slowest_quiet)
  done = ", ".join(f"{count} {kind}" for kind, count in sorted(total.items()))
  print(f"{options.runs} random runs, {failed} failed, in "
        f"{time.monotonic() - began:.0f} s: {done}; slowest to be equal "
        f"{slowest:.2f} s", flush=True)
  return failed
