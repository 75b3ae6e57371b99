"""Histories of writers: what is written down, and what is made of it."""

import os
import types
import unittest
from unittest import mock

import key_writers
import keys
from key_model import KeyModel
from key_writers import Writers, result


class KeyWritersTest(unittest.TestCase):

  def setUp(self):
    self.answers = []
    process = mock.Mock(runs=True)
    process.ask.side_effect = self.ask
    self.clock = 0.0
    self.enterContext(mock.patch.object(key_writers, "_Process",
                                        return_value=process))
    self.enterContext(mock.patch.object(Writers, "_drive"))
    self.enterContext(mock.patch.object(
        key_writers, "time", types.SimpleNamespace(monotonic=self.now)))
    self.model = KeyModel()
    self.writers = Writers("load1", "muster", [["a"], ["b"]], self.model)
    self.began = self.clock

  def now(self):
    return self.clock

  def ask(self, _command):
    took, answer = self.answers.pop(0)
    self.clock += took
    if isinstance(answer, Exception):
      raise answer
    return answer

  def do(self, writer, command, took, answer):
    self.answers.append((took, answer))
    self.writers._do(writer, command.split())

  def history(self):
    """As the judge is given it."""
    def judged(arguments, **_):
      with open(arguments[1], encoding="utf-8") as file:
        self.text = file.read()
      return mock.Mock(returncode=0)
    with mock.patch.object(key_writers.subprocess, "run", judged):
      self.assertEqual(self.writers.judged("judge"), "")
    return self.text.splitlines()

  def test_answers_are_written_as_the_judge_reads_them(self):
    for command, answer, text in (
        ("INCR n", 3, ":3"), ("GET n", "3", "$3"), ("GET n", None, "_"),
        ("SET k v", "OK", "+OK"), ("SET k v NX", None, "_"),
        ("LPOP q", "OK", "$OK"), ("LPOP q", {"error": "WRONGTYPE of x"},
                                  "-WRONGTYPE")):
      with self.subTest(command):
        self.assertEqual(result(command.split(), answer), text)

  def test_a_history_has_the_times_and_what_is_unknown(self):
    self.do(0, "INCR n", 0.5, 1)
    self.do(1, "LPOP q", 1, keys.NotDone("muster: the outcome is unknown: x"))
    self.do(1, "SADD s x", 1, keys.NotDone("muster: no node can be reached"))
    self.assertEqual(self.history(), ["0 0 500000 INCR n => :1",
                                      "1 500000 - LPOP q => ?"])
    self.assertEqual((len(self.writers.unknown), len(self.writers.refused)),
                     (1, 1))
    self.assertEqual(self.model.wrong({"n": "1"}), [])

  def test_both_words_for_an_unknown_outcome_are_understood(self):
    for text in ("muster: the outcome is unknown: 10.0.0.1:7400: reset",
                 "muster: outcome unknown: the leader leads no more"):
      self.assertTrue(keys.NotDone(text).unknown)

  def test_a_gap_is_between_writes_that_were_acknowledged(self):
    self.do(0, "INCR n", 1, 1)
    self.do(1, "INCR n", 2, 2)
    self.do(0, "GET n", 1, "2")
    self.do(0, "LPOP q", 1, None)
    self.do(0, "INCR n", 1, 3)
    self.clock += 2
    self.writers.end()
    self.assertEqual(self.writers.gap, 3)
    self.assertEqual(self.writers.pause, 5)

  def test_writes_that_never_came_back_are_a_gap_too(self):
    self.do(0, "INCR n", 1, 1)
    self.clock += 10
    self.writers.end()
    self.assertEqual((self.writers.gap, self.writers.pause), (10, 11))

  def test_a_process_that_ended_is_begun_anew(self):
    self.do(0, "INCR n", 0, keys.NotDone("muster kv has ended: the outcome is "
                                         "unknown"))
    self.assertEqual(key_writers._Process.call_count, 3)

  def test_a_history_that_no_order_explains_is_kept_and_named(self):
    self.do(0, "INCR n", 1, 1)
    kept = []

    def judged(arguments, **_):
      kept.append(arguments[1])
      return mock.Mock(returncode=1, stdout=f"{arguments[1]}: key n: …")
    with mock.patch.object(key_writers.subprocess, "run", judged):
      self.assertIn("key n", self.writers.judged("judge"))
    self.addCleanup(os.unlink, kept[0])
    self.assertTrue(os.path.exists(kept[0]))


if __name__ == "__main__":
  unittest.main()
