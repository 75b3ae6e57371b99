"""Runs the steps of a scenario against a world."""

import dataclasses
import signal
import time

import grpc

from faults import FAULTS, HarnessError, why
import keyspace
from load import Load
from network import NODES
from world import wait_until

# Where a parsed expectation holds what it wants.
WANTED = {"list": "keys", "count": "count", "members": "members",
          "sees": "state", "subscribers": "count"}
# How often a condition that must hold on is looked at, in seconds.
LOOK_EVERY = 0.25


class Broken(Exception):
  """An expectation did not hold, or a step could not be done."""


def at_fault(step):
  """The nodes that the step makes go, sleep, or hear or be heard badly."""
  arguments = step.arguments
  if step.verb in ("kill", "stop", "off", "freeze"):
    return [arguments["node"]]
  if step.verb == "cut":
    return [arguments["from"], arguments["to"]]
  if step.verb == "split":
    return [node for group in arguments["groups"] for node in group]
  if step.verb == "lose" and arguments["share"]:
    return [arguments["node"]] if arguments["node"] else list(NODES)
  return []


class Runner:
  """`tell` is called with a line of text for every step."""

  def __init__(self, world, tell):
    self.world = world
    self.tell = tell
    self.began = time.monotonic()

  def run(self, steps):
    for step in steps:
      took = self.do(step)
      note = "" if took is None else f"    ({took:.2f} s)"
      self.tell(f"[{time.monotonic() - self.began:7.2f}] {step.text}{note}")

  def do(self, step):
    """Returns the seconds that an `eventually` took, else None."""
    where = f"line {step.line}: {step.text}"
    try:
      step = dataclasses.replace(
          step, arguments=self.world.keyspace.resolved(step.arguments))
      self.world.downs.excuse(at_fault(step))
      took = getattr(self, "_" + step.verb)(**step.arguments)
    except FAULTS as error:
      ended = self.world.ended_by_themselves()
      raise Broken(f"{where}: {why(error)}" +
                   (f"; {ended}" if ended else "")) from error
    except Broken as broken:
      raise Broken(f"{where}: {broken}") from None
    ended = self.world.ended_by_themselves()
    if ended:
      raise Broken(f"{where}: {ended}")
    return took

  # --------------------------------------------------------------- verbs

  def _start(self, nodes, old):
    self.world.start(nodes, old)

  def _track(self, **what):
    self.world.track(**what)

  def _untrack(self, **what):
    self.world.untrack(**what)

  def _update(self, **what):
    self.world.update(**what)

  def _leave(self, key):
    self.world.leave(key)

  def _move(self, key, node):
    self.world.move(key, node)

  def _lost(self, key):
    self.world.lose(key)

  def _load(self, count, topic):
    if count:
      if self.world.load is not None:
        raise HarnessError("there is a load already: `load off` ends it")
      self.world.load = Load(self.world, count, topic)
      return
    if self.world.load is None:
      raise HarnessError("there is no load")
    load, self.world.load = self.world.load, None
    load.end()
    self.tell(f"            {load.updates} updates, {load.moves} moves")

  def _split(self, groups, reset):
    for group in groups:
      for other in groups:
        if group is other:
          continue
        for sender in group:
          for receiver in other:
            self.world.network.cut(sender, receiver, reset)

  def _directions(self, pair):
    yield pair["from"], pair["to"]
    if not pair["one_way"]:
      yield pair["to"], pair["from"]

  def _cut(self, **pair):
    for sender, receiver in self._directions(pair):
      self.world.network.cut(sender, receiver, pair["reset"])

  def _mend(self, **pair):
    for sender, receiver in self._directions(pair):
      self.world.network.mend(sender, receiver)

  def _heal(self):
    self.world.network.heal()

  def _lose(self, share, node):
    for name in [node] if node else NODES:
      self.world.network.lose(name, share)

  def _slow(self, node, rate):
    self.world.network.slow(node, rate)

  def _delay(self, node, least, jitter):
    for name in [node] if node else NODES:
      self.world.network.delay(name, least, jitter)

  def _freeze(self, node):
    self.world.node(node).freeze()

  def _thaw(self, node):
    self.world.node(node).thaw()

  def _kill(self, node):
    self.world.end_node(node, signal.SIGKILL)

  def _stop(self, node):
    self.world.end_node(node, signal.SIGTERM)

  def _off(self, node):
    self.world.end_node(node, signal.SIGKILL, off=True)

  def _twin(self, node):
    said = self.world.twin(node)
    self.tell(f"            {said}")

  def _watch(self, node, topic):
    self.world.watch(node, topic)

  def _subscribe(self, **what):
    self.world.subscribe(**what)

  def _unsubscribe(self, name):
    self.world.unsubscribe(name)

  def _publish(self, node, channel, payloads):
    for payload in payloads:
      self.world.publish(node, channel, payload)

  def _roles(self):
    self.tell(f"            {self.world.keyspace.find_roles(wait_until)}")

  def _kv(self, **what):
    self.world.keyspace.kv(**what)

  def _writers(self, count, nodes):
    if count:
      self.world.keyspace.write(count, nodes)
    else:
      self.tell(f"            {self.world.keyspace.rest()}")

  def _excuse(self):
    self.world.keyspace.excuse()

  def _mark(self):
    self.world.mark()

  def _say(self, text):
    pass

  def _wait(self, seconds):
    time.sleep(seconds)

  def _expect(self, what):
    if not self.holds(what):
      raise Broken(self.instead(what))

  def _eventually(self, seconds, what):
    took = wait_until(lambda: self.holds(what), seconds)
    if took is None:
      raise Broken(f"not within {seconds:g} s: {self.instead(what)}")
    return took

  def _for(self, seconds, what):
    end = time.monotonic() + seconds
    while True:
      self._expect(what)
      left = end - time.monotonic()
      if left <= 0:
        return
      time.sleep(min(LOOK_EVERY, left))

  # -------------------------------------------------------- expectations

  def answering(self):
    """At least one: what is said of all must not hold because there are
    none."""
    nodes = self.world.answering()
    if not nodes:
      raise HarnessError("no node runs that could answer")
    return nodes

  def asked(self, what):
    """The nodes that an expectation is about."""
    if what["node"] == "all":
      return [node.name for node in self.answering()]
    return [what["node"]]

  def holds(self, what):
    kind = what["kind"]
    if kind in keyspace.KINDS:
      self.answering()
      return self.world.keyspace.holds(what)
    if kind == "equal":
      return self.equal()
    if kind == "held":
      model = self.world.model()
      return all(self.world.listed(node) == model
                 for node in self.answering()) and all(
                     shown == wanted
                     for _, shown, wanted in self.world.shown())
    if kind == "saw":
      return self.saw(what)
    if kind == "heard":
      return self.world.subscriber(what["name"]).heard(what["messages"])
    if kind == "subscribed":
      return self.world.subscriber(what["name"]).held
    if kind == "blameless":
      return self.blameless()
    if kind in ("counter", "gained"):
      return all(keyspace.COMPARE[what["than"]](self.seen(kind, what, node),
                                       what["count"])
                 for node in self.asked(what))
    return all(self.seen(kind, what, node) == what[WANTED[kind]]
               for node in self.asked(what))

  def seen(self, kind, what, node):
    world = self.world
    if kind == "list":
      return world.keys(node, what["topic"])
    if kind == "subscribers":
      return world.subscribers_of(node, what["channel"])
    if kind == "count":
      return world.status(world.node(node)).entries
    if kind in ("counter", "gained"):
      counters = world.status(world.node(node)).counters
      if what["name"] not in counters:
        raise HarnessError(f"no counter {what['name']}; there are "
                           f"{' '.join(sorted(counters))}")
      count = counters[what["name"]]
      return count if kind == "counter" else (
          count - self.marked(node)[what["name"]])
    states = world.states(node)
    if kind == "members":
      return sorted(n for n, state in states.items() if state == "alive")
    return states.get(what["other"], "unknown")

  def marked(self, node):
    life, counters = self.world.marks.get(node, (None, None))
    if life != self.world.node(node).lives:
      raise HarnessError(f"`mark` must come before, while this {node} runs")
    return counters

  def blameless(self):
    self.answering()
    if self.world.baseless():
      return False
    self.world.settle()
    return True

  def saw(self, what):
    watch = self.world.watches.get((what["node"], what["topic"]))
    if watch is None:
      raise HarnessError(f"`watch {what['node']} {what['topic']}` must come "
                         "before")
    if watch.faults:
      raise Broken("; ".join(watch.faults))
    if watch.ended:
      raise HarnessError(f"the watch of {what['topic']} at {what['node']} has "
                         f"ended; it saw {' '.join(watch.events) or 'nothing'}")
    seen = len(watch.events)
    any_of = {event[0] for event in what["events"] if event[1:] == "*"}
    if [e for e in watch.events[:seen] if e[0] not in any_of] != [
        e for e in what["events"] if e[1:] != "*"]:
      return False
    del watch.events[:seen]
    return True

  def equal(self):
    """All that run list the same, and stand at the same digests."""
    nodes = self.answering()
    lists = [self.world.listed(node) for node in nodes]
    statuses = [self.world.status(node) for node in nodes]
    # What ended lives left behind is forgotten by each node in its own time.
    lives = {status.life_id for status in statuses}
    digests = [sorted((s.node, s.kind, s.seq, s.digest) for s in status.streams
                      if s.life_id in lives) for status in statuses]
    return all(x == lists[0] for x in lists) and all(
        x == digests[0] for x in digests) and self.world.keyspace.equal()

  def instead(self, what):
    """What is there, where something else was expected."""
    kind = what["kind"]
    try:
      if kind in keyspace.KINDS:
        return self.world.keyspace.instead(what)
      if kind == "saw":
        watch = self.world.watches[what["node"], what["topic"]]
        return f"it saw {' '.join(watch.events) or 'nothing'}"
      if kind == "heard":
        return f"it heard {self.world.subscriber(what['name']).shown()}"
      if kind == "subscribed":
        said = self.world.subscriber(what["name"]).said
        return f"it said {'; '.join(said) or 'nothing'}"
      if kind == "blameless":
        return "; ".join(self.world.baseless())
      if kind in ("equal", "held"):
        found = [f"{node.name}: {self.world.listed(node)}"
                 for node in self.world.answering()]
        if kind == "held":
          found.insert(0, f"wanted: {self.world.model()}")
          found += [f"{what}: {shown}"
                    for what, shown, wanted in self.world.shown()
                    if shown != wanted]
        else:
          found.append(f"keys: {self.world.keyspace.shown()}")
        return "; ".join(found)
      return "; ".join(f"{node}: {self.seen(kind, what, node)}"
                       for node in self.asked(what))
    except grpc.RpcError as error:
      return why(error)
