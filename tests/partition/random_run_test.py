"""A run that did not hold is written as a scenario that can show it."""

import os
import types
import unittest
from unittest import mock

import main

STUBS = main.make_stubs()
# pylint: disable=wrong-import-position
import random_run
import runner
import scenario


class Tries:
  """Does nothing, and fails where it is told to."""

  def __init__(self, world, failing):
    self.world = world
    self.failing = failing
    self.done = []

  def run(self, steps):
    for step in steps:
      self.done.append(step.text)
      if step.verb in self.failing:
        raise runner.Broken(f"line {step.line}: {step.text}:\n a\n b")
      if step.verb == "lost":
        self.world.clients.clear()

  def holds(self, _what):
    return True


class RandomRunTest(unittest.TestCase):

  def setUp(self):
    options = types.SimpleNamespace(binary="", flags=[], fast=False)
    network = mock.Mock(lag=0.0, rates={"b": 1}, delays={"b": 1}, cuts={},
                        losses={})
    self.run_ = random_run.Run(7, 10, options, network, lambda _: None)
    self.run_.world.nodes = {
        name: mock.Mock(runs=True, frozen=False, lives=1) for name in "ab"}
    for name, node in self.run_.world.nodes.items():
      node.name = name
      node.cluster.Status().counters = {"stalls": 0}

  def fail(self, *verbs):
    self.run_.runner = Tries(self.run_.world, verbs)

  def client(self):
    node = self.run_.world.nodes["a"]
    return types.SimpleNamespace(key="u1", topic="room:1", meta="{}",
                                 node=node, life=1, drop=lambda: None)

  def written(self, why="x"):
    name = random_run.write(self.run_, 7, why)
    self.addCleanup(os.unlink, name)
    with open(name, encoding="utf-8") as file:
      text = file.read()
    return [step.text for step in scenario.parse(text)], text

  def test_a_step_that_is_put_up_with_is_a_comment_and_its_client_lost(self):
    self.fail("update")
    self.run_.world.clients = [self.client()]
    with mock.patch.object(self.run_, "make", return_value="update room:1 u1 "
                           "m1"), mock.patch.object(
                               self.run_.random, "choices",
                               return_value=["update"]):
      self.run_.step()
    steps, text = self.written()
    self.assertEqual(steps[0], "lost u1")
    self.assertIn("# update room:1 u1 m1: line 1: update room:1 u1 m1: a b\n",
                  text)

  def test_a_step_that_must_not_fail_ends_the_run_and_stays(self):
    for line in ("start a", "kill a", "heal", "expect blameless"):
      with self.subTest(line):
        self.fail(line.split()[0])
        with self.assertRaises(runner.Broken) as broken:
          self.run_.do(line)
        steps, text = self.written(str(broken.exception))
        self.assertEqual(steps[-1], line)
        self.assertTrue(text.endswith("# a\n# b\n"), text)

  def test_a_quiet_point_is_written_with_all_that_it_expects(self):
    self.fail()
    self.run_.quiet()
    steps, _ = self.written()
    self.assertEqual(steps, [
        "heal", "slow b off", "delay off", "eventually 30s held",
        "eventually 30s all members = a b", "eventually 30s led",
        "eventually 30s equal", "eventually 30s kept",
        *[f"expect all counter {name} = 0" for name in random_run.BUGS],
        "expect saw a room:* = +* ~* -*", "expect saw b room:* = +* ~* -*",
        "expect blameless"])

  def test_a_client_that_is_dropped_at_a_quiet_point_is_lost(self):
    self.fail("update")
    self.run_.world.clients = [self.client()]
    self.run_.quiet()
    steps, _ = self.written()
    self.assertIn("lost u1", steps)
    self.assertLess(steps.index("lost u1"), steps.index("eventually 30s held"))

  def test_downs_without_a_reason_are_counted_and_expected_not_to_be(self):
    seen = types.SimpleNamespace(seen=[(0, "b")])
    self.run_.world.downs.follow("a", seen)
    self.fail()
    self.run_.quiet()
    self.assertEqual(self.run_.baseless, 1)
    self.assertIn("expect blameless", self.written()[0])

  def test_a_fast_run_only_counts_them(self):
    seen = types.SimpleNamespace(seen=[(0, "b")])
    self.run_.world.downs.follow("a", seen)
    self.run_.fast = True
    self.fail()
    self.run_.quiet()
    self.assertEqual((self.run_.baseless, seen.seen), (1, []))
    self.assertNotIn("expect blameless", self.written()[0])

  def step(self, kind):
    with mock.patch.object(self.run_.random, "choices", return_value=[kind]):
      self.run_.step()

  def test_keys_are_written_once_each(self):
    self.fail()
    for kind in ("count", "add", "add", "push", "remove", "pop"):
      self.step(kind)
    written = [text.split(maxsplit=2)[2] for text in self.written()[0]
               if text.startswith("kv")]
    self.assertIn(written.pop(4), ("SREM run:s k1", "SREM run:s k2"))
    self.assertEqual(written, [
        "INCR run:n", "SADD run:s k1", "SADD run:s k2", "RPUSH run:q k3",
        "LPOP run:q"])

  def test_a_second_failure_at_once_excuses_what_was_written(self):
    self.fail()
    with mock.patch.object(self.run_, "end", lambda verb: f"{verb} a"):
      self.step("kill")
      self.step("kill")
      self.run_.quiet()
      self.step("stop")
      self.run_.world.nodes["b"].runs = False
      self.run_.quiet()
      self.step("kill")
    steps = [step for step in self.written()[0]
             if step in ("kill a", "stop a", "excuse", "heal")]
    self.assertEqual(steps, ["kill a", "excuse", "kill a", "heal", "stop a",
                             "heal", "excuse", "kill a"])

  def test_all_that_starts_is_watched(self):
    self.fail()
    self.run_.do("start 2")
    self.assertEqual(self.written()[0],
                     ["start 2", "watch a room:*", "watch b room:*"])


if __name__ == "__main__":
  unittest.main()
