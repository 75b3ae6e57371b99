"""Random runs: weighted faults and clients, and a model at every quiet point.

A run is a scenario that is made up as it goes, so that a run that failed is a
file to run again: what it expects at each quiet point is written into it, and a
step that failed and was put up with is a comment. The model is the clients that
are there: what each of them tracks, and nothing else, must be listed by every
node once all is healed. Keys are counted up, added to, pushed to and popped from:
what was acknowledged must be there, unless two failures at once excuse its loss.
"""

import collections
import random
import tempfile
import time

import grpc

import faults
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
# Within a pause that short, a replay need not wait too.
SHORT = 0.1
# What may fail, since the node may have dropped the client meanwhile.
FORGIVEN = ("track", "leave", "move", "update", "kv")
# How long a command on keys may take. It waits for a leader.
KV_SECONDS = 3.0
# Of each node that starts.
WATCHED = "room:*"
# Later than this with a packet, the harness may itself make downs.
LATE = 0.5
BUGS = ("digest_mismatches", "bad_peer_frames", "peer_bad_frames",
        "peer_bad_datagrams")
WEIGHTS = {
    "connect": 30, "disconnect": 12, "update": 12, "move": 8, "start": 14,
    "kill": 5, "stop": 4, "off": 2, "freeze": 5, "thaw": 6, "split": 5,
    "cut": 6, "heal": 5, "lose": 2, "delay": 3, "slow": 2,
    "count": 6, "add": 5, "remove": 3, "push": 5, "pop": 4,
}
DEATHS = ("kill", "stop", "off")
FAULTS = (*DEATHS, "start", "freeze", "split", "cut", "lose", "delay", "slow")


class Run:
  """One run of `steps` steps."""

  def __init__(self, seed, steps, options, network, tell):
    self.random = random.Random(seed)
    self.steps = steps
    self.world = worlds.World(options.binary, network, options.flags)
    self.world.keyspace.patience = KV_SECONDS
    self.runner = runner.Runner(self.world, tell)
    self.faulty = False  # Something was at fault since the last quiet point.
    self.members = []  # Of the set, those that were added.
    self.fast = options.fast
    self.script = []
    self.done = collections.Counter()
    self.baseless = 0  # Downs that nothing explains.
    self.slowest_quiet = 0.0
    self.next_key = 1

  def do(self, line):
    """Runs a line. False if it failed and that is forgiven: what became of it
    is not known."""
    step = scenario.parse_line(len(self.script) + 1, line)
    began = time.monotonic()
    self.script.append(line)
    try:
      self.runner.run([step])
    except runner.Broken as broken:
      if step.verb not in FORGIVEN:
        raise
      self.script[-1] = as_comment(f"{line}: {broken}")
      took = time.monotonic() - began
      if took > SHORT:
        self.script.append(f"wait {took * 1000:.0f}ms")
      return False
    if step.verb == "start":
      for name in step.arguments["nodes"]:
        self.do(f"watch {name} {WATCHED}")
    return True

  def lost(self, key):
    """That client is no more, if it is there at all."""
    if any(client.key == key for client in self.world.clients):
      self.do(f"lost {key}")

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

  def kv(self, command):
    node = self.pick(self.world.answering())
    return node and f"kv {node} {command}"

  def word(self):
    """Written once."""
    self.next_key += 1
    return f"k{self.next_key - 1}"

  def count(self):
    return self.kv("INCR run:n")

  def add(self):
    self.members.append(self.word())
    return self.kv(f"SADD run:s {self.members[-1]}")

  def remove(self):
    if not self.members:
      return None
    self.random.shuffle(self.members)
    return self.kv(f"SREM run:s {self.members.pop()}")

  def push(self):
    return self.kv(f"RPUSH run:q {self.word()}")

  def pop(self):
    return self.kv("LPOP run:q")

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
    if kind in DEATHS and self.faulty:
      self.do("excuse")
    self.faulty = self.faulty or kind in FAULTS
    key = {"leave": 1, "move": 1, "update": 2}.get(line.split()[0])
    if self.do(line):
      self.done[kind] += 1
    elif key:
      self.lost(line.split()[key])
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
        self.lost(client.key)
    began = time.monotonic()
    names = " ".join(sorted(node.name for node in self.world.running()))
    expected = [f"expect {what}"
                for what in ("held", f"all members = {names}", "led", "equal",
                             "kept")]
    self.script += [
        line.replace("expect", f"eventually {QUIET_SECONDS:g}s")
        for line in expected]
    self.await_all(scenario.parse("\n".join(expected)))
    took = time.monotonic() - began
    self.slowest_quiet = max(self.slowest_quiet, took)
    self.no_bugs()
    # One that is down counts as the first of two failures.
    self.faulty = any(not node.runs for node in self.world.nodes.values())
    self.done["quiet points"] += 1

  def await_all(self, steps):
    """All of it must hold at one moment."""
    def holds():
      return all(self.runner.holds(step.arguments["what"]) for step in steps)
    if worlds.wait_until(holds, SLOW_SECONDS) is None:
      self.runner.tell(self.difference(SLOW_SECONDS))
      if worlds.wait_until(holds, QUIET_SECONDS - SLOW_SECONDS) is None:
        raise runner.Broken(self.difference(QUIET_SECONDS))

  def no_bugs(self):
    """What a node counts or shows that only a fault makes."""
    for name in BUGS:
      self.do(f"expect all counter {name} = 0")
    for node in self.world.running():
      self.do(f"expect saw {node.name} {WATCHED} = +* ~* -*")
    self.baseless += len(self.world.baseless())
    # One that is late itself makes some of its own.
    if self.fast or self.world.network.lag > LATE:
      self.world.settle()
    else:
      self.do("expect blameless")

  def is_held(self, client):
    return client.node.runs and client.life == client.node.lives and (
        self.do(f"update {client.topic} {client.key} {client.meta}'"))

  def difference(self, seconds):
    """What each node lists too much or too little."""
    model = collections.Counter(self.world.model())
    lines = [f"not as modelled after {seconds:g} s"]
    for node in self.world.running():
      try:
        listed = collections.Counter(self.world.listed(node))
        shown = collections.Counter(
            self.world.watches[node.name, WATCHED].listed())
        states = self.world.states(node.name)
      except grpc.RpcError as error:
        lines.append(f"  {node.name}: {faults.why(error)}")
        continue
      lines.append(f"  {node.name}: lacks {sorted((model - listed))}, has too "
                   f"many {sorted((listed - model))}, sees {states}; its watch "
                   f"lacks {sorted(model - shown)}, has too many "
                   f"{sorted(shown - model)}")
    lines.append(f"  keys: {self.keys()}")
    if self.world.ended_by_themselves():
      lines.append(f"  {self.world.ended_by_themselves()}")
    return "\n".join(lines)

  def keys(self):
    """Who leads, and what of the keys is not as it must be."""
    try:
      return "; ".join([self.world.keyspace.shown(),
                        *self.world.keyspace.lost()])
    except faults.FAULTS as error:
      return faults.why(error)

  def run(self):
    self.do(f"start {len(NODES)}")
    for number in range(1, self.steps + 1):
      self.step()
      if number % QUIET_EVERY == 0 or number == self.steps:
        self.quiet()


