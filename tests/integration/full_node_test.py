"""A node whose places for clients are all taken.

One node, `--max-connections 1`; one client holds the place.
"""

import os
import socket
import subprocess
import threading
import time

import unittest

import grpc

import local_cluster
from cluster_case import (BINARY, PATIENCE, ClusterCase, StreamSession,
                          health_messages, pb)
from muster.v1 import cluster_pb2, presence_pb2_grpc

REASON = "too many connections: --max-connections is 1"
LOCAL = [("grpc.use_local_subchannel_pool", 1)]


class Relay:
  """Passes a port on to the node, and counts the connections."""

  def __init__(self, target):
    host, port = target.rsplit(":", 1)
    self.target = (host, int(port))
    self.connections = 0
    self.ends = []
    self.listening = socket.create_server(("127.0.0.1", 0))
    self.address = "127.0.0.1:%d" % self.listening.getsockname()[1]
    threading.Thread(target=self._accept, daemon=True).start()

  def _accept(self):
    while True:
      try:
        near, _ = self.listening.accept()
      except OSError:
        return
      self.connections += 1
      far = socket.create_connection(self.target)
      self.ends += [near, far]
      for one, other in ((near, far), (far, near)):
        threading.Thread(target=self._pass, args=(one, other),
                         daemon=True).start()

  def _pass(self, one, other):
    try:
      while data := one.recv(65536):
        other.sendall(data)
    except OSError:
      pass
    for end in (one, other):
      try:
        end.shutdown(socket.SHUT_RDWR)
      except OSError:
        pass

  def close(self):
    for end in (self.listening, *self.ends):
      end.close()


