"""Nodes are replaced while sessions with a grace move between them."""

import signal
import subprocess
import threading
import unittest

import grpc

import local_cluster
from cluster_case import BINARY, ClusterCase, StreamSession, Watch, pb

GRACE_MS = 10_000


class Holder:
  """A `muster track` that holds many entries and moves from node to node."""

  def __init__(self, number, entries, addresses):
    self.entries = [(f"steady:{i % 20}", f"user:{number}:{i}")
                    for i in range(entries)]
    self.process = local_cluster.start(
        [BINARY, "track", "--grace-ms", str(GRACE_MS), "--at",
         ",".join(addresses)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL)
    for topic, key in self.entries:
      self.process.stdin.write(f"{topic}\t{key}\t{{}}\n")
    self.process.stdin.close()

  def wait_tracked(self):
    return self.process.stdout.readline().strip()


class Load(threading.Thread):
  """Tracks and untracks as fast as a node takes it, at whichever is there."""

  def __init__(self, stubs):
    super().__init__(daemon=True)
    self.stubs = stubs
    self.done = threading.Event()
    self.calls = 0

  def run(self):
    turn = 0
    while not self.done.is_set():
      stub = self.stubs[turn % len(self.stubs)]
      turn += 1
      try:
        token = stub.OpenSession(pb.OpenSessionRequest(), timeout=2).token
        while not self.done.is_set():
          refs = stub.Track(pb.TrackRequest(token=token, ops=[
              pb.TrackOp(topic=f"load:{i % 5}", key=f"key:{i}")
              for i in range(50)]), timeout=2).refs
          stub.Untrack(pb.UntrackRequest(token=token, refs=refs), timeout=2)
          self.calls += 2
          if self.calls % 20 == 0:
            break
        stub.CloseSession(pb.CloseSessionRequest(token=token), timeout=2)
      except grpc.RpcError:
        self.done.wait(0.05)  # The node is being replaced: on to the next.

  def stop(self):
    self.done.set()
    self.join()


class RollingRestartTest(ClusterCase):

  def test_nobody_leaves_while_all_nodes_are_replaced_under_load(self):
    addresses = [node.address for node in self.nodes.values()]
    holders = [Holder(i, 300, addresses[i:] + addresses[:i]) for i in range(3)]
    for holder in holders:
      self.assertEqual(holder.wait_tracked(), "tracked 300")
    everyone = sorted(e for holder in holders for e in holder.entries)
    # Follows its topics from node to node, and tells differences only.
    roll = local_cluster.Roll(BINARY, self.nodes["a"], "steady:",
                              others=addresses)
    self.wait(lambda: roll.complete and len(roll.entries) == len(everyone),
              "the whole roll")
    roll.events.clear()
    load = Load([self.presence(name) for name in "abc"])
    load.start()
    self.addCleanup(load.stop)

    for name in "abc":
      calls = load.calls
      self.nodes[name].send(signal.SIGTERM)
      self.assertEqual(self.nodes[name].process.wait(timeout=30), 0)
      self.nodes[name].start()
      self.wait(lambda: all(self.sees_all(n) for n in self.NAMES),
                f"{name} is back and every node ready")
      self.wait(lambda: load.calls > calls + 50, "the load goes on")
      status = self.status(name)
      # One catch-up a stream that it found, none of them twice.
      self.assertLessEqual(status.counters["rebases_in"], len(status.streams),
                           status)
      self.assertEqual(status.counters["rebase_restarts"], 0)
      self.assertEqual(status.counters["digest_mismatches"], 0)
    load.stop()

    for name in self.NAMES:
      self.wait(lambda: self.listed(name) == everyone,
                f"{name} lists all {len(everyone)}, each once")
      self.wait(lambda: not self.presence(name).Topics(
          pb.TopicsRequest(prefix="load:"), timeout=10).topics,
                f"{name} shows nothing of the load")
    self.assertEqual(roll.events, [])
    self.assertEqual(sorted(roll.entries.values()), everyone)
    for holder in holders:
      self.assertIsNone(holder.process.poll())

  def listed(self, name):
    stub = self.presence(name)
    return sorted((f"steady:{i}", key) for i in range(20)
                  for key in (e.key for e in stub.List(
                      pb.ListRequest(topic=f"steady:{i}"),
                      timeout=10).entries))

  def test_two_hundred_sessions_of_a_killed_node_move_and_nobody_sees_it(self):
    watches = [Watch(self.presence(name), topics=["room"]) for name in "ab"]
    for watch in watches:
      self.addCleanup(watch.stop)
    sessions = []
    stub = self.presence("c")
    for i in range(200):
      opened = stub.OpenSession(pb.OpenSessionRequest(grace_ms=GRACE_MS),
                                timeout=10)
      ref = stub.Track(pb.TrackRequest(token=opened.token, ops=[
          pb.TrackOp(topic="room", key=f"k{i:03}")]), timeout=10).refs[0]
      sessions.append((opened, pb.Entry(topic="room", key=f"k{i:03}",
                                        ref=ref)))
    for watch in watches:
      self.wait(lambda: len(watch.entries) == 200, "all 200 present")
      watch.events.clear()
    shown = [dict(watch.entries) for watch in watches]

    self.nodes["c"].kill()
    stub = self.presence("b")
    calls = [stub.Resume.future(pb.ResumeRequest(
        token=opened.token, grace_ms=GRACE_MS,
        resume_number=opened.resume_number + 1, entries=[entry]), timeout=10)
             for opened, entry in sessions]
    for call in calls:
      self.assertEqual(list(call.result().missing_refs), [])
    marker = StreamSession(stub, pb.SessionRequest(
        open=pb.OpenSessionRequest()))
    marker.ask(pb.SessionRequest(track=[pb.TrackOp(topic="room", key="end")]))
    self.wait(lambda: all(
        watch.events and watch.events[-1] == ("join", "room", "end")
        for watch in watches), "the marker")
    self.wait(lambda: len(self.keys("a", "room")) == 201, "a lists all")
    for watch, before in zip(watches, shown):
      self.assertEqual(watch.events, [("join", "room", "end")])
      self.assertLessEqual(before.items(), watch.entries.items())


if __name__ == "__main__":
  unittest.main()
