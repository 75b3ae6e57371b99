"""How nodes end and come back, and what the others show meanwhile.

The times are what docs/operating.md promises, with what a busy machine may
add; ops/demo prints them.
"""

import os
import signal
import subprocess
import time
import unittest

from cluster_case import BINARY, ClusterCase, StreamSession, Watch, pb

# Seconds that a loaded machine may add to what is promised.
BUSY = 4.0


class NodeDeathTest(ClusterCase):

  def setUp(self):
    super().setUp()
    # Of each node's own: without grace, so they live and die with it.
    self.sessions = {name: self.open(name) for name in self.NAMES}
    self.wait_keys("room", self.NAMES)
    self.watches = {name: Watch(self.presence(name), topics=["room"])
                    for name in self.NAMES}
    for watch in self.watches.values():
      self.addCleanup(watch.stop)
      self.wait(lambda: watch.complete, "the state")

  def open(self, name):
    session = StreamSession(self.presence(name), pb.SessionRequest(
        open=pb.OpenSessionRequest()))
    session.ask(pb.SessionRequest(track=[pb.TrackOp(topic="room", key=name)]))
    return session

  def wait_events(self, names, events, began, promised):
    for name in names:
      self.wait(lambda: self.watches[name].events == events,
                f"{name} sees {events}; it saw {self.watches[name].events}")
    self.assertLess(time.monotonic() - began, promised + BUSY)

  def test_a_killed_node_is_noticed_and_comes_back_without_ghosts(self):
    began = time.monotonic()
    self.nodes["c"].kill()
    left = [("leave", "room", "c")]
    self.wait_events("ab", left, began, 0.5)
    self.wait_keys("room", ["a", "b"], "ab")

    self.nodes["c"].start()
    self.wait(lambda: all(self.sees_all(name) for name in "abc"),
              "c is a member again")
    self.wait_keys("room", ["a", "b"])
    self.sessions["c"] = self.open("c")
    self.wait_events("ab", left + [("join", "room", "c")], time.monotonic(), 1)
    self.wait_keys("room", ["a", "b", "c"])

  def test_a_frozen_node_leaves_and_comes_back_once(self):
    began = time.monotonic()
    self.nodes["c"].send(signal.SIGSTOP)
    left = [("leave", "room", "c")]
    self.wait_events("ab", left, began, 3)
    thawed = time.monotonic()
    self.nodes["c"].send(signal.SIGCONT)
    self.wait_events("ab", left + [("join", "room", "c")], thawed, 0.5)
    self.wait_keys("room", ["a", "b", "c"])
    # It blamed itself for the pause, and nobody else.
    self.assertEqual(self.watches["c"].events, [])
    self.assertEqual(self.status("c").counters["downs"], 0)

  def test_a_short_freeze_shows_nothing(self):
    self.nodes["c"].send(signal.SIGSTOP)
    counted = self.status("a").counters["peer_beats_received"]
    # Two beats of b: half a second or so.
    self.wait(lambda: self.status("a").counters["peer_beats_received"] >=
              counted + 2, "two beats")
    self.nodes["c"].send(signal.SIGCONT)
    self.sessions["a"].ask(pb.SessionRequest(
        track=[pb.TrackOp(topic="room", key="end")]))
    self.wait_events("abc", [("join", "room", "end")], time.monotonic(), 1)

  def test_sigterm_drains_at_once(self):
    began = time.monotonic()
    self.nodes["c"].send(signal.SIGTERM)
    left = [("leave", "room", "c")]
    self.wait_events("ab", left, began, 0.5)
    self.assertEqual(self.nodes["c"].process.wait(timeout=15), 0)
    self.assertLess(time.monotonic() - began, 2 + BUSY)

  def test_a_second_node_of_a_name_changes_nothing_and_says_so(self):
    second = subprocess.run(
        [BINARY, "serve", "--node", "c", "--listen", "127.0.0.1:0",
         "--join", self.nodes["a"].address],
        capture_output=True, text=True, timeout=PATIENCE_OF_EXIT)
    self.assertEqual(second.returncode, 1)
    self.assertIn(f"node name c is in use by {self.nodes['c'].address}",
                  second.stderr)
    self.sessions["a"].ask(pb.SessionRequest(
        track=[pb.TrackOp(topic="room", key="end")]))
    self.wait_events("abc", [("join", "room", "end")], time.monotonic(), 1)
    self.wait_keys("room", ["a", "b", "c", "end"])

  def test_a_port_already_taken_is_named(self):
    second = subprocess.run(
        [BINARY, "serve", "--node", "d", "--listen", self.nodes["a"].address],
        capture_output=True, text=True, timeout=PATIENCE_OF_EXIT)
    self.assertEqual(second.returncode, 1)
    self.assertIn(self.nodes["a"].address, second.stderr)
    self.assertIn("already taken", second.stderr)
    self.assertEqual(second.stdout, "")

  def test_a_node_of_another_cluster_is_refused_on_both_sides(self):
    other = subprocess.Popen(
        [BINARY, "serve", "--node", "d", "--cluster", "other",
         "--listen", "127.0.0.1:0", "--join", self.nodes["a"].address],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
      for line in other.stderr:
        if "other" in line and "muster" in line:
          break
      else:
        self.fail("it ended without saying why it was refused")
      with open(self.nodes["a"].log.name, encoding="utf-8") as log:
        self.wait(lambda: '"other"' in log.read() or log.seek(0),
                  "a says which cluster it refused")
    finally:
      other.kill()
      other.communicate()
    self.assertEqual(self.sees_all("a"), True)


# A node that must not start has to be gone by then.
PATIENCE_OF_EXIT = 20

if __name__ == "__main__":
  unittest.main()
