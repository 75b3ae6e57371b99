"""Who is let in, to do what, and what those hear who are not."""

import os
import re
import signal
import subprocess
import tempfile

import local_cluster
from cluster_case import BINARY, PATIENCE, ClusterCase, health_messages
from muster.v1 import cluster_pb2


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

  def test_a_closed_terminal_that_is_told_twice_cuts_no_drain_short(self):
    node = self.nodes["a"]
    node.send(signal.SIGHUP)
    self.wait(lambda: "SIGHUP: draining" in log_of(node), "the drain")
    node.send(signal.SIGHUP)
    self.assertEqual(node.process.wait(timeout=PATIENCE), 0)

  def test_a_hang_up_beside_sigterm_cuts_no_drain_short(self):
    node = self.nodes["a"]
    node.send(signal.SIGTERM)
    node.send(signal.SIGHUP)
    self.assertEqual(node.process.wait(timeout=PATIENCE), 0)

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


class RefusedNodeTest(ClusterCase):
  """Node a has a secret and serves; others are started by the tests."""

  NAMES = "a"
  FLAGS = ("--cluster-secret", "swordfish")

  def other(self, *flags, joins=True):
    port = local_cluster.free_port(set())
    node = local_cluster.Node(
        BINARY, "b", f"127.0.0.1:{port}",
        [self.nodes["a"].address] if joins else [], flags)
    self.addCleanup(os.unlink, node.log.name)
    node.start()
    self.nodes["b"] = node
    return node

  def health(self, name):
    """Whether the node says that it serves."""
    health_pb2 = health_messages()
    request = health_pb2.HealthCheckRequest(service="muster.v1.Presence")
    check = self.channel(name).unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString)
    answer = check(request, timeout=10)
    return answer.status == health_pb2.HealthCheckResponse.SERVING

  def refusals(self, name):
    return [line for line in log_of(self.nodes[name]).splitlines()
            if "refused" in line and "warning" in line and "--cluster" in line]

  def exits_refused(self, node, reason):
    self.assertEqual(node.process.wait(timeout=PATIENCE), 1)
    last = log_of(node).splitlines()[-1]
    self.assertTrue(last.startswith("muster: "), last)
    for word in (self.nodes["a"].address, reason, "--join-optional"):
      self.assertIn(word, last)

  def test_a_refused_node_never_serves_and_exits_with_the_reason(self):
    node = self.other("--join-wait-ms", "10000")
    self.wait(lambda: self.refusals("b"), "b hears that it is refused")
    self.assertFalse(self.status("b").ready)
    self.assertFalse(self.health("b"))
    self.assertTrue(self.health("a"))
    self.exits_refused(node, "b has no --cluster-secret, but a asks for one")
    # And the others go on.
    self.assertTrue(self.status("a").ready)

  def test_another_cluster_is_a_reason_too(self):
    node = self.other("--cluster", "other", "--cluster-secret", "swordfish")
    self.exits_refused(node, 'a is of cluster "muster", b of "other"')

  def test_it_may_be_told_to_serve_alone(self):
    self.other("--join-optional", "--cluster-secret", "sardine")
    self.wait(lambda: self.status("b").ready, "b serves alone")
    self.assertTrue(self.health("b"))
    notes = self.status("b").notes
    self.assertTrue(any(
        note.startswith("serving alone: refused by "
                        f"{self.nodes['a'].address}: a and b have different")
        for note in notes), notes)

  def test_each_side_says_once_who_has_what_and_what_to_do(self):
    """The two dial each other, and are refused both ways."""
    b = self.other("--join-optional", "--join-wait-ms", "300")
    self.wait(lambda: self.status("b").ready, "b serves alone")
    a = self.nodes["a"]
    a.kill()
    a.others = [b.address]
    a.flags += ["--join-optional", "--join-wait-ms", "300"]
    a.start()
    self.wait(lambda: self.status("a").ready, "a serves alone")
    self.wait(lambda: self.status("b").counters["peer_links_refused"] >= 2,
              "each has refused the other")
    self.wait(lambda: len(self.refusals("a")) >= 2, "a has heard of it")
    sentence = ("b has no --cluster-secret, but a asks for one: start b with "
                "the same")
    for name, other in (("a", "b"), ("b", "a")):
      said = self.refusals(name)
      # One line a process: a was started twice.
      self.assertEqual(len(said), {"a": 2, "b": 1}[name], said)
      for line in said:
        self.assertIn(sentence, line)
        self.assertIn(f"{other} ({self.nodes[other].address})", line)
    counters = self.status("b").counters
    self.assertGreaterEqual(counters["peer_links_refused_by_peer"], 1)
    self.assertGreaterEqual(counters["peer_links_refused_secret"], 1)


class RotationTest(ClusterCase):
  """Docs: "Changing the secret", with three nodes and a session."""

  FLAGS = ("--cluster-secret", "old")

  def restart(self, name, *flags):
    node = self.nodes[name]
    node.send(signal.SIGTERM)
    self.assertEqual(node.process.wait(timeout=PATIENCE), 0)
    node.flags = list(flags)
    node.start()
    # Every pair is linked, whatever each of the two knows.
    for one in self.NAMES:
      self.wait(lambda: self.sees_all(one) and self.linked(one),
                f"{one} is linked to all after the restart of {name}")

  def linked(self, name):
    members = self.cluster(name).Members(
        cluster_pb2.MembersRequest(), timeout=10).members
    return all(member.linked or member.self for member in members)

  def test_nodes_are_changed_over_one_by_one(self):
    for name in self.NAMES:
      self.restart(name, "--cluster-secret", "new", "--cluster-secret-also",
                   "old")
      for one in self.NAMES:
        notes = self.status(one).notes
        self.assertFalse(any("alone" in note for note in notes), notes)
    for name in self.NAMES:
      self.restart(name, "--cluster-secret", "new")
    for name in self.NAMES:
      log = log_of(self.nodes[name])
      self.assertNotIn("beats with another", log)
    # The old one is worth nothing now.
    port = local_cluster.free_port(set())
    late = local_cluster.Node(BINARY, "d", f"127.0.0.1:{port}",
                              [self.nodes["a"].address], self.FLAGS)
    self.addCleanup(os.unlink, late.log.name)
    late.start()
    self.assertEqual(late.process.wait(timeout=PATIENCE), 1)
    self.assertIn("a and d have different --cluster-secret", log_of(late))
