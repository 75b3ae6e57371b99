"""Which downs have a reason."""

import types
import unittest

from downs import SETTLE, Downs


class DownsTest(unittest.TestCase):

  def setUp(self):
    self.now = 100.0
    self.downs = Downs(clock=lambda: self.now)
    self.watches = {}
    for name in "abc":
      self.watches[name] = types.SimpleNamespace(seen=[])
      self.downs.follow(name, self.watches[name])

  def see(self, observer, node):
    self.watches[observer].seen.append((self.now, node))

  def test_a_down_of_one_at_fault_or_as_one_at_fault_sees_it_has_a_reason(self):
    self.downs.excuse(["c"])
    self.see("a", "c")
    self.see("c", "b")
    self.assertEqual(self.downs.baseless(), [])

  def test_a_down_of_another_has_none(self):
    self.downs.excuse(["c"])
    self.see("a", "b")
    self.assertEqual(self.downs.baseless(), ["a saw b as down"])

  def test_a_fault_is_no_reason_for_what_was_before_it(self):
    self.see("a", "c")
    self.now += 1
    self.downs.excuse(["c"])
    self.assertEqual(self.downs.baseless(), ["a saw c as down"])

  def test_a_fault_that_is_over_is_a_reason_for_a_while(self):
    self.downs.excuse(["c"])
    self.downs.settle([])
    self.now += SETTLE
    self.see("a", "c")
    self.assertEqual(self.downs.baseless(), [])
    self.now += 0.1
    self.see("a", "c")
    self.assertEqual(self.downs.baseless(), ["a saw c as down"])

  def test_what_is_at_fault_still_has_a_reason_all_along(self):
    self.downs.excuse(["b", "c"])
    self.downs.settle(["c"])
    self.now += 10 * SETTLE
    self.see("a", "c")
    self.see("a", "b")
    self.assertEqual(self.downs.baseless(), ["a saw b as down"])

  def test_those_that_the_machine_did_not_run_are_left_out(self):
    self.see("a", "b")
    self.see("b", "c")
    self.see("a", "c")
    self.assertEqual(self.downs.baseless(but=["b"]), ["a saw c as down"])

  def test_what_was_looked_at_is_told_once(self):
    self.see("a", "b")
    self.assertEqual(len(self.downs.baseless()), 1)
    self.downs.settle([])
    self.assertEqual(self.downs.baseless(), [])


if __name__ == "__main__":
  unittest.main()
