"""Nodes that are none: programs that do not say what a node says."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import main

STUBS = main.make_stubs()
# pylint: disable=wrong-import-position
import faults
import messages
import network
import world as worlds

HERE = pathlib.Path(__file__).resolve().parent


class Loopback(network.Network):

  def add(self, node):
    pass

  def listen(self, node):
    return "127.0.0.1:1"

  def apply(self, node):
    pass

  def bytes_sent(self, node):
    return 0


class WorldTest(unittest.TestCase):

  def program(self, text):
    """A file to run."""
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    file = pathlib.Path(folder.name) / "node"
    file.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    file.chmod(0o755)
    return str(file)

  def start(self, text, said):
    world = worlds.World(self.program(text), Loopback())
    with self.assertRaises(faults.HarnessError) as wrong:
      world.start("a")
    self.assertIn(said, str(wrong.exception))
    world.stop()
    world.remove_logs()
    return world

  def test_a_node_that_says_nothing_is_given_up(self):
    with mock.patch.object(worlds, "READY_SECONDS", 0.2):
      world = self.start("exec sleep 60", "node a was not ready within 0.2 s")
    self.assertFalse(world.nodes["a"].runs)

  def test_a_node_that_says_something_else_is_quoted(self):
    self.start("echo hello", "node a said 'hello'")

  def test_a_node_starts_as_the_old_binary_and_again_as_the_new_one(self):
    world = worlds.World(self.program("echo new"), Loopback(), (),
                         self.program("echo old"))
    for old, said in ((True, "old"), (False, "new")):
      with self.assertRaises(faults.HarnessError) as wrong:
        world.start("a", old)
      self.assertIn(f"node a said '{said}'", str(wrong.exception))
      world.stop()
    world.remove_logs()

  def test_a_subscriber_keeps_messages_and_what_it_says(self):
    program = self.program(
        "echo 'muster: subscribed' >&2; printf 'news\\tone\\nnews\\ta\\tb\\n'; "
        "exec sleep 60")
    subscriber = messages.Subscriber("s1", program, ["x:1"], False, ["news"])
    self.addCleanup(subscriber.end)
    self.assertTrue(subscriber.held)
    took = worlds.wait_until(
        lambda: subscriber.heard(["news/one", "news/a\tb"]), 10)
    self.assertIsNotNone(took)
    self.assertTrue(subscriber.heard([]))

  def test_a_subscriber_whose_node_went_does_not_hold(self):
    program = self.program(
        "echo 'muster: subscribed' >&2; echo 'muster: messages may be missed "
        "until subscribed again' >&2; exec sleep 60")
    subscriber = messages.Subscriber("s1", program, ["x:1"], False, ["news"])
    self.addCleanup(subscriber.end)
    self.assertIsNotNone(
        worlds.wait_until(lambda: not subscriber.held, 10))

  def test_a_subscriber_that_is_refused_is_quoted(self):
    program = self.program("echo 'muster: too many' >&2; exit 1")
    with self.assertRaises(
        faults.HarnessError) as wrong:
      messages.Subscriber("s1", program, ["x:1"], False, ["news"])
    self.assertIn("muster: too many", str(wrong.exception))

  def test_a_publish_that_fails_is_quoted(self):
    node = mock.Mock(listen="x:1")
    program = self.program("echo 'muster: no such node' >&2; exit 3")
    with self.assertRaises(faults.HarnessError) as wrong:
      messages.publish(program, node, "news", "one")
    self.assertIn("ended with 3: muster: no such node", str(wrong.exception))
    self.assertEqual(
        messages.publish(self.program("echo 2"), node, "news", "one"), 2)

  def test_faults_are_told_in_one_line(self):
    self.assertEqual(faults.why(RuntimeError("tc:\n  no")), "tc: no")
    self.assertEqual(faults.why(RuntimeError()), "RuntimeError")

  def test_a_binary_that_does_not_exist_is_a_wrong_argument(self):
    folder = str(HERE)
    for binary in ("/no/such/muster", folder, __file__):
      with self.subTest(binary):
        done = subprocess.run(
            [sys.executable, str(HERE / "main.py"), "--binary", binary,
             "--proxy", "--runs", "1"],
            capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        self.assertEqual(done.returncode, 2)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn(binary, done.stderr)

  def test_an_old_binary_that_does_not_exist_is_a_wrong_argument(self):
    done = subprocess.run(
        [sys.executable, str(HERE / "main.py"), "--binary", sys.executable,
         "--old-binary", "/no/such/muster", "--runs", "1"],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    self.assertEqual(done.returncode, 2)
    self.assertIn("--old-binary", done.stderr)


class MeasureTest(unittest.TestCase):

  def test_what_goes_wrong_is_a_line_and_a_failure(self):
    import measure
    for fault in (RuntimeError("tc: no"), OSError(2, "No such file"),
                  faults.HarnessError("never came")):
      net = Loopback()
      net.add = mock.Mock(side_effect=fault)
      options = mock.Mock(binary="/no/such", flags=[], loss_minutes=0.01)
      with self.subTest(fault), mock.patch("builtins.print") as printed:
        self.assertEqual(measure.measure(options, net), 1)
        self.assertEqual(
            measure.long_loss(options, net, lambda _: None), 1)
        said = [call.args[0] for call in printed.call_args_list
                if call.args[0].startswith("FAILED ")]
        self.assertEqual(len(said), 2, printed.call_args_list)
        self.assertTrue(all("\n" not in line for line in said))


if __name__ == "__main__":
  unittest.main()
