"""Who is let in, to do what, and what those hear who are not."""

import os
import re
import signal
import subprocess
import tempfile

import local_cluster
from cluster_case import BINARY, PATIENCE, ClusterCase


def run(*arguments, **variables):
  return subprocess.run([BINARY, *arguments], text=True, capture_output=True,
                        timeout=PATIENCE, check=False,
                        env={**os.environ, **variables})


def log_of(node):
  with open(node.log.name, encoding="utf-8", errors="replace") as log:
    return log.read()


class AdminTokenTest(ClusterCase):

  NAMES = "a"
  FLAGS = ("--admin-token", "open-sesame")

  def drain(self, *arguments, **variables):
    return run("drain", "--at", self.nodes["a"].address, *arguments,
               **variables)

  def test_a_drain_shows_the_token_and_the_log_says_who_asked(self):
    refused = self.drain()
    self.assertEqual(refused.returncode, 1)
    self.assertIn("--admin-token", refused.stderr)
    wrong = self.drain("--admin-token", "open-barley")
    self.assertEqual(wrong.returncode, 1)
    self.assertIn("not the node's --admin-token", wrong.stderr)
    self.assertFalse(self.status("a").draining)
    with tempfile.NamedTemporaryFile("w") as file:
      file.write("open-sesame\n")
      file.flush()
      drained = self.drain("--admin-token", "@" + file.name)
    self.assertEqual(drained.returncode, 0, drained.stderr)
    self.assertEqual(self.nodes["a"].process.wait(timeout=PATIENCE), 0)
    self.assertRegex(log_of(self.nodes["a"]),
                     r"told to drain by 127\.0\.0\.1:\d+")
    self.assertNotIn("sesame", log_of(self.nodes["a"]))

  def test_the_environment_may_hold_the_token(self):
    drained = self.drain(MUSTER_ADMIN_TOKEN="open-sesame")
    self.assertEqual(drained.returncode, 0, drained.stderr)
    self.assertEqual(self.nodes["a"].process.wait(timeout=PATIENCE), 0)


class OpenNodeTest(ClusterCase):

  NAMES = ""

  def node(self, name, host, *flags):
    port = local_cluster.free_port(set())
    node = local_cluster.Node(BINARY, name, f"{host}:{port}", [], flags)
    self.addCleanup(os.unlink, node.log.name)
    node.start()
    return node

  def test_one_warning_says_that_clients_come_from_anywhere(self):
    everywhere = self.node("a", "0.0.0.0", "--cluster-secret", "swordfish")
    self.assertEqual(
        len(re.findall("clients are let in from anywhere",
                       log_of(everywhere))), 1)
    loopback = self.node("b", "127.0.0.1")
    self.assertNotIn("from anywhere", log_of(loopback))


class SignalTest(ClusterCase):

  NAMES = "a"

  def test_a_closed_terminal_drains_and_the_log_names_the_signal(self):
    node = self.nodes["a"]
    node.send(signal.SIGHUP)
    self.assertEqual(node.process.wait(timeout=PATIENCE), 0)
    self.assertIn("SIGHUP: draining", log_of(node))

  def test_what_is_started_with_nohup_outlives_its_terminal(self):
    node = self.nodes["a"]
    node.kill()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    self.addCleanup(signal.signal, signal.SIGHUP, before)
    node.start()  # It inherits that.
    node.send(signal.SIGHUP)
    node.send(signal.SIGTERM)
    self.assertEqual(node.process.wait(timeout=PATIENCE), 0)
    self.assertIn("SIGTERM: draining", log_of(node))
    self.assertNotIn("SIGHUP: draining", log_of(node))
