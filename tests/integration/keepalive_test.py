"""Who vanishes without a word: clients for a node, a node for its clients."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

import grpc

import local_cluster
from cluster_case import BINARY, ClusterCase, StreamSession, Watch, pb
from muster.v1 import presence_pb2_grpc

PAGE = os.path.join(os.path.dirname(__file__), "../../docs/clients.md")

# Opens two sessions over one stream, holds an entry with each, and says so.
GATEWAY = """
import sys, threading, grpc
from muster.v1 import presence_pb2 as pb, presence_pb2_grpc
def requests():
  yield pb.SessionsRequest(number=1, parts=[
      pb.SessionPart(slot=slot, open=pb.OpenSessionRequest(), track=[
          pb.TrackOp(topic="gateway", key=f"user{slot}")])
      for slot in (1, 2)])
  threading.Event().wait()
stub = presence_pb2_grpc.PresenceStub(grpc.insecure_channel(sys.argv[1]))
for answer in stub.Sessions(requests()):
  print("tracked", flush=True)
"""

SOON = ("--client-keepalive-ms", "400", "--client-keepalive-timeout-ms", "400")


class FrozenClientCase(ClusterCase):
  NAMES = "a"

  def freeze(self, arguments, topic, keys):
    """Once it holds the keys."""
    client = local_cluster.start(arguments, stdout=subprocess.PIPE)
    self.assertIn("tracked", client.stdout.readline())
    self.wait_keys(topic, keys)
    client.send_signal(signal.SIGSTOP)
    return time.monotonic()


class VanishedClientTest(FrozenClientCase):
  FLAGS = SOON

  def test_a_session_leaves_with_it(self):
    watch = Watch(self.presence("a"), topics=["room"])
    self.addCleanup(watch.stop)
    began = self.freeze(
        [BINARY, "track", "room", "ann", "--at", self.nodes["a"].address],
        "room", ["ann"])
    self.wait_keys("room", [])
    self.assertLess(time.monotonic() - began, 8)
    self.assertEqual(watch.events, [("join", "room", "ann"),
                                    ("leave", "room", "ann")])

  def test_a_gateways_sessions_leave_with_it(self):
    self.freeze([sys.executable, "-c", GATEWAY, self.nodes["a"].address],
                "gateway", ["user1", "user2"])
    self.wait_keys("gateway", [])

  def test_one_that_is_only_idle_stays(self):
    session = StreamSession(self.presence("a"), pb.SessionRequest(
        open=pb.OpenSessionRequest(),
        track=[pb.TrackOp(topic="room", key="idle")]))
    # A frozen one that came later goes; this one has been asked as often.
    self.freeze(
        [BINARY, "track", "room", "ann", "--at", self.nodes["a"].address],
        "room", ["ann", "idle"])
    self.wait_keys("room", ["idle"])
    session.ask(pb.SessionRequest())


class RawClient:
  """A session, and a watch of a busy topic, over HTTP/2 by hand.

  Its windows are as large as can be, so that a node may send more than the
  sockets hold. It reads nothing.
  """

  LARGEST = 2**31 - 1

  def __init__(self, address):
    host, port = address.rsplit(":", 1)
    self.socket = socket.create_connection((host, int(port)), timeout=10)
    window = b"\0\4" + self.LARGEST.to_bytes(4, "big")
    more = (self.LARGEST - 65535).to_bytes(4, "big")
    self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" +
                        self.frame(4, 0, 0, window) +
                        self.frame(8, 0, 0, more))
    self.call(1, "Session", pb.SessionRequest(
        number=1, open=pb.OpenSessionRequest(),
        track=[pb.TrackOp(topic="room", key="raw")]))
    self.call(3, "Watch", pb.WatchRequest(topics=["busy"]))

  @staticmethod
  def frame(kind, flags, stream, payload):
    return (len(payload).to_bytes(3, "big") + bytes((kind, flags)) +
            stream.to_bytes(4, "big") + payload)

  def call(self, stream, method, message):
    headers = {":method": "POST", ":scheme": "http",
               ":path": f"/muster.v1.Presence/{method}",
               ":authority": "localhost", "te": "trailers",
               "content-type": "application/grpc"}
    block = b"".join(
        b"\0" + bytes((len(name),)) + name.encode() +
        bytes((len(value),)) + value.encode()
        for name, value in headers.items())
    body = message.SerializeToString()
    self.socket.sendall(
        self.frame(1, 4, stream, block) +
        self.frame(0, 0, stream, b"\0" + len(body).to_bytes(4, "big") + body))


class StuffedClientTest(FrozenClientCase):
  # Time enough to fill its socket and the node's before it is asked.
  FLAGS = ("--client-keepalive-ms", "2000", "--client-keepalive-timeout-ms",
           "1000")

  def test_is_noticed_though_no_ping_gets_through_to_it(self):
    raw = RawClient(self.nodes["a"].address)
    self.addCleanup(raw.socket.close)
    self.wait_keys("room", ["raw"])
    session = StreamSession(self.presence("a"), pb.SessionRequest(
        open=pb.OpenSessionRequest()))
    refs = []

    def gone():
      answer = session.ask(pb.SessionRequest(untrack=refs, track=[
          pb.TrackOp(topic="busy", key="k", meta=b"m" * 30_000,
                     allow_duplicate=True)] * 50))
      refs[:] = answer.tracked_refs
      return self.keys("a", "room") == []
    self.wait(gone, "it leaves")


class FrozenPeerTest(ClusterCase):
  NAMES = "ab"
  FLAGS = SOON

  def setUp(self):
    super().setUp()
    # Begun again so that a dials b, whose keepalive then watches the link.
    for node in self.nodes.values():
      node.kill()
    self.nodes["b"].others = [self.nodes["b"].address]
    for name in "ba":
      self.nodes[name].start()
    self.wait(lambda: self.sees_all("a") and self.sees_all("b"), "a joins b")

  def test_redials_when_it_thaws(self):
    session = StreamSession(self.presence("a"), pb.SessionRequest(
        open=pb.OpenSessionRequest(),
        track=[pb.TrackOp(topic="room", key="ann")]))
    self.wait_keys("room", ["ann"])
    watch = Watch(self.presence("b"), topics=["room"])
    self.addCleanup(watch.stop)
    self.assertEqual(self.status("b").counters["connections_open_peers"], 1)
    self.nodes["a"].send(signal.SIGSTOP)
    self.wait(lambda: watch.events == [("leave", "room", "ann")], "a is down")
    self.wait(lambda: self.status("b").counters["peer_links_down"] == 1,
              "the link is closed, as those of frozen clients are")
    thawed = time.monotonic()
    self.nodes["a"].send(signal.SIGCONT)
    self.wait(lambda: watch.events[1:] == [("join", "room", "ann")],
              "it is back")
    # 0.5 s, and what a busy machine adds.
    self.assertLess(time.monotonic() - thawed, 4.5)
    session.end()


class PingCounter:
  """Passes a port on to a node, and counts the pings that clients send."""

  PREFACE = len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

  def __init__(self, target):
    host, port = target.rsplit(":", 1)
    self.target = (host, int(port))
    self.pings = 0
    self.listening = socket.create_server(("127.0.0.1", 0))
    self.address = "127.0.0.1:%d" % self.listening.getsockname()[1]
    threading.Thread(target=self._accept, daemon=True).start()

  def close(self):
    self.listening.close()

  def _accept(self):
    try:
      near, _ = self.listening.accept()
    except OSError:
      return
    far = socket.create_connection(self.target)
    threading.Thread(target=self._answers, args=(far, near),
                     daemon=True).start()
    data = b""
    skip = self.PREFACE
    while received := near.recv(65536):
      far.sendall(received)
      data += received
      data, skip = data[skip:], max(0, skip - len(data))
      while len(data) >= 9 and len(data) >= 9 + int.from_bytes(data[:3], "big"):
        if data[3] == 6 and not data[4] & 1:
          with local_cluster.news:
            self.pings += 1
            local_cluster.news.notify_all()
        data = data[9 + int.from_bytes(data[:3], "big"):]
    far.close()

  def _answers(self, far, near):
    try:
      while data := far.recv(65536):
        near.sendall(data)
    except OSError:
      pass
    near.close()


class FrozenNodeTest(ClusterCase):
  NAMES = "a"
  # Nothing but the client's own pings keeps its connection moving.
  FLAGS = ("--client-keepalive-ms", "0")

  def options_of_the_page(self):
    with open(PAGE, encoding="utf-8") as page:
      block = re.search(r"^(KEEPALIVE = \[.*?^\])", page.read(),
                        re.S | re.M)
    self.assertIsNotNone(block, "docs/clients.md names the options")
    names = {}
    exec(block.group(1), names)  # pylint: disable=exec-used
    return dict(names["KEEPALIVE"])

  def test_is_noticed_on_a_stream_that_was_idle_for_many_pings(self):
    options = self.options_of_the_page()
    self.assertEqual(options["grpc.keepalive_time_ms"], 3000)
    # As often as a node allows.
    options["grpc.keepalive_time_ms"] = 1100
    options["grpc.keepalive_timeout_ms"] = 1000
    relay = PingCounter(self.nodes["a"].address)
    self.addCleanup(relay.close)
    channel = grpc.insecure_channel(relay.address, options=list(
        options.items()))
    self.addCleanup(channel.close)
    watch = Watch(presence_pb2_grpc.PresenceStub(channel), topics=["room"])
    self.wait(lambda: watch.complete, "the state")
    # Two is where it ends without grpc.http2.max_pings_without_data.
    self.wait(lambda: relay.pings >= 5, "five pings", 60)
    self.assertIsNone(watch.error)
    self.nodes["a"].send(signal.SIGSTOP)
    frozen = time.monotonic()
    self.wait(lambda: watch.error is not None, "the stream ends", 60)
    self.assertLess(time.monotonic() - frozen, 10)
    self.assertEqual(watch.error.code(), grpc.StatusCode.UNAVAILABLE)


if __name__ == "__main__":
  unittest.main()