class FullNodeTest(ClusterCase):
  NAMES = "a"
  FLAGS = ("--max-connections", "1")

  def setUp(self):
    self.channels = []
    super().setUp()
    for channel in self.channels:
      channel.close()
    self.address = self.nodes["a"].address
    self.wait(self.hold, "the only place")

  def channel(self, name):
    self.channels.append(super().channel(name))
    return self.channels[-1]

  def hold(self):
    """Tracks ann and stays; False if the place is taken still."""
    channel = grpc.insecure_channel(self.address, options=LOCAL)
    try:
      self.session = StreamSession(
          presence_pb2_grpc.PresenceStub(channel),
          pb.SessionRequest(open=pb.OpenSessionRequest(), track=[
              pb.TrackOp(topic="room", key="ann")]))
    except grpc.RpcError as error:
      self.assertIn("--max-connections", error.details())
      channel.close()
      return False
    self.addCleanup(channel.close)
    return True

  def fresh(self, address=None):
    """A stock channel with a connection of its own."""
    channel = grpc.insecure_channel(address or self.address, options=LOCAL)
    self.addCleanup(channel.close)
    return channel

  def counters(self):
    stub = self.cluster("a")
    return stub.Status(cluster_pb2.StatusRequest(), timeout=10).counters

  def log(self):
    with open(self.nodes["a"].log.name, encoding="utf-8") as log:
      return log.read()

  def second_node(self, *flags):
    """A node b with no clients; its address."""
    address = f"127.0.0.1:{local_cluster.free_port(set())}"
    node = local_cluster.Node(BINARY, "b", address, [self.address], flags)
    node.start()
    self.addCleanup(os.unlink, node.log.name)
    return node

  def test_tells_a_call_why_and_answers_health_and_status(self):
    stub = presence_pb2_grpc.PresenceStub(self.fresh())
    # Without a deadline.
    with self.assertRaises(grpc.RpcError) as told:
      stub.Count(pb.CountRequest())
    self.assertEqual(told.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
    self.assertEqual(told.exception.details(), REASON)
    # A stream, too.
    with self.assertRaises(grpc.RpcError) as told:
      list(stub.Watch(pb.WatchRequest(topics=["room"])))
    self.assertEqual(told.exception.details(), REASON)

    health = health_messages()
    check = self.fresh().unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health.HealthCheckRequest.SerializeToString,
        response_deserializer=health.HealthCheckResponse.FromString)
    self.assertEqual(
        check(health.HealthCheckRequest(), timeout=10).status,
        health.HealthCheckResponse.SERVING)
    counters = self.counters()
    self.assertEqual(counters["connections_open_clients"], 1)
    self.assertGreater(counters["connections_guests"], 0)
    self.assertIn("full: 1 connections of clients", self.log())

  def test_one_waiting_client_connects_a_few_times(self):
    relay = Relay(self.address)
    self.addCleanup(relay.close)
    stub = presence_pb2_grpc.PresenceStub(self.fresh(relay.address))
    until = time.monotonic() + 3
    codes = set()
    while time.monotonic() < until:
      try:
        stub.Count(pb.CountRequest(), timeout=1)
      except grpc.RpcError as error:
        codes.add(error.code())
    self.assertIn(grpc.StatusCode.RESOURCE_EXHAUSTED, codes)
    self.assertLessEqual(relay.connections, 6)

  def test_a_stock_channel_moves_on_to_a_free_node(self):
    free = self.second_node()
    both = ",".join((self.address, free.address))
    stub = presence_pb2_grpc.PresenceStub(self.fresh("ipv4:" + both))

    def counts():
      try:
        return stub.Count(pb.CountRequest(), timeout=5).entries == 1
      except grpc.RpcError:
        return False
    self.wait(counts, "an answer of the node that is not full", 10)

  def test_the_commands_report_it_at_once_or_go_elsewhere(self):
    for arguments in (["count"], ["track", "room", "bob"], ["watch", "room"],
                      ["members"]):
      began = time.monotonic()
      result = subprocess.run(
          [BINARY, *arguments, "--at", self.address], text=True,
          stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE,
          check=False)
      took = time.monotonic() - began
      self.assertEqual(result.returncode, 3, (arguments, result))
      self.assertIn(REASON, result.stderr)
      # Alone on its machine it takes 50 ms.
      self.assertLess(took, 3, arguments)
    status = subprocess.run(
        [BINARY, "status", "--at", self.address], text=True,
        capture_output=True, timeout=PATIENCE, check=False)
    self.assertEqual(status.returncode, 0, status.stderr)

    free = self.second_node()
    both = ",".join((self.address, free.address))
    result = subprocess.run([BINARY, "count", "--at", both], text=True,
                            capture_output=True, timeout=PATIENCE, check=False)
    self.assertEqual((result.returncode, result.stdout), (0, "1\n"),
                     result.stderr)

  def test_a_second_node_becomes_a_member(self):
    free = self.second_node()
    stub = presence_pb2_grpc.PresenceStub(self.fresh(free.address))

    def sees_ann():
      try:
        listed = stub.List(pb.ListRequest(topic="room"), timeout=5)
      except grpc.RpcError:
        return False
      return [entry.key for entry in listed.entries] == ["ann"]
    self.wait(sees_ann, "b shows what a holds")
    with open(free.log.name, encoding="utf-8") as log:
      self.assertNotIn("alone", log.read())
    # Its link is no guest, and takes no place of clients.
    self.wait(lambda: self.counters()["connections_open_clients"] == 1,
              "one client")
    self.session.end()

  def test_a_node_that_is_turned_away_says_why(self):
    # As a node does that has no room for guests either.
    full = socket.create_server(("127.0.0.1", 0))
    self.addCleanup(full.close)

    def hang_up():
      while True:
        try:
          full.accept()[0].close()
        except OSError:
          return
    threading.Thread(target=hang_up, daemon=True).start()
    self.address = "127.0.0.1:%d" % full.getsockname()[1]
    node = self.second_node()

    def says_why():
      with open(node.log.name, encoding="utf-8") as log:
        return f"peer {self.address}: it hung up at once" in log.read()
    self.wait(says_why, "why it is alone")


if __name__ == "__main__":
  unittest.main()
