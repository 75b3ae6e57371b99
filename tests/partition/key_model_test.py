"""What must be there after what clients were answered."""

import unittest

from key_model import KeyModel


class KeyModelTest(unittest.TestCase):

  def setUp(self):
    self.model = KeyModel()

  def note(self, *lines, known=True):
    """Each a command and, after a `=`, its answer: integers are numbers."""
    for line in lines:
      command, _, answer = line.partition(" = ")
      self.model.note(
          command.split(),
          int(answer) if answer.isdigit() else answer or None, known)

  def unknown(self, *lines):
    self.note(*lines, known=False)

  def holds(self, **answers):
    self.assertEqual(self.model.wrong(answers), [])

  def fails(self, said, **answers):
    wrong, = self.model.wrong(answers)
    self.assertIn(said, wrong)

  def test_a_counter_is_the_sum_of_what_was_acknowledged(self):
    self.note("INCR n = 1", "INCR n = 1", "INCRBY n 5 = 6")
    self.holds(n="7")
    self.fails("n is 6, and must be 7", n="6")
    self.fails("n is 0", n=None)

  def test_what_is_unknown_may_have_been_added_or_not(self):
    self.note("INCR n = 1")
    self.unknown("INCR n", "INCRBY n -2")
    for found in ("-1", "1", "2"):
      self.holds(n=found)
    self.fails("-1 to 2", n="3")
    self.fails("-1 to 2", n="-2")

  def test_a_member_that_was_added_is_there(self):
    self.note("SADD s x = 1", "SADD s y z = 2")
    self.unknown("SADD s w")
    self.holds(s=["x", "y", "z"])
    self.holds(s=["x", "y", "z", "w"])
    self.fails("lacks y", s=["x", "z"])
    self.fails("nobody wrote: v", s=["x", "y", "z", "v"])

  def test_a_member_that_was_seen_and_removed_is_not_back(self):
    self.note("SADD s x = 1", "SREM s x = 1")
    self.holds(s=[])
    self.fails("has again x", s=["x"])
    self.model.rebase({"s": []})
    self.fails("has again x", s=["x"])

  def test_a_member_that_was_removed_beside_an_add_may_be_there(self):
    self.note("SADD s x = 1")
    self.model.rebase({"s": ["x"]})
    self.note("SREM s x = 1", "SADD s x = 1", "SREM s x = 1")
    self.holds(s=["x"])
    self.holds(s=[])

  def test_a_remove_that_saw_nothing_removes_nothing(self):
    self.note("SADD s x = 1", "SREM s x = 0")
    self.holds(s=["x"])
    self.fails("lacks x", s=[])

  def test_an_unknown_remove_may_have_removed(self):
    self.note("SADD s x = 1")
    self.unknown("SREM s x")
    self.holds(s=["x"])
    self.holds(s=[])

  def test_an_element_is_there_once_unless_it_was_popped(self):
    self.note("RPUSH q x y = 2", "LPUSH q z = 3", "LPOP q = z")
    self.holds(q=["x", "y"])
    self.fails("lacks y", q=["x"])
    self.fails("has again z", q=["z", "x", "y"])
    self.fails("has twice x", q=["x", "x", "y"])

  def test_an_unknown_pop_may_have_taken_one(self):
    self.note("RPUSH q x y = 2")
    self.unknown("LPOP q")
    self.holds(q=["y"])
    self.holds(q=["x", "y"])
    self.fails("lacks x y", q=[])

  def test_a_pop_of_nothing_takes_nothing(self):
    self.note("LPOP q", "RPUSH q x = 1")
    self.holds(q=["x"])

  def test_what_is_excused_may_be_lost_but_not_what_was_kept_before(self):
    self.note("INCR n = 1", "SADD s x = 1", "RPUSH q x y = 2")
    self.model.rebase({"n": "1", "s": ["x"], "q": ["x", "y"]})
    self.note("INCR n = 2", "SADD s y = 1", "SREM s x = 1", "RPUSH q z = 3",
              "LPOP q = x")
    self.fails("n is 1", n="1")
    self.model.excuse()
    self.holds(n="2", s=["y"], q=["y", "z"])
    self.holds(n="1", s=["x"], q=["x", "y"])
    self.fails("n is 0", n="0")
    self.fails("lacks y", q=["x"])

  def test_excused_counters_keep_what_was_there_before(self):
    self.note("INCRBY n 5 = 5")
    self.model.rebase({"n": "5"})
    self.model.excuse()
    self.holds(n="5")
    self.fails("must be 5", n="0")

  def test_keys_that_are_written_in_other_ways_are_not_judged(self):
    self.note("INCR n = 1", "SET n 7 = OK", "INCR n = 8", "RPUSH n x = 1")
    self.note("GET k = x", "SADD s x = 1", "SMEMBERS s = x")
    self.assertEqual(self.model.reads(), [("s", ["SMEMBERS", "s"])])

  def test_a_command_that_was_an_error_did_nothing(self):
    self.model.note(["SADD", "s", "x"], {"error": "WRONGTYPE x"})
    self.assertEqual(self.model.reads(), [])


if __name__ == "__main__":
  unittest.main()
