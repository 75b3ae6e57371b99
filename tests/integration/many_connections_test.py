"""A node that more want to talk to than it is told to let in."""

import resource
import socket
import unittest

import cluster_case
from muster.v1 import cluster_pb2
from muster.v1 import presence_pb2 as pb

# The opening of HTTP/2, so that the connection is kept.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4" + bytes(5)


class ManyConnectionsTest(cluster_case.ClusterCase):
  NAMES = "a"
  FLAGS = ("--max-connections", "300")

  def setUp(self):
    # What a shell often gives to begin with, made smaller; the node inherits it.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
    try:
      super().setUp()
    finally:
      resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2000), hard))

  def connect(self, count):
    host, port = self.nodes["a"].address.rsplit(":", 1)
    for _ in range(count):
      connection = socket.create_connection((host, int(port)), timeout=10)
      self.addCleanup(connection.close)
      connection.sendall(PREFACE)

  def test_takes_as_many_as_it_may_and_refuses_the_others(self):
    reader = self.presence("a")
    cluster = self.cluster("a")

    def counter(name):
      status = cluster.Status(cluster_pb2.StatusRequest(), timeout=10)
      return status.counters[name]

    reader.Count(pb.CountRequest(), timeout=10)
    self.connect(200)
    self.wait(lambda: counter("connections_accepted") > 200,
              "200 connections are in")
    self.assertEqual(counter("connections_refused"), 0)
    self.connect(200)
    self.wait(lambda: counter("connections_refused") > 0,
              "a connection over the limit is counted as refused")
    # Those that are in are served as ever.
    reader.Count(pb.CountRequest(), timeout=10)


class SilentConnectionsTest(cluster_case.ClusterCase):
  NAMES = "a"
  FLAGS = ("--handshake-timeout-ms", "300")

  def connect(self, opening):
    host, port = self.nodes["a"].address.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=10)
    self.addCleanup(connection.close)
    connection.sendall(opening)
    return connection

  def read_to_end(self, connection):
    try:
      while connection.recv(4096):
        pass
    except ConnectionResetError:
      pass

  def test_are_closed_and_others_kept(self):
    kept = self.connect(PREFACE)
    for opening in (b"", PREFACE[:10], PREFACE[:-3]):
      self.read_to_end(self.connect(opening))
    ping = b"\0\0\x08\6\0" + bytes(4)
    kept.sendall(ping + b"are here")
    answer = b""
    while b"are here" not in answer:
      more = kept.recv(4096)
      self.assertTrue(more, "the connection that was opened is kept")
      answer += more


if __name__ == "__main__":
  unittest.main()
