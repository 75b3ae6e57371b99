"""A test case that runs nodes and talks to them over gRPC."""

import importlib.util
import os
import threading
import unittest

import grpc

import local_cluster
from local_cluster import wait_until
from muster.v1 import cluster_pb2, cluster_pb2_grpc
from muster.v1 import presence_pb2 as pb
from muster.v1 import presence_pb2_grpc

BINARY = os.environ["MUSTER_BINARY"]
# What a busy machine may add to any wait.
PATIENCE = 30


def health_messages():
  """gRPC's Python package has the name of the folder: loaded by path."""
  path = os.path.join(os.environ["MUSTER_STUBS"],
                      "grpc/health/v1/health_pb2.py")
  spec = importlib.util.spec_from_file_location("health_pb2", path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


class ClusterCase(unittest.TestCase):
  """Three nodes a test: self.nodes["a"], and stubs of each."""

  NAMES = "abc"
  FLAGS = ()

  def setUp(self):
    self.addCleanup(local_cluster.stop_all)
    taken = set()
    addresses = {name: f"127.0.0.1:{local_cluster.free_port(taken)}"
                 for name in self.NAMES}
    self.nodes = {
        name: local_cluster.Node(
            BINARY, name, address,
            [other for other in addresses.values() if other != address],
            self.FLAGS)
        for name, address in addresses.items()}
    for node in self.nodes.values():
      node.start()
      self.addCleanup(os.unlink, node.log.name)
    self.wait(lambda: all(self.sees_all(name) for name in self.NAMES),
              "every node sees all alive and is ready")

  def wait(self, condition, what, seconds=PATIENCE):
    self.assertTrue(wait_until(condition, seconds), f"never came: {what}")

  def channel(self, name):
    channel = grpc.insecure_channel(
        self.nodes[name].address,
        options=[("grpc.use_local_subchannel_pool", 1),
                 ("grpc.initial_reconnect_backoff_ms", 50),
                 ("grpc.max_reconnect_backoff_ms", 200)])
    self.addCleanup(channel.close)
    return channel

  def presence(self, name):
    return presence_pb2_grpc.PresenceStub(self.channel(name))

  def cluster(self, name):
    return cluster_pb2_grpc.ClusterStub(self.channel(name))

  def status(self, name):
    return self.cluster(name).Status(cluster_pb2.StatusRequest(), timeout=10)

  def sees_all(self, name):
    try:
      stub = self.cluster(name)
      status = stub.Status(cluster_pb2.StatusRequest(), timeout=10)
      members = stub.Members(cluster_pb2.MembersRequest(), timeout=10).members
    except grpc.RpcError:
      return False
    alive = {m.node for m in members
             if m.state == cluster_pb2.MEMBER_STATE_ALIVE}
    return status.ready and alive == set(self.NAMES)

  def keys(self, name, topic):
    """The keys that a node lists in a topic, with as many as there are."""
    listed = self.presence(name).List(pb.ListRequest(topic=topic), timeout=10)
    return sorted(entry.key for entry in listed.entries)

  def wait_keys(self, topic, keys, names=None):
    want = sorted(keys)
    for name in names or self.NAMES:
      self.wait(lambda: self.keys(name, topic) == want,
                f"{name} lists {want} in {topic}; it lists "
                f"{self.keys(name, topic)}")

  def assert_status(self, code, words, call, *arguments):
    """The call fails with the code, and its message has all the words."""
    with self.assertRaises(grpc.RpcError) as failed:
      call(*arguments, timeout=10)
    self.assertEqual(failed.exception.code(), code)
    for word in words:
      self.assertIn(word, failed.exception.details())


class Watch:
  """Follows topics at one node and keeps every event."""

  def __init__(self, stub, **request):
    self.entries = {}  # Ref to (topic, key, meta).
    self.events = []  # (kind, topic, key).
    self.states = 0
    self.version = ""
    self.complete = False
    self.error = None
    self.call = stub.Watch(pb.WatchRequest(**request))
    self.thread = threading.Thread(target=self._read, daemon=True)
    self.thread.start()

  def _read(self):
    try:
      for response in self.call:
        with local_cluster.news:
          self._take(response)
          local_cluster.news.notify_all()
    except grpc.RpcError as error:
      with local_cluster.news:
        self.error = error
        local_cluster.news.notify_all()

  def _take(self, response):
    if response.reset:
      self.states += 1
      self.entries = {}
    for state in response.state:
      for entry in state.entries:
        self.entries[entry.ref] = (state.topic, entry.key, entry.meta)
    for diff in response.diffs:
      for entry in diff.joins:
        self.entries[entry.ref] = (diff.topic, entry.key, entry.meta)
        self.events.append(("join", diff.topic, entry.key))
      for entry in diff.updates:
        self.entries.pop(entry.ref_prev)
        self.entries[entry.ref] = (diff.topic, entry.key, entry.meta)
        self.events.append(("update", diff.topic, entry.key))
      for entry in diff.leaves:
        self.entries.pop(entry.ref)
        self.events.append(("leave", diff.topic, entry.key))
    if response.version:
      self.version = response.version
    self.complete = self.complete or response.state_complete

  def stop(self):
    self.call.cancel()
    self.thread.join()


class StreamSession:
  """One session over one stream; requests are answered in order."""

  def __init__(self, stub, start):
    self._requests = []
    self._ready = threading.Condition()
    self._ended = False
    self._number = 0
    self.call = stub.Session(self._outgoing())
    self.opened = self.ask(start)

  def _outgoing(self):
    while True:
      with self._ready:
        self._ready.wait_for(lambda: self._requests or self._ended)
        if not self._requests:
          return
        request = self._requests.pop(0)
      yield request

  def ask(self, request):
    """Sends a request; returns its response."""
    self._number += 1
    request.number = self._number
    with self._ready:
      self._requests.append(request)
      self._ready.notify()
    for response in self.call:
      if response.number == self._number:
        return response
    raise RuntimeError("the stream ended before the answer")

  def end(self):
    with self._ready:
      self._ended = True
      self._ready.notify()
    for _ in self.call:
      pass
