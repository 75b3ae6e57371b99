"""The cluster under test: its processes, its clients, its watches, and the
model of what must be listed once all is quiet.

Everything is driven over gRPC with nothing but the protos; nothing of a node's
own code is used.
"""

import os
import select
import signal
import subprocess
import tempfile
import time

import grpc

from muster.v1 import cluster_pb2, cluster_pb2_grpc
from muster.v1 import presence_pb2 as pb
from muster.v1 import presence_pb2_grpc
from muster.v1 import pubsub_pb2, pubsub_pb2_grpc
from downs import Downs
from faults import CALL_SECONDS, PATIENCE, READY_SECONDS, HarnessError
from keyspace import Keyspace
from messages import Subscriber, publish
from sessions import Client
from watches import MembersWatch, Watch

_OPTIONS = [("grpc.use_local_subchannel_pool", 1),
            ("grpc.initial_reconnect_backoff_ms", 50),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 200)]


class Node:
  """One `muster serve`, in its place in the network."""

  def __init__(self, name, binary, network, flags):
    self.name = name
    self.network = network
    self.listen = network.listen(name)
    self.address = network.address(name)
    self.binary = binary
    self.flags = flags
    self.process = None
    self.frozen = False
    self.lives = 0
    self.log = tempfile.NamedTemporaryFile(
        prefix=f"muster-{name}-", suffix=".log", delete=False)
    self.channel = None

  def start(self, join):
    self.network.set_off(self.name, False)
    self.network.open(self.name)
    self.lives += 1
    self.process = subprocess.Popen(
        self.network.command(self.name, [
            self.binary, "serve", "--node", self.name, "--listen",
            self.listen, "--advertise", self.address, "--join",
            ",".join(join), "--insecure-peers", *self.flags]),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log,
        text=True, start_new_session=True)
    self.network.joined(self.name, self.process.pid)
    with self.process.stdout as said:
      if not select.select([said], [], [], READY_SECONDS)[0]:
        self.process.kill()
        self.process.wait()
        self.process = None
        raise HarnessError(f"node {self.name} was not ready within "
                           f"{READY_SECONDS:g} s; its log is {self.log.name}")
      line = said.readline().strip()
    if line != f"ready node={self.name} grpc={self.listen}":
      raise HarnessError(f"node {self.name} said {line!r}; its log is "
                         f"{self.log.name}")
    self.channel = grpc.insecure_channel(self.listen, options=_OPTIONS)
    self.presence = presence_pb2_grpc.PresenceStub(self.channel)
    self.cluster = cluster_pb2_grpc.ClusterStub(self.channel)
    self.pubsub = pubsub_pb2_grpc.PubSubStub(self.channel)

  @property
  def runs(self):
    return self.process is not None and self.process.poll() is None

  @property
  def ended_by_itself(self):
    return self.process is not None and self.process.poll() is not None

  def send(self, number):
    # The process is `muster` itself: `ip netns exec` has become it.
    self.process.send_signal(number)

  def end(self, number):
    if number == signal.SIGKILL:
      self.network.close(self.name)
    elif self.frozen:
      self.thaw()
    self.send(number)
    try:
      self.process.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
      raise HarnessError(f"{self.name} has not ended within {PATIENCE:g} s "
                         f"of signal {number}") from None
    self.network.close(self.name)
    # One that has not said that it is ready has none.
    if self.channel is not None:
      self.channel.close()
    self.process = None
    self.frozen = False

  def freeze(self):
    self.send(signal.SIGSTOP)
    self.frozen = True

  def thaw(self):
    self.send(signal.SIGCONT)
    self.frozen = False


