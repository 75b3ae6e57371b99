"""What steps do and what expectations hold, with a world that is none."""

import types
import unittest

import main

STUBS = main.make_stubs()
# pylint: disable=wrong-import-position
import keyspace
import network
import runner
import scenario
from downs import Downs
from muster.v1 import cluster_pb2


class NoNetwork(network.Network):

  can_delay = True

  def add(self, node):
    pass

  def listen(self, node):
    return f"{node}:1"

  def apply(self, node):
    pass

  def bytes_sent(self, node):
    return 0


class NoWorld:
  """Nodes that answer what they are given; see World."""

  def __init__(self, names=""):
    self.network = NoNetwork()
    self.nodes = {name: types.SimpleNamespace(name=name, lives=1)
                  for name in names}
    self.watches = {}
    self.marks = {}
    self.downs = Downs()
    self.load = None
    self.keyspace = keyspace.Keyspace(self)
    self.counters = {"pulls": 4}
    self.ended = ""

  def node(self, name):
    return self.nodes[name]

  def answering(self):
    return list(self.nodes.values())

  def ended_by_themselves(self):
    return self.ended

  def baseless(self):
    return self.downs.baseless()

  def settle(self):
    self.downs.settle([])

  def keys(self, _node, _topic):
    return ["u1"]

  def listed(self, _node):
    return [("t", "u1", b"{}")]

  def model(self):
    return self.listed(None)

  def shown(self):
    return []

  def status(self, _node):
    return types.SimpleNamespace(counters=self.counters,
                                 keyspace=cluster_pb2.KeyspaceStatus())

  def mark(self):
    self.marks = {name: (1, dict(self.counters)) for name in self.nodes}

  def states(self, _node):
    return dict.fromkeys(self.nodes, "alive")


def subscriber(*messages):
  """One that runs and has been given these."""
  given = list(messages)

  def heard(wanted):
    held = given == wanted
    if held:
      given.clear()
    return held
  return types.SimpleNamespace(
      heard=heard, held=False, said=["moved"],
      shown=lambda: " ".join(given) or "nothing")


def watched(events=(), faults=(), ended=False):
  return types.SimpleNamespace(events=list(events), faults=list(faults),
                               ended=ended)