def as_comment(text):
  """Of one line, whatever the text."""
  return f"# {' '.join(text.split())}"


def write(run, seed, why):
  """The run as a scenario; returns the name of its file."""
  with tempfile.NamedTemporaryFile(
      "w", prefix=f"muster-run-{seed}-", suffix=".scenario",
      delete=False) as file:
    lines = [f"# A random run of seed {seed}, which did not hold; see the end.",
             *run.script, *map(as_comment, why.splitlines())]
    file.write("\n".join(lines) + "\n")
  return file.name


def run_many(options, network, tell):
  """The number of runs that did not hold."""
  failed, total = 0, collections.Counter()
  slowest, baseless, began = 0.0, 0, time.monotonic()
  for seed in range(options.seed, options.seed + options.runs):
    tell(f"== random run, seed {seed}, {options.steps} steps")
    run = Run(seed, options.steps, options, network, tell)
    try:
      run.run()
      run.world.remove_logs()
    except (runner.Broken, *faults.FAULTS) as fault:
      failed += 1
      broken = str(fault) if isinstance(fault, runner.Broken) else (
          faults.why(fault))
      logs = " ".join(node.log.name for node in run.world.nodes.values())
      print(f"FAILED run of seed {seed}, after {len(run.script)} lines: "
            f"{broken}\n  as a scenario: {write(run, seed, broken)}\n"
            f"  logs: {logs}", flush=True)
    finally:
      run.world.stop()
      network.reset()
    if network.lag > LATE:
      print(f"  the harness itself was {network.lag:.2f} s late in this run: "
            "the machine is too busy", flush=True)
    network.lag = 0.0
    total.update(run.done)
    slowest = max(slowest, run.slowest_quiet)
    baseless += run.baseless
  done = ", ".join(f"{count} {kind}" for kind, count in sorted(total.items()))
  print(f"{options.runs} random runs, {failed} failed, in "
        f"{time.monotonic() - began:.0f} s: {done}; slowest to be equal "
        f"{slowest:.2f} s; {baseless} false downs", flush=True)
  return failed
