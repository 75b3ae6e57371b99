"""The Presence service from another language, with only the proto files."""

import unittest

import grpc
from google.protobuf import descriptor_pb2

import reflection_pb2
import reflection_pb2_grpc
from cluster_case import (ClusterCase, StreamSession, Watch, health_messages,
                          pb)


class PresenceApiTest(ClusterCase):

  def open(self, stub, **request):
    return stub.OpenSession(pb.OpenSessionRequest(**request), timeout=10)

  def track(self, stub, token, *keys, topic="room"):
    return stub.Track(pb.TrackRequest(token=token, ops=[
        pb.TrackOp(topic=topic, key=key, meta=b'{"n":1}') for key in keys]),
                      timeout=10)

  def test_a_session_tracked_on_one_node_is_seen_on_all(self):
    a, b, c = (self.presence(name) for name in "abc")
    watch = Watch(b, topics=["room"])
    self.addCleanup(watch.stop)
    self.wait(lambda: watch.complete, "the state of an empty topic")

    session = self.open(a)
    refs = self.track(a, session.token, "ann", "bob").refs
    self.wait_keys("room", ["ann", "bob"])
    self.wait(lambda: watch.events == [("join", "room", "ann"),
                                       ("join", "room", "bob")], "two joins")

    updated = a.Update(pb.UpdateRequest(token=session.token, ops=[
        pb.UpdateOp(ref=refs[0], meta=b'{"n":2}')]), timeout=10)
    self.wait(lambda: watch.events[2:] == [("update", "room", "ann")],
              "an update, and nothing else")
    self.assertEqual(watch.entries[updated.refs[0]],
                     ("room", "ann", b'{"n":2}'))
    got = b.Get(pb.GetRequest(topic="room", key="ann"), timeout=10).entries
    self.assertEqual([(e.meta, e.ref) for e in got],
                     [(b'{"n":2}', updated.refs[0])])

    count = c.Count(pb.CountRequest(topic="room"), timeout=10)
    self.assertEqual((count.entries, count.keys), (2, 2))
    topics = c.Topics(pb.TopicsRequest(prefix="ro"), timeout=10).topics
    self.assertEqual([(t.topic, t.entries) for t in topics], [("room", 2)])
    topics_of = c.TopicsOf(pb.TopicsOfRequest(key="bob"), timeout=10).topics
    self.assertEqual(list(topics_of), ["room"])
    line = c.Explain(pb.ExplainRequest(topic="room", key="bob"),
                     timeout=10).lines[0]
    self.assertEqual((line.node, line.session_id, line.shown),
                     ("a", session.session_id, True))

    untracked = a.Untrack(pb.UntrackRequest(
        token=session.token, refs=[refs[1]]), timeout=10)
    self.assertFalse(untracked.errors)
    self.wait_keys("room", ["ann"])
    a.CloseSession(pb.CloseSessionRequest(token=session.token), timeout=10)
    self.wait_keys("room", [])
    self.wait(lambda: watch.events[3:] == [("leave", "room", "bob"),
                                           ("leave", "room", "ann")],
              "two leaves")

  def test_a_session_lives_as_long_as_its_stream(self):
    session = StreamSession(self.presence("a"),
                            pb.SessionRequest(open=pb.OpenSessionRequest()))
    answer = session.ask(pb.SessionRequest(
        track=[pb.TrackOp(topic="room", key=f"k{i}") for i in range(100)]))
    self.assertEqual(len(set(answer.tracked_refs)), 100)
    self.wait_keys("room", [f"k{i}" for i in range(100)])
    session.end()
    self.wait_keys("room", [])

  def test_a_session_without_heartbeats_ends_after_its_ttl(self):
    a = self.presence("a")
    kept = self.open(a, ttl_ms=3000)
    dropped = self.open(a, ttl_ms=1000)
    self.track(a, kept.token, "kept")
    self.track(a, dropped.token, "dropped")
    self.wait_keys("room", ["dropped", "kept"])

    def kept_alone():
      beat = a.Heartbeat(pb.HeartbeatRequest(sessions=[
          pb.HeartbeatRequest.Beat(token=kept.token)]), timeout=10)
      self.assertFalse(beat.errors)
      return self.keys("c", "room") == ["kept"]
    self.wait(kept_alone, "the session without heartbeats has left")

  def test_a_resume_on_another_node_shows_watchers_nothing(self):
    session = StreamSession(self.presence("a"), pb.SessionRequest(
        open=pb.OpenSessionRequest(grace_ms=10_000)))
    opened = session.opened.opened
    answer = session.ask(pb.SessionRequest(track=[
        pb.TrackOp(topic="room", key=f"k{i}") for i in range(50)]))
    keys = [f"k{i}" for i in range(50)]
    self.wait_keys("room", keys)
    watches = [Watch(self.presence(name), topics=["room"]) for name in "abc"]
    for watch in watches:
      self.addCleanup(watch.stop)
      self.wait(lambda: watch.complete, "the state")
    before = [dict(watch.entries) for watch in watches]
    session.end()

    moved = StreamSession(self.presence("b"), pb.SessionRequest(
        resume=pb.ResumeRequest(
            token=opened.token, grace_ms=10_000,
            resume_number=opened.resume_number + 1,
            entries=[pb.Entry(topic="room", key=key, ref=ref)
                     for key, ref in zip(keys, answer.tracked_refs)])))
    self.assertEqual(moved.opened.resumed.session.node, "b")
    self.assertFalse(moved.opened.resumed.missing_refs)
    # Shows that all that came before it has been seen.
    moved.ask(pb.SessionRequest(track=[pb.TrackOp(topic="room", key="end")]))
    for watch, entries in zip(watches, before):
      self.wait(lambda: ("join", "room", "end") in watch.events, "the marker")
      self.assertEqual(watch.events, [("join", "room", "end")])
      self.assertLessEqual(entries.items(), watch.entries.items())
    self.wait_keys("room", keys + ["end"])

  def test_a_watch_of_friends_and_one_of_a_prefix(self):
    a, b = self.presence("a"), self.presence("b")
    friends = Watch(b, keys=["ann", "zoe"])
    games = Watch(b, prefix="game:")
    counts = b.Watch(pb.WatchRequest(prefix="game:", counts_only=True,
                                     interval_ms=100))
    self.addCleanup(counts.cancel)
    for watch in (friends, games):
      self.addCleanup(watch.stop)
      self.wait(lambda: watch.complete, "the state")
    token = self.open(a).token
    self.track(a, token, "ann", "bob", topic="game:1")
    self.track(a, token, "ann", topic="chat")
    self.wait(lambda: sorted(friends.events) == [
        ("join", "chat", "ann"), ("join", "game:1", "ann")], "ann twice")
    self.wait(lambda: sorted(games.events) == [
        ("join", "game:1", "ann"), ("join", "game:1", "bob")], "the game")
    for response in counts:
      if any((c.topic, c.entries) == ("game:1", 2) for c in response.counts):
        break

  def test_a_resumed_watch_gets_only_what_it_missed(self):
    a, b = self.presence("a"), self.presence("b")
    token = self.open(a).token
    self.track(a, token, *(f"k{i}" for i in range(500)))
    self.wait_keys("room", [f"k{i}" for i in range(500)], "b")
    watch = Watch(b, topics=["room"])
    self.wait(lambda: watch.complete and watch.version, "the state")
    self.assertEqual(len(watch.entries), 500)
    watch.stop()
    self.track(a, token, *(f"later{i}" for i in range(300)))
    self.wait(lambda: len(self.keys("b", "room")) == 800, "b has all")
    resumed = Watch(b, topics=["room"], version=watch.version)
    self.addCleanup(resumed.stop)
    self.wait(lambda: len(resumed.events) == 300, "what it missed")
    self.assertEqual(resumed.states, 0)
    self.assertEqual(resumed.events[0], ("join", "room", "later0"))

  def test_bad_input_says_what_and_why(self):
    a = self.presence("a")
    token = self.open(a, epoch=7).token
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    self.assert_status(invalid, ["topic is 300 bytes", "256 (--max-name-bytes)"], a.List,
                       pb.ListRequest(topic="x" * 300))
    self.assert_status(invalid, ["key"], a.TopicsOf,
                       pb.TopicsOfRequest(key=""))
    self.assert_status(
        grpc.StatusCode.NOT_FOUND, ["session"], a.Track,
        pb.TrackRequest(token="0" * len(token)))
    self.assert_status(
        grpc.StatusCode.FAILED_PRECONDITION, ["stale epoch 5", "7"], a.Resume,
        pb.ResumeRequest(token=token, epoch=5))
    errors = a.Track(pb.TrackRequest(token=token, ops=[
        pb.TrackOp(topic="", key="k"), pb.TrackOp(topic="t", key="k"),
        pb.TrackOp(topic="t", key="k")]), timeout=10).errors
    self.assertEqual([(e.index, e.code) for e in errors],
                     [(0, invalid.value[0]),
                      (2, grpc.StatusCode.ALREADY_EXISTS.value[0])])
    self.wait_keys("t", ["k"])

  def test_health_answers(self):
    health = health_messages()
    for service in ("", "muster.v1.Presence"):
      check = self.channel("a").unary_unary(
          "/grpc.health.v1.Health/Check",
          request_serializer=health.HealthCheckRequest.SerializeToString,
          response_deserializer=health.HealthCheckResponse.FromString)
      self.assertEqual(
          check(health.HealthCheckRequest(service=service), timeout=10).status,
          health.HealthCheckResponse.SERVING)

  def test_reflection_tells_the_services_and_their_files(self):
    stub = reflection_pb2_grpc.ServerReflectionStub(self.channel("a"))
    request = reflection_pb2.ServerReflectionRequest
    listed, file = stub.ServerReflectionInfo(iter([
        request(list_services="*"),
        request(file_containing_symbol="muster.v1.Presence")]), timeout=10)
    services = {s.name for s in listed.list_services_response.service}
    self.assertLessEqual({"muster.v1.Presence", "muster.v1.Cluster",
                          "grpc.health.v1.Health"}, services)
    files = [descriptor_pb2.FileDescriptorProto.FromString(f)
             for f in file.file_descriptor_response.file_descriptor_proto]
    calls = {method.name for f in files for s in f.service
             for method in s.method}
    self.assertLessEqual({"Session", "Track", "Watch", "Explain"}, calls)


if __name__ == "__main__":
  unittest.main()