class RunnerTest(unittest.TestCase):

  def run_in(self, world, text):
    runner.Runner(world, lambda _: None).run(scenario.parse(text))

  def breaks(self, world, text, said):
    with self.assertRaises(runner.Broken) as broken:
      self.run_in(world, text)
    self.assertIn(said, str(broken.exception))

  def test_losses_and_delays_reach_nodes_that_start_later(self):
    world = NoWorld()
    self.run_in(world, "lose 10%\ndelay 50ms")
    self.assertEqual(set(world.network.losses), set(network.NODES))
    self.assertEqual(set(world.network.delays), set(network.NODES))

  def test_nothing_holds_of_all_where_none_answers(self):
    for what in ("all list t =", "all count = 0", "all members = a",
                 "all counter pulls = 0", "all sees a alive", "held", "equal",
                 "blameless", "all leads", "all follows a", "led", "kept",
                 "all kv GET n = 1"):
      for step in ("expect", "eventually 10ms", "for 10ms"):
        with self.subTest(f"{step} {what}"):
          self.breaks(NoWorld(), f"{step} {what}", "no node runs")

  def test_a_watch_that_contradicted_itself_breaks_a_saw(self):
    world = NoWorld("a")
    world.watches["a", "t"] = watched(["+u1"], ["u1 of t is shown twice"])
    self.breaks(world, "expect saw a t = +u1", "u1 of t is shown twice")

  def test_a_watch_that_has_ended_is_named(self):
    world = NoWorld("a")
    world.watches["a", "t"] = watched(ended=True)
    self.breaks(world, "expect saw a t =", "the watch of t at a has ended")

  def test_a_saw_that_holds_is_over(self):
    world = NoWorld("a")
    world.watches["a", "t"] = watched(["+u1", "~u1"])
    self.run_in(world, "expect saw a t = +u1 ~*\nexpect saw a t =")

  def test_what_is_held_is_shown_by_watches_too(self):
    world = NoWorld("a")
    self.run_in(world, "expect held")
    world.shown = lambda: [("the watch of t at a", [], world.model())]
    self.breaks(world, "expect held", "the watch of t at a: []")

  def test_what_was_heard_is_over_once_it_held(self):
    world = NoWorld("a")
    world.subscriber = {"s1": subscriber("news/one", "news/two")}.get
    self.breaks(world, "expect heard s1 = news/two news/one",
                "it heard news/one news/two")
    self.run_in(world, "expect heard s1 = news/one news/two\n"
                "expect heard s1 =")

  def test_a_subscriber_that_does_not_hold_is_quoted(self):
    world = NoWorld("a")
    world.subscriber = {"s1": subscriber()}.get
    self.breaks(world, "expect s1 subscribed", "it said moved")

  def test_subscribers_are_counted_where_it_is_asked(self):
    world = NoWorld("ab")
    world.subscribers_of = lambda node, channel: (
        2 if (node, channel) == ("a", "news") else 0)
    self.run_in(world, "expect a subscribers news = 2")
    self.breaks(world, "expect all subscribers news = 2", "a: 2; b: 0")

  def test_each_payload_is_published_by_itself(self):
    world = NoWorld("a")
    published = []
    world.publish = lambda *what: published.append(what)
    self.run_in(world, "publish a news one two")
    self.assertEqual(published, [("a", "news", "one"), ("a", "news", "two")])

  def test_a_gain_is_since_the_mark_of_the_same_life(self):
    world = NoWorld("a")
    self.breaks(world, "expect a gained pulls = 0", "`mark` must come before")
    self.run_in(world, "mark\nexpect a gained pulls = 0")
    world.counters["pulls"] += 2
    self.run_in(world, "expect a gained pulls = 2\nexpect a counter pulls = 6")
    world.nodes["a"].lives += 1
    self.breaks(world, "expect a gained pulls = 2", "`mark` must come before")

  def test_who_is_seen_as_down_for_no_reason_is_told(self):
    world = NoWorld("abc")
    seen = types.SimpleNamespace(seen=[])
    world.downs.follow("a", seen)
    world.nodes["c"].freeze = lambda: None
    self.run_in(world, "freeze c")
    now = runner.time.monotonic()
    seen.seen += [(now, "b"), (now, "c")]
    self.breaks(world, "expect blameless", "blameless: a saw b as down")
    seen.seen.pop(0)
    self.run_in(world, "expect blameless")

  def test_every_way_to_be_at_fault_is_a_reason(self):
    for line, nodes in (("kill a", "a"), ("stop a", "a"), ("off a", "a"),
                        ("freeze a", "a"), ("cut a > b", "ab"),
                        ("split a | b c", "abc"), ("lose 5% a", "a"),
                        ("lose 5%", network.NODES), ("lose 0%", ""),
                        ("heal", ""), ("thaw a", ""), ("mend a b", "")):
      with self.subTest(line):
        step, = scenario.parse(line)
        self.assertEqual("".join(runner.at_fault(step)), nodes)

  def test_whatever_goes_wrong_is_told_with_its_line(self):
    for fault in (RuntimeError("tc: no such\ndevice"),
                  OSError(2, "No such file", "muster"),
                  runner.FAULTS[0]("not so")):
      world = NoWorld("a")

      def fail(*_, fault=fault):
        raise fault
      world.network.apply = fail
      with self.subTest(fault):
        self.breaks(world, "say x\ncut a b", "line 2: cut a b: ")

  def test_a_node_that_ends_by_itself_breaks_the_step(self):
    world = NoWorld("a")
    world.ended = "a has ended by itself, with -6"
    self.breaks(world, "wait 0s", "line 1: wait 0s: a has ended by itself")


if __name__ == "__main__":
  unittest.main()