class World:
  """All of it. Methods are the verbs of a scenario."""

  def __init__(self, binary, network, flags=(), old_binary=None, judge=None):
    self.binary = binary
    self.old_binary = old_binary or binary
    self.network = network
    self.flags = list(flags)
    self.nodes = {}
    self.clients = []
    self.subscribers = {}  # By name.
    self.watches = {}  # (node, topic): a Watch of the last life watched.
    self.marks = {}  # Node: its life, and its counters at the last mark.
    self.downs = Downs()
    self.stalls = {}  # (node, life): those it counted at the last settle().
    self.load = None  # Clients that change what they hold all the time.
    self.keyspace = Keyspace(self, judge)

  # --------------------------------------------------------------- nodes

  def start(self, names, old=False):
    """Nodes that are started together know of each other. Returns once all
    are ready. `old`: of the old binary, until they are started again."""
    for name in names:
      self.network.add(name)
      if name not in self.nodes:
        self.nodes[name] = Node(name, self.binary, self.network, self.flags)
      if self.nodes[name].runs:
        raise HarnessError(f"{name} runs already")
      self.nodes[name].binary = self.old_binary if old else self.binary
    for name in names:
      join = [self.network.address(other)
              for other in sorted(set(self.nodes) - {name})]
      self.nodes[name].start(join or [self.network.address(name)])
    for name in names:
      if wait_until(lambda: self.status(self.nodes[name]).ready,
                    PATIENCE) is None:
        raise HarnessError(f"{name} did not become ready")
      self.downs.follow(name, MembersWatch(self.nodes[name]))

  def node(self, name, running=True):
    node = self.nodes.get(name)
    if node is None or (running and not node.runs):
      raise HarnessError(f"node {name} does not run")
    return node

  def running(self):
    return [node for node in self.nodes.values() if node.runs]

  def answering(self):
    return [node for node in self.running() if not node.frozen]

  def faulty(self):
    """Those that are cut off, lossy, frozen or gone just now."""
    network = self.network
    return {node for pair in network.cuts for node in pair} | {
        node for node, share in network.losses.items() if share} | {
            node.name for node in self.nodes.values()
            if node.frozen or not node.runs}

  def _stalls(self):
    return {(node.name, node.lives): self.status(node).counters["stalls"]
            for node in self.answering()}

  def baseless(self):
    """Downs that nothing explains. A node that this machine did not run for a
    while, as it counts itself, explains its own."""
    return self.downs.baseless(
        {life[0] for life, count in self._stalls().items()
         if count > self.stalls.get(life, 0)})

  def settle(self):
    """What baseless() tells begins anew."""
    self.downs.settle(self.faulty())
    self.stalls = self._stalls()

  def ended_by_themselves(self):
    """Of the nodes that did so, a line; empty if none did."""
    return "; ".join(f"{node.name} has ended by itself, with "
                     f"{node.process.returncode}; its log is {node.log.name}"
                     for node in self.nodes.values() if node.ended_by_itself)

  def end_node(self, name, number, off=False):
    node = self.node(name)
    if off:
      self.network.set_off(name, True)
    node.end(number)
    for client in list(self.clients):
      if client.node is node and client.life == node.lives:
        client.drop()
        if not client.grace:
          self.clients.remove(client)

  def twin(self, name):
    """Starts a second node of the name; returns why it did not stay."""
    node = self.node(name)
    twin = subprocess.Popen(
        self.network.command(name, [
            self.binary, "serve", "--node", name, "--listen",
            self.network.twin_listen(name), "--join", node.address,
            "--insecure-peers", *self.flags]),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True)
    self.network.joined(name, twin.pid)
    try:
      complaint = twin.communicate(timeout=PATIENCE)[1]
    finally:
      twin.kill()
    said = f"node name {name} is in use by {node.address}"
    if twin.returncode != 1 or said not in complaint:
      raise HarnessError(f"the twin of {name} exited with {twin.returncode}: "
                         f"{complaint[-500:]}")
    return said

  # ------------------------------------------------------------- clients

  def track(self, node, topic, key, grace=0.0, meta="{}"):
    node = self.node(node)
    client = Client(key, topic, node, node.lives, grace, meta)
    try:
      client.open()
    except (HarnessError, grpc.RpcError):
      client.drop()
      raise
    self.clients.append(client)

  def of_key(self, key, topic=None):
    found = [c for c in self.clients if c.key == key and
             topic in (None, c.topic)]
    if not found:
      raise HarnessError(f"no client of {key} is there")
    return found

  def untrack(self, topic, key):
    client = self.of_key(key, topic)[0]
    client.untrack()
    self.clients.remove(client)

  def update(self, topic, key, meta):
    self.of_key(key, topic)[0].update(meta)

  def leave(self, key):
    for client in self.of_key(key):
      client.close()
      self.clients.remove(client)

  def move(self, key, node):
    for client in self.of_key(key):
      client.resume(self.node(node))

  def lose(self, key):
    """The clients of a key are gone, without a word."""
    for client in self.of_key(key):
      client.drop()
      self.clients.remove(client)

  def model(self):
    """Sorted (topic, key, meta) of all clients that are there."""
    return sorted((c.topic, c.key, c.meta.encode()) for c in self.clients)

  # ------------------------------------------------------------- messages

  def subscribe(self, node, name, pattern, names):
    """At a node, or at any other that there is once it is gone."""
    if name in self.subscribers:
      raise HarnessError(f"{name} subscribes already")
    others = [other.listen for other in self.nodes.values()
              if other.name != node]
    self.subscribers[name] = Subscriber(
        name, self.binary, [self.node(node).listen, *others], pattern, names)

  def subscriber(self, name):
    found = self.subscribers.get(name)
    if found is None:
      raise HarnessError(f"no subscriber {name} is there")
    if found.ended:
      raise HarnessError(f"the subscriber {name} has ended by itself; it said "
                         f"{'; '.join(found.said) or 'nothing'}")
    return found

  def unsubscribe(self, name):
    self.subscriber(name).end()
    del self.subscribers[name]

  def publish(self, node, channel, payload):
    return publish(self.binary, self.node(node), channel, payload)

  def subscribers_of(self, node, channel):
    answer = self.node(node).pubsub.NumSub(
        pubsub_pb2.NumSubRequest(channels=[channel.encode()]),
        timeout=CALL_SECONDS)
    return answer.channels[0].subscribers

  # ------------------------------------------------------------- watches

  def watch(self, node, topic):
    """Of a topic, or of all that begin with what is before a `*`."""
    before = self.watches.get((node, topic))
    if before is not None:
      before.end()
      if before.faults:
        raise HarnessError(f"the watch before: {'; '.join(before.faults)}")
    prefix = topic.removesuffix("*")
    self.watches[node, topic] = Watch(
        self.node(node), **{"topic": topic} if prefix == topic else {
            "prefix": prefix})

  def shown(self):
    """(what, what it shows, what it should) of each watch at a node that has
    not ended since."""
    model = self.model()
    for (name, topic), watch in self.watches.items():
      node = self.nodes[name]
      if not node.runs or node.frozen or watch.life != node.lives:
        continue
      what = f"the watch of {topic} at {name}"
      if watch.ended:
        raise HarnessError(f"{what} has ended")
      prefix = topic.removesuffix("*")
      yield what, watch.listed(), [
          entry for entry in model if entry[0] == topic or
          prefix != topic and entry[0].startswith(prefix)]

  def mark(self):
    """Keeps what all count now."""
    for node in self.answering():
      self.marks[node.name] = node.lives, dict(self.status(node).counters)

  # ------------------------------------------------------------- reading

  def keys(self, node, topic):
    answer = self.node(node).presence.List(
        pb.ListRequest(topic=topic), timeout=CALL_SECONDS)
    return sorted(entry.key for entry in answer.entries)

  def listed(self, node):
    """All that a node lists, sorted: (topic, key, meta)."""
    stub, found = node.presence, []
    topics = stub.Topics(pb.TopicsRequest(), timeout=CALL_SECONDS).topics
    for topic in topics:
      token = ""
      while True:
        page = stub.List(pb.ListRequest(topic=topic.topic, page_token=token),
                         timeout=CALL_SECONDS)
        found += [(topic.topic, e.key, e.meta) for e in page.entries]
        token = page.next_page_token
        if not token:
          break
    return sorted(found)

  def status(self, node):
    return node.cluster.Status(cluster_pb2.StatusRequest(),
                               timeout=CALL_SECONDS)

  def states(self, node):
    """Node to its state, as one of them sees it."""
    answer = self.node(node).cluster.Members(
        cluster_pb2.MembersRequest(), timeout=CALL_SECONDS)
    return {m.node: cluster_pb2.MemberState.Name(m.state)
            .removeprefix("MEMBER_STATE_").lower() for m in answer.members}

  # ----------------------------------------------------------------- end

  def stop(self):
    if self.load is not None:
      self.load.cancel()
    self.keyspace.stop()
    for watch in self.watches.values():
      watch.end()
    self.downs.end()
    for subscriber in self.subscribers.values():
      subscriber.end()
    for client in self.clients:
      client.drop()
    for node in self.nodes.values():
      if node.runs:
        node.end(signal.SIGKILL)

  def remove_logs(self):
    for node in self.nodes.values():
      os.unlink(node.log.name)


def wait_until(holds, seconds, pause=0.05):
  """Seconds until it held; None if it did not in time. What cannot be asked
  just now does not hold."""
  began = time.monotonic()
  while True:
    try:
      if holds():
        return time.monotonic() - began
    except grpc.RpcError:
      pass
    if time.monotonic() - began > seconds:
      return None
    time.sleep(pause)
