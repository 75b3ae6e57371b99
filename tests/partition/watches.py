"""What nodes show as it comes: of topics, and of each other."""

import threading
import time

import grpc

from muster.v1 import cluster_pb2
from muster.v1 import presence_pb2 as pb
from faults import PATIENCE, HarnessError


class Watch:
  """What a node shows of a topic, or of all that begin with a prefix, as it
  comes. What contradicts what it showed before is in `faults`."""

  def __init__(self, node, topic=None, prefix=None):
    self.life = node.lives
    self.events = []
    self.faults = []
    self.ended = False
    self._shown = {}  # (topic, ref): (key, meta).
    self.complete = threading.Event()
    topics = [] if topic is None else [topic]
    self._call = node.presence.Watch(
        pb.WatchRequest(topics=topics, prefix=prefix or ""))
    threading.Thread(target=self._read, daemon=True).start()
    if not self.complete.wait(PATIENCE):
      raise HarnessError(f"no state of {topic or prefix} from {node.name}")

  def listed(self):
    """All of it, sorted: (topic, key, meta)."""
    return sorted((topic, *entry)
                  for (topic, _), entry in list(self._shown.items()))

  def _read(self):
    try:
      for response in self._call:
        if response.reset:
          self._shown.clear()
        for state in response.state:
          for entry in state.entries:
            self._add(state.topic, entry)
        for diff in response.diffs:
          self._change(diff)
        if response.state_complete:
          self.complete.set()
    except grpc.RpcError:
      pass  # Its node has ended.
    self.ended = True

  def _change(self, diff):
    for entry in diff.joins:
      self.events.append(f"+{entry.key}")
      self._add(diff.topic, entry)
    for entry in diff.updates:
      self.events.append(f"~{entry.key}")
      self._remove(diff.topic, entry.ref_prev, "updated")
      self._add(diff.topic, entry)
    for entry in diff.leaves:
      self.events.append(f"-{entry.key}")
      self._remove(diff.topic, entry.ref, "left")

  def _add(self, topic, entry):
    if (topic, entry.ref) in self._shown:
      self.faults.append(f"{entry.key} of {topic} is shown twice")
    self._shown[topic, entry.ref] = (entry.key, entry.meta)

  def _remove(self, topic, ref, what):
    if self._shown.pop((topic, ref), None) is None:
      self.faults.append(f"{ref} of {topic} has {what}, and was not shown")

  def end(self):
    self._call.cancel()


class MembersWatch:
  """The nodes that a node has come to see as down, as it sees them so."""

  def __init__(self, node):
    self.seen = []  # (when, node).
    self._call = node.cluster.WatchMembers(cluster_pb2.WatchMembersRequest())
    threading.Thread(target=self._read, daemon=True).start()

  def _read(self):
    states = {}
    try:
      for response in self._call:
        for member in response.members:
          was = states.get(member.life_id)
          states[member.life_id] = member.state
          if member.state == cluster_pb2.MEMBER_STATE_DOWN and was not in (
              None, member.state):
            self.seen.append((time.monotonic(), member.node))
    except grpc.RpcError:
      pass  # Its node has ended.

  @property
  def downs(self):
    return [node for _, node in self.seen]

  def end(self):
    self._call.cancel()
