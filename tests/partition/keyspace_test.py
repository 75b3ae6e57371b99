"""Who leads, what a command answered, and which node has a role."""

import types
import unittest
from unittest import mock

import main

STUBS = main.make_stubs()
# pylint: disable=wrong-import-position
import keys
import keyspace
from faults import HarnessError
from muster.v1 import cluster_pb2 as pb


def leading(*followers, term=3):
  return pb.KeyspaceStatus(
      role=pb.KEYSPACE_ROLE_LEADING, leader="a", term=term,
      followers=[pb.KeyspaceFollower(
          node=node, state=pb.KeyspaceFollower.STATE_FOLLOWING)
                 for node in followers])


def following(leader="a", term=3, exchanging=False):
  return pb.KeyspaceStatus(role=pb.KEYSPACE_ROLE_FOLLOWING, leader=leader,
                           term=term, exchanging=exchanging)


class KeyspaceTest(unittest.TestCase):

  def setUp(self):
    self.found = {"a": leading("b", "c"), "b": following(), "c": following()}
    self.nodes = {name: types.SimpleNamespace(name=name, listen=f"{name}:1")
                  for name in self.found}
    self.keyspace = keyspace.Keyspace(types.SimpleNamespace(
        binary="muster", nodes=self.nodes, node=self.nodes.get,
        answering=lambda: list(self.nodes.values()),
        status=lambda node: types.SimpleNamespace(
            keyspace=self.found[node.name])))

  def answers(self, *answers):
    return mock.patch.object(keys, "run", side_effect=list(answers))

  def test_one_leads_all_others(self):
    self.assertEqual(self.keyspace.leader(), "a")

  def test_none_leads_all_where_one_does_not_follow(self):
    for name, status in (
        ("c", leading("b")), ("c", following(term=2)),
        ("c", following(exchanging=True)), ("a", leading("b")),
        ("a", following())):
      before, self.found[name] = self.found[name], status
      with self.subTest(status):
        self.assertIsNone(self.keyspace.leader())
      self.found[name] = before

  def test_some_may_be_led_while_others_are_not(self):
    self.found["a"] = leading("b")
    self.found["c"] = leading()
    self.assertEqual(self.keyspace.leader(["a", "b"]), "a")
    self.assertEqual(self.keyspace.leader(["c"]), "c")
    self.assertIsNone(self.keyspace.leader(["b"]))

  def test_a_role_is_the_node_that_had_it(self):
    with self.assertRaises(HarnessError) as fault:
      self.keyspace.resolved({"node": "leader"})
    self.assertIn("`roles` must come before", str(fault.exception))
    self.keyspace.find_roles(lambda holds, _: holds() and 1.0)
    self.found["a"] = following("b")
    self.assertEqual(
        self.keyspace.resolved({"groups": [["leader"], ["follower", "c"]],
                                "what": {"kind": "follows", "node": "follower2",
                                         "other": "leader"}}),
        {"groups": [["a"], ["b", "c"]],
         "what": {"kind": "follows", "node": "c", "other": "a"}})

  def test_words_that_are_no_nodes_stay(self):
    step = {"node": "a", "command": ["SET", "leader", "x"], "answer": None}
    self.assertEqual(self.keyspace.resolved(step), step)

  def test_positions_and_digests_must_be_equal(self):
    self.found = {name: pb.KeyspaceStatus(role=pb.KEYSPACE_ROLE_FOLLOWING,
                                          term=3, seq=5, digest=7)
                  for name in "abc"}
    self.assertTrue(self.keyspace.equal())
    self.found["b"].digest = 8
    self.assertFalse(self.keyspace.equal())
    # It is of a version without keys.
    self.found["b"].role = pb.KEYSPACE_ROLE_UNSPECIFIED
    self.assertTrue(self.keyspace.equal())

  def test_a_command_must_have_its_answer(self):
    for command, answer, wanted in (
        ("INCR n", 1, "1"), ("GET n", None, "(nil)"), ("GET k", "a b", "a b"),
        ("LRANGE l 0 -1", ["x", "y"], "x y"), ("LRANGE l 0 -1", [], ""),
        ("SMEMBERS s", ["x", "y"], "y x"),
        ("HGETALL h", ["f", "1", "g", "2"], "g 2 f 1"),
        ("INCR k", {"error": "ERR value is not"}, "(error) ERR")):
      with self.subTest(command), self.answers(answer):
        self.keyspace.kv("a", command.split(), wanted.split())
    for command, answer, wanted in (
        ("INCR n", 2, "1"), ("LRANGE l 0 -1", ["x", "y"], "y x"),
        ("HGETALL h", ["f", "2", "g", "1"], "g 2 f 1"),
        ("INCR k", {"error": "ERR value is not"}, "(error) OOM"),
        ("INCR k", {"error": "ERR value is not"}, "(error)")):
      with self.subTest(command), self.answers(answer), (
          self.assertRaises(HarnessError)):
        self.keyspace.kv("a", command.split(), wanted.split())

  def test_without_an_answer_anything_but_an_error_will_do(self):
    with self.answers(None):
      self.keyspace.kv("a", ["GET", "k"], None)
    with self.answers({"error": "ERR no"}), self.assertRaises(HarnessError):
      self.keyspace.kv("a", ["INCR", "k"], None)

  def test_what_nobody_answered_is_not_what_is_expected(self):
    what = {"kind": "kv", "node": "all", "command": ["GET", "n"],
            "answer": ["1"]}
    with self.answers("1", "1", "1"):
      self.assertTrue(self.keyspace.holds(what))
    with self.answers("1", keys.NotDone("muster kv ended with 3"), "1"):
      self.assertFalse(self.keyspace.holds(what))

  def test_each_node_must_have_kept_what_was_acknowledged(self):
    with self.answers(1):
      self.keyspace.kv("a", ["INCR", "n"], None)
    with mock.patch.object(keys, "run_all", side_effect=[["1"], ["0"], ["1"]]):
      self.assertEqual(self.keyspace.lost(), ["b: n is 0, and must be 1"])
    # What held is what is built on.
    with mock.patch.object(keys, "run_all", return_value=["1"]):
      self.assertTrue(self.keyspace.holds({"kind": "kept"}))
    self.keyspace.excuse()
    self.assertNotEqual(self.keyspace.model.wrong({"n": "0"}), [])

  def test_a_step_whose_outcome_is_unknown_may_have_been_done(self):
    with self.answers(keys.NotDone("the outcome is unknown")), (
        self.assertRaises(HarnessError)):
      self.keyspace.kv("a", ["INCR", "n"], None)
    self.assertEqual(self.keyspace.model.wrong({"n": "1"}), [])
    self.assertEqual(self.keyspace.model.wrong({"n": None}), [])

  def test_figures_are_those_of_writers_that_rest(self):
    what = {"kind": "writers", "figure": "gap", "than": "<", "count": 1.0}
    for writers in (None, mock.Mock(rest=False)):
      self.keyspace.writers = writers
      with self.assertRaises(HarnessError):
        self.keyspace.holds(what)
    self.keyspace.writers = mock.Mock(rest=True, gap=0.5, refused=["no"])
    self.assertTrue(self.keyspace.holds(what))
    self.assertFalse(self.keyspace.holds(
        {"kind": "writers", "figure": "refused", "than": "=", "count": 0}))

  def test_histories_need_a_judge(self):
    self.keyspace.writers = mock.Mock(rest=True)
    with self.assertRaises(HarnessError) as fault:
      self.keyspace.holds({"kind": "writers", "figure": "linearizable"})
    self.assertIn("--judge", str(fault.exception))


if __name__ == "__main__":
  unittest.main()
