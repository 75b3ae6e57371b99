"""The tour of ops/demo: three nodes, users, a kill, a freeze, and back.

Prints what each node sees and how long it took, checks it, and exits 1 if
anything is not as it should be. Times are from this process: the reading of a
line is the moment that counts.
"""

import argparse
import itertools
import os
import random
import signal
import statistics
import sys
import time

import local_cluster
from local_cluster import wait_until

ROOMS = ("room:garden", "room:kitchen", "room:library")
USERS_PER_NODE = 5
MOVERS_PER_NODE = 2
CHURN_SECONDS = 5

# What is promised, and what the tour still accepts on a machine that is busy
# with other things; in seconds.
KILLED = (0.5, 2.0)
FROZEN = (3.0, 4.5)
BACK = (0.5, 2.5)


class Tour:
  """The cluster and the course of events."""

  def __init__(self, binary):
    self.binary = binary
    self.began = time.monotonic()
    self.faults = 0
    taken = set()
    addresses = {name: f"127.0.0.1:{local_cluster.free_port(taken)}"
                 for name in "abc"}
    self.nodes = {
        name: local_cluster.Node(
            binary, name, address,
            [other for other in addresses.values() if other != address])
        for name, address in addresses.items()}
    self.rolls = {}
    self.members = {}
    self.users = []
    self.numbers = itertools.count(1)
    self.random = random.Random(7)

  # ------------------------------------------------------------- telling

  def say(self, text):
    print(f"[{time.monotonic() - self.began:7.3f}] {text}", flush=True)

  def check(self, holds, text):
    """Says what holds; counts what does not."""
    if holds:
      self.say(f"  ok      {text}")
    else:
      self.faults += 1
      self.say(f"  FAILED  {text}")
    return holds

  def timed(self, when, since, limits, text):
    """Checks that something happened in time."""
    promised, accepted = limits
    if when is None:
      return self.check(False, f"{text}: not within {accepted} s")
    took = when - since
    late = "" if took <= promised else f", promised within {promised} s"
    return self.check(took <= accepted, f"{text} after {took:.3f} s{late}")

  # --------------------------------------------------------------- steps

  def start(self):
    self.say("three nodes start")
    for node in self.nodes.values():
      seconds = node.start()
      self.say(f"  {node.name} is ready at {node.address} "
               f"({seconds * 1000:.0f} ms)")
    for name, node in self.nodes.items():
      self.rolls[name] = local_cluster.Roll(self.binary, node, "room:")
      self.members[name] = local_cluster.Members(self.binary, node)
    names = set(self.nodes)
    together = wait_until(
        lambda: all(m.states.keys() >= names and
                    set(m.states.values()) == {"alive"}
                    for m in self.members.values()), 15)
    self.check(together, "each node sees all three alive")

  def add_user(self, name, mover=False):
    """Somebody comes, to the node of that name. A mover knows the others,
    too, and has a grace in which to get there."""
    addresses = [self.nodes[name].address]
    if mover:
      addresses += [n.address for n in self.nodes.values() if n.name != name]
    number = next(self.numbers)
    user = local_cluster.User(
        self.binary, f"{'mover' if mover else 'user'}:{number:03}",
        self.random.choice(ROOMS), addresses, 10_000 if mover else 0)
    user.node = name
    self.users.append(user)

  def fill(self):
    self.say(f"users come: {USERS_PER_NODE} to each node, and "
             f"{MOVERS_PER_NODE} who may move")
    for name in self.nodes:
      for _ in range(USERS_PER_NODE):
        self.add_user(name)
      for _ in range(MOVERS_PER_NODE):
        self.add_user(name, mover=True)
    self.check_equal("the roll is the same on all three")

  def churn(self, seconds):
    self.say(f"users come and go for {seconds} s")
    end = time.monotonic() + seconds
    began = time.monotonic()
    while time.monotonic() < end:
      leaver = self.random.choice(
          [user for user in self.users if user.grace_ms == 0])
      self.users.remove(leaver)
      leaver.leave()
      self.add_user(leaver.node)
      self.say("  entries: " + "  ".join(
          f"{name} {len(roll.entries)}" for name, roll in self.rolls.items()))
      time.sleep(0.5)
    self.check_equal("the roll is the same on all three again")
    self.tell_spread(began)

  def tell_spread(self, began):
    """How long a join took from the first node that showed it to the last."""
    seen = {}
    for roll in self.rolls.values():
      for when, _, entry in roll.since(began, "join"):
        seen.setdefault(entry, []).append(when)
    spread = [max(times) - min(times) for times in seen.values()
              if len(times) == len(self.rolls)]
    if spread:
      self.say(f"  {len(spread)} joins; from the first node to the last: "
               f"median {statistics.median(spread) * 1000:.1f} ms, "
               f"at most {max(spread) * 1000:.1f} ms")

  def expected(self):
    return sorted(user.entry for user in self.users)

  def check_equal(self, text, names="abc", seconds=20):
    """Each node lists every user, once, and nobody else."""
    want = self.expected()
    equal = wait_until(
        lambda: all(sorted(self.rolls[n].entries.values()) == want
                    for n in names), seconds)
    self.check(equal, f"{text}: {len(want)} entries")
    for node in self.nodes.values():
      if node.process.poll() is not None:
        self.check(False, f"{node.name} still runs: it exited with "
                   f"{node.process.returncode}")
    if not equal:
      for name in names:
        have = self.rolls[name].keys()
        self.say(f"          {name} lacks "
                 f"{[e for e in want if e not in have]}, has too many of "
                 f"{sorted((have - type(have)(want)).elements())}")
    return equal

  def entries_of(self, name):
    """Of users who stay with a node; movers go elsewhere."""
    return {u.entry for u in self.users if u.node == name and not u.grace_ms}

  def gone_at(self, name, entries, began):
    """When the last of the entries had left the roll of a node."""
    leaves = {e: when for when, event, e in self.rolls[name].since(began)
              if event == "leave"}
    if not entries <= leaves.keys():
      return None
    return max(leaves[e] for e in entries)

  def back_at(self, name, entries, began):
    joins = {e: when for when, event, e in self.rolls[name].since(began)
             if event in ("join", "update")}
    if not entries <= joins.keys():
      return None
    return max(joins[e] for e in entries)

  def see_down(self, victim, since, limits):
    """Waits until the others hide a node's entries; says when they did."""
    others = [name for name in self.nodes if name != victim]
    entries = self.entries_of(victim)
    wait_until(
        lambda: all(self.gone_at(n, entries, since) is not None and
                    self.members[n].first(victim, "down", since) is not None
                    for n in others), 10)
    for name in others:
      self.timed(self.members[name].first(victim, "down", since), since,
                 limits, f"{name} sees {victim} down")
      self.timed(self.gone_at(name, entries, since), since, limits,
                 f"{name} shows none of its {len(entries)} users")

  def kill(self, victim):
    self.say(f"kill -9 {victim}")
    since = time.monotonic()
    self.nodes[victim].kill()
    self.see_down(victim, since, KILLED)
    movers = [u.entry for u in self.users if u.grace_ms]
    others = [name for name in self.nodes if name != victim]
    left = [e for name in others
            for _, event, e in self.rolls[name].since(since)
            if event == "leave" and e in movers]
    self.check(not left, f"nobody saw its {MOVERS_PER_NODE} movers leave: "
               "they went on elsewhere within their grace")

    self.say(f"{victim} starts again")
    since = time.monotonic()
    seconds = self.nodes[victim].start()
    self.say(f"  ready after {seconds * 1000:.0f} ms")
    wait_until(lambda: all(
        self.members[name].first(victim, "alive", since) is not None
        for name in others), 15)
    for name in others:
      self.timed(self.members[name].first(victim, "alive", since), since,
                 (3.0, 8.0), f"{name} sees {victim} alive")
    self.check_equal("its users are back, and all three show the same roll")

  def freeze(self, victim):
    self.say(f"SIGSTOP {victim}")
    others = [name for name in self.nodes if name != victim]
    since = time.monotonic()
    self.nodes[victim].send(signal.SIGSTOP)
    self.see_down(victim, since, FROZEN)

    self.say(f"SIGCONT {victim}")
    entries = self.entries_of(victim)
    since = time.monotonic()
    self.nodes[victim].send(signal.SIGCONT)
    wait_until(lambda: all(self.back_at(n, entries, since) is not None
                           for n in others), 10)
    for name in others:
      self.timed(self.back_at(name, entries, since), since, BACK,
                 f"{name} shows its {len(entries)} users again")
    self.check_equal("all three show the same roll, nobody twice")
    blamed = [who for when, who, state in self.members[victim].changes
              if when >= since and state == "down"]
    self.check(not blamed, f"{victim} blamed nobody for its own sleep")

  def drain(self):
    self.say("SIGTERM to all three")
    since = time.monotonic()
    for node in self.nodes.values():
      node.send(signal.SIGTERM)
    for node in self.nodes.values():
      try:
        code = node.process.wait(timeout=15)
      except local_cluster.subprocess.TimeoutExpired:
        code = None
      self.check(code == 0, f"{node.name} drained and exited "
                 f"after {time.monotonic() - since:.3f} s")

  def leave_all(self):
    self.say("every user leaves")
    for user in self.users:
      user.leave()
    self.users = []
    self.check_equal("nobody is present")


def run(tour, once):
  tour.start()
  tour.fill()
  tour.churn(CHURN_SECONDS)
  tour.kill("c")
  tour.freeze("b")
  if not once:
    at = ",".join(node.address for node in tour.nodes.values())
    tour.say("The cluster goes on until Ctrl-C. In another terminal:\n"
             f"  {tour.binary} top --at {at}\n"
             f"  {tour.binary} watch --prefix room: --at {at}")
    while True:
      tour.churn(10)
  tour.leave_all()
  tour.drain()
  if tour.faults == 0:
    for node in tour.nodes.values():
      os.unlink(node.log.name)
    tour.say("all as it should be")
    return 0
  logs = ", ".join(node.log.name for node in tour.nodes.values())
  tour.say(f"{tour.faults} checks failed; the nodes' logs are {logs}")
  return 1


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--binary", required=True)
  parser.add_argument("--once", action="store_true")
  options = parser.parse_args()
  for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda *_: sys.exit(143))
  try:
    return run(Tour(options.binary), options.once)
  except KeyboardInterrupt:
    print("\ninterrupted; the cluster ends")
    return 0
  finally:
    local_cluster.stop_all()


if __name__ == "__main__":
  sys.exit(main())
