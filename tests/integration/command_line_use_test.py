"""The commands of `muster` as a person or a script uses them."""

import array
import base64
import fcntl
import json
import os
import pty
import queue
import signal
import subprocess
import tempfile
import termios
import unittest

import local_cluster
from cluster_case import BINARY, PATIENCE, ClusterCase, StreamSession, pb
from local_cluster import wait_until


def run(*arguments, stdin=""):
  return subprocess.run([BINARY, *arguments], input=stdin, text=True,
                        capture_output=True, timeout=PATIENCE, check=False)


def waiting_bytes(pipe):
  """Bytes written to a pipe and not yet read."""
  count = array.array("i", [0])
  fcntl.ioctl(pipe, termios.FIONREAD, count)
  return count[0]


class CommandLineUseTest(ClusterCase):

  def muster(self, *arguments, at="a", code=0, stdin=""):
    """Standard output of a command that must exit with the code."""
    result = run(*arguments, "--at", self.nodes[at].address, stdin=stdin)
    self.assertEqual(result.returncode, code, result.stderr)
    if code == 0:
      self.assertEqual(result.stderr, "")
    return result.stdout

  def objects(self, *arguments, **options):
    return [json.loads(line) for line in
            self.muster(*arguments, "--json", **options).splitlines()]

  def track(self, *arguments, lines="", at="a"):
    """A `muster track` whose entries are acknowledged."""
    process = local_cluster.start(
        [BINARY, "track", *arguments, "--at", self.nodes[at].address],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(lines)
    process.stdin.close()
    count = len(lines.splitlines()) or 1
    self.assertEqual(process.stdout.readline(), f"tracked {count}\n")
    return process

  def test_what_is_tracked_is_read_on_another_node(self):
    self.assertEqual(self.muster("list", "room"), "")
    self.assertEqual(self.muster("get", "room", "ann", code=1), "")
    self.assertEqual(self.muster("count"), "0\n")
    tracker = self.track("room", "ann", "--meta", '{"x":1}')
    self.wait_keys("room", ["ann"])
    listed = self.objects("list", "room", at="b")
    self.assertEqual([(e["key"], e["meta"]) for e in listed],
                     [("ann", '{"x":1}')])
    self.assertTrue(listed[0]["ref"])
    self.assertEqual(self.muster("count", at="c"), "1\n")
    self.assertEqual(self.muster("count", "room", at="c"), "1\n")
    self.assertEqual(self.muster("count", "other", at="c"), "0\n")
    self.assertEqual(self.muster("topics-of", "ann", at="b"), "room\n")
    self.assertEqual([t["topic"] for t in self.objects("topics", at="b")],
                     ["room"])
    self.assertEqual([t["topic"] for t in self.objects("topics", "x", at="b")],
                     [])
    explained = self.objects("explain", "room", "ann", at="c")
    self.assertEqual([(e["node"], e["shown"]) for e in explained],
                     [("a", True)])
    self.assertIn("ann", self.muster("get", "room", "ann", at="b"))

    tracker.send_signal(signal.SIGINT)
    self.assertEqual(tracker.wait(timeout=PATIENCE), 0)
    self.wait_keys("room", [])

  def test_a_script_pipes_in_what_to_hold(self):
    lines = "".join(f"room:{i % 7}\tuser:{i}\t{{\"i\":{i}}}\n"
                    for i in range(5000))
    tracker = self.track(lines=lines)
    for name in self.NAMES:
      self.wait(lambda: self.muster("count", at=name) == "5000\n",
                f"{name} counts them all")
    topics = self.objects("topics", "room:", at="b")
    self.assertEqual([t["topic"] for t in topics],
                     [f"room:{i}" for i in range(7)])
    self.assertEqual(sum(t["entries"] for t in topics), 5000)
    self.assertEqual(len(self.objects("list", "room:0", at="c")),
                     topics[0]["entries"])
    tracker.send_signal(signal.SIGTERM)
    self.assertEqual(tracker.wait(timeout=PATIENCE), 0)

  def test_meta_that_is_no_text_is_shown_in_base64(self):
    stub = self.presence("a")
    token = stub.OpenSession(pb.OpenSessionRequest(), timeout=10).token
    stub.Track(pb.TrackRequest(token=token, ops=[
        pb.TrackOp(topic="room", key="ann", meta=b"\xff\x00")]), timeout=10)
    entry = self.objects("get", "room", "ann")[0]
    self.assertNotIn("meta", entry)
    self.assertEqual(base64.b64decode(entry["meta_base64"]), b"\xff\x00")

  def test_watch_shows_joins_updates_and_leaves(self):
    roll = local_cluster.Roll(BINARY, self.nodes["b"], "room")
    self.wait(lambda: roll.complete, "the state")
    tracker = self.track("room", "ann", at="c")
    self.wait(lambda: [e[1:] for e in roll.events] ==
              [("join", ("room", "ann"))], "a join")
    tracker.send_signal(signal.SIGINT)
    self.wait(lambda: [e[1:] for e in roll.events][1:] ==
              [("leave", ("room", "ann"))], "a leave")
    roll.process.send_signal(signal.SIGINT)
    self.assertEqual(roll.process.wait(timeout=PATIENCE), 0)

  def test_watch_shows_a_key_that_is_tracked_again_as_updated(self):
    requests = queue.SimpleQueue()
    answers = self.presence("a").Session(iter(requests.get, None))
    requests.put(pb.SessionRequest(
        open=pb.OpenSessionRequest(), number=1,
        track=[pb.TrackOp(topic="room", key="ann", meta=b"1")]))
    ref = next(answers).tracked_refs[0]
    self.wait_keys("room", ["ann"])
    at = ["--at", self.nodes["a"].address]
    views = [local_cluster.start([BINARY, "watch", "room", *flags, *at],
                                 stdout=subprocess.PIPE)
             for flags in ([], ["--entries"], ["--json"])]
    text, entries, lines = (view.stdout for view in views)
    self.assertEqual(text.readline(), "= room  ann  1\n")
    self.assertEqual(entries.readline(), "= room  ann  1\n")
    self.assertEqual([json.loads(lines.readline())["event"] for _ in range(2)],
                     ["state", "state_complete"])
    requests.put(pb.SessionRequest(
        number=2, untrack=[ref],
        track=[pb.TrackOp(topic="room", key="ann", meta=b"2")]))
    next(answers)
    self.assertEqual(text.readline(), "~ room  ann  2\n")
    requests.put(pb.SessionRequest(
        number=3, track=[pb.TrackOp(topic="room", key="ann", meta=b"3",
                                    allow_duplicate=True)]))
    ref = next(answers).tracked_refs[0]
    self.assertEqual(text.readline(), "+ room  ann  3  (2)\n")
    requests.put(pb.SessionRequest(number=4, untrack=[ref]))
    next(answers)
    self.assertEqual(text.readline(), "- room  ann  3  (1 left)\n")
    requests.put(None)  # The session ends.
    self.assertEqual(text.readline(), "- room  ann  2\n")
    self.assertEqual([entries.readline() for _ in range(5)],
                     ["+ room  ann  2\n", "- room  ann  1\n",
                      "+ room  ann  3\n", "- room  ann  3\n",
                      "- room  ann  2\n"])
    events = [json.loads(lines.readline()) for _ in range(5)]
    self.assertEqual([(e["event"], e["entries"], e["first_in"], e["last_out"])
                      for e in events],
                     [("join", 1, False, False), ("leave", 1, False, False),
                      ("join", 2, False, False), ("leave", 1, False, False),
                      ("leave", 0, False, True)])

  def test_track_moves_to_another_address_when_its_node_goes(self):
    process = local_cluster.start(
        [BINARY, "track", "room", "ann", "--grace-ms", "10000", "--at",
         ",".join(self.nodes[n].address for n in "ab")],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    self.assertEqual(process.stdout.readline(), "tracked 1\n")
    self.wait_keys("room", ["ann"])
    self.nodes["a"].kill()
    self.wait(lambda: [e["node"] for e in self.objects(
        "explain", "room", "ann", at="c") if e["shown"]] == ["b"], "it moved")
    process.send_signal(signal.SIGINT)
    self.assertEqual(process.wait(timeout=PATIENCE), 0)
    self.wait_keys("room", [], "bc")

  def at(self, names):
    return ",".join(self.nodes[name].address for name in names)

  def hold(self, *arguments, names):
    """A `muster track` of one entry with several addresses."""
    process = local_cluster.start(
        [BINARY, "track", *arguments, "--at", self.at(names)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    self.addCleanup(process.stderr.close)
    self.assertEqual(process.stdout.readline(), "tracked 1\n")
    return process

  def test_track_leaves_a_frozen_node_within_seconds(self):
    self.hold("room", "ann", "--grace-ms", "60000", names="ab")
    self.wait_keys("room", ["ann"])
    self.nodes["a"].send(signal.SIGSTOP)
    self.wait(lambda: [e["node"] for e in self.objects(
        "explain", "room", "ann", at="c") if e["shown"]] == ["b"],
              "it moved", seconds=12)

  def test_ctrl_c_ends_what_is_held_at_a_frozen_node(self):
    process = self.hold("room", "ann", "--grace-ms", "600000", names="ab")
    self.wait_keys("room", ["ann"])
    self.nodes["a"].send(signal.SIGSTOP)
    process.send_signal(signal.SIGINT)
    self.assertEqual(process.wait(timeout=PATIENCE), 0, process.stderr.read())
    self.wait_keys("room", [], "bc")
    self.nodes["a"].send(signal.SIGCONT)
    self.wait_keys("room", [])

  def test_ctrl_c_that_no_node_hears_of_is_3_and_says_what_follows(self):
    process = self.hold("room", "ann", names="a")
    self.nodes["a"].send(signal.SIGSTOP)
    process.send_signal(signal.SIGINT)
    self.assertEqual(process.wait(timeout=PATIENCE), 3)
    self.assertIn("their grace is over", process.stderr.read())

  def test_ctrl_c_while_lines_are_read_ends_cleanly(self):
    process = local_cluster.start(
        [BINARY, "track", "--at", self.at("a")], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    self.addCleanup(process.stdin.close)
    self.addCleanup(process.stderr.close)
    process.stdin.write("room\tann\n")
    process.stdin.flush()
    # Once the pipe is empty it is being read, which nothing else shows.
    self.wait(lambda: waiting_bytes(process.stdin) == 0, "the line is read")
    process.send_signal(signal.SIGINT)
    self.assertEqual(process.wait(timeout=PATIENCE), 0)
    self.assertEqual(process.stdout.read() + process.stderr.read(), "")

  def test_lines_of_any_size_are_held_and_survive_their_node(self):
    meta = '"' + 60_000 * "m" + '"'
    lines = "".join(f"big\t{i}\t{meta}\n" for i in range(100))
    lines += "".join(f"{'t' * 250}{i % 9}\t{'k' * 250}{i}\n"
                     for i in range(9000))
    process = local_cluster.start(
        [BINARY, "track", "--grace-ms", "60000", "--at", self.at("ab")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)
    self.addCleanup(process.stderr.close)
    process.stdin.write(lines)
    process.stdin.close()
    self.assertEqual(process.stdout.readline(), "tracked 9100\n")
    self.wait(lambda: self.muster("count", at="b") == "9100\n", "b has them")
    self.nodes["a"].kill()
    held = 0
    while held < 9100:
      line = process.stderr.readline()
      self.assertRegex(
          line, r"^muster: (lost .*|connected again.*|holding \d+ again)\n$")
      if line.startswith("muster: holding"):
        held += int(line.split()[2])
    process.send_signal(signal.SIGINT)
    self.assertEqual(process.wait(timeout=PATIENCE), 0)
    self.wait(lambda: self.muster("count", at="b") == "0\n", "all left")

  def test_what_is_refused_is_named_by_its_line(self):
    result = run("track", "--at", self.at("a"),
                 stdin="room\t\nroom\t" + 300 * "k" + "\n")
    self.assertEqual(result.returncode, 2)
    self.assertIn("standard input, line 1: room", result.stderr)
    self.assertIn("standard input, line 2: room", result.stderr)

  def test_a_name_that_is_no_text_is_refused_in_one_line(self):
    for command in (["list", b"\xff"], ["topics", b"\xff"],
                    ["watch", "--prefix", b"\xff"], ["track", b"\xff", "k"]):
      result = run(*command, "--at", self.at("a"))
      self.assertEqual(result.returncode, 2, command)
      self.assertIn("UTF-8", result.stderr)
      self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)

  def test_members_status_and_drain(self):
    members = {m["node"]: m for m in self.objects("members")}
    self.assertEqual(sorted(members), ["a", "b", "c"])
    self.assertEqual({m["state"] for m in members.values()},
                     {"MEMBER_STATE_ALIVE"})
    self.assertEqual(members["b"]["address"], self.nodes["b"].address)
    status = self.objects("status")[0]
    self.assertEqual((status["node"], status["ready"]), ("a", True))
    self.muster("drain", at="c")
    self.assertEqual(self.nodes["c"].process.wait(timeout=PATIENCE), 0)

  def at_terminal(self, *arguments):
    """What a command prints whose standard output is a terminal."""
    ours, theirs = pty.openpty()
    process = local_cluster.start(
        [BINARY, *arguments, "--at", self.at("a")], stdout=theirs)
    os.close(theirs)
    text = b""
    with open(ours, "rb", buffering=0) as output:
      try:
        while chunk := output.read(4096):
          text += chunk
      except OSError:  # The other end is closed.
        pass
    self.assertEqual(process.wait(timeout=PATIENCE), 0)
    return text.decode()

  def test_the_dead_are_shown_when_asked_for_until_they_are_forgotten(self):
    follower = local_cluster.start(
        [BINARY, "members", "--follow", "--json", "--at", self.at("a")],
        stdout=subprocess.PIPE)
    seen = [json.loads(follower.stdout.readline())["node"] for _ in range(3)]
    self.assertEqual(sorted(seen), ["a", "b", "c"])
    self.assertNotIn("--all", self.at_terminal("members"))
    result = run("forget", "c", "--at", self.at("a"))
    self.assertEqual(result.returncode, 1)
    self.assertIn("alive", result.stderr)

    self.muster("drain", at="c")
    names = lambda *flags, at="a": [
        m["node"] for m in self.objects("members", *flags, at=at)]
    self.wait(lambda: names() == ["a", "b"], "c is not among the living")
    self.wait(lambda: names(at="b") == ["a", "b"], "nor at b")
    self.assertEqual(names("--all"), ["a", "b", "c"])
    self.assertNotIn("\nc ", self.muster("members"))
    self.assertIn("1 more is down or has left: --all shows them",
                  self.at_terminal("members"))
    states = self.objects("status")[0]["members_by_state"]
    self.assertEqual((states["alive"], states["left"] + states["down"]),
                     (2, 1))
    self.assertIn("2 alive, 1 ", self.muster("status"))
    self.assertIn("2 alive, 1 ", self.muster("top", "--once"))

    self.assertEqual(self.muster("forget", "c"), "forgot c\n")
    for name in "ab":
      self.assertEqual(names("--all", at=name), ["a", "b"])
    result = run("forget", "c", "--at", self.at("a"))
    self.assertEqual(result.returncode, 1)
    self.assertIn("c is not known here", result.stderr)
    # That c goes was its last line.
    follower.send_signal(signal.SIGINT)
    rest = [json.loads(line) for line in follower.stdout]
    self.assertEqual(follower.wait(timeout=PATIENCE), 0)
    of_c = [m["state"] for m in rest if m["node"] == "c"]
    dead = [s for s in of_c if s in ("MEMBER_STATE_LEFT",
                                     "MEMBER_STATE_DOWN")]
    self.assertEqual(len(dead), 1, of_c)
    self.assertEqual(of_c[-1], dead[0])

  def test_evict_asks_somebody_to_leave_from_outside(self):
    tracker = self.hold("room", "ann", names="b")
    self.hold("room", "bob", names="c")
    gateway = StreamSession(self.presence("a"), pb.SessionRequest(
        open=pb.OpenSessionRequest(),
        track=[pb.TrackOp(topic="room", key="ann")]))
    self.wait(lambda: len(self.objects("get", "room", "ann")) == 2, "both")
    self.assertEqual(self.muster("evict", "room", "ann", "--reason", "spam"),
                     "evicted 2\n")
    self.wait_keys("room", ["bob"])
    told = next(gateway.call)
    self.assertEqual([(e.topic, e.key, e.reason) for e in told.evicted],
                     [("room", "ann", "spam")])
    # It has nothing left to hold.
    self.assertEqual(tracker.wait(timeout=PATIENCE), 1)
    self.assertIn("evicted: ann in room: spam", tracker.stderr.read())
    result = run("evict", "room", "ann", "--at", self.at("c"))
    self.assertEqual(result.returncode, 1)
    self.assertIn("is not present", result.stderr)
    # Nothing bans a return.
    self.track("room", "ann", at="b")
    self.wait_keys("room", ["ann", "bob"])

  def test_evict_names_the_owners_that_were_not_reached(self):
    self.hold("room", "ann", "--grace-ms", "600000", names="c")
    self.wait_keys("room", ["ann"])
    self.nodes["c"].kill()
    self.wait(lambda: self.objects("status")[0]["members_by_state"]["down"],
              "c is down")
    result = run("evict", "room", "ann", "--at", self.at("a"))
    self.assertEqual(result.returncode, 1)
    self.assertEqual(result.stdout, "evicted 0\n")
    self.assertIn(f"not reached: c ({self.nodes['c'].address}): is down",
                  result.stderr)
    # To forget the node is the way to be rid of what it held.
    self.muster("forget", "c")
    self.wait_keys("room", [], "ab")

  def test_top_says_who_is_there_and_how_busy(self):
    self.track("room", "ann")
    self.wait_keys("room", ["ann"])
    shown = self.muster("top", "--once")
    for word in ("NODE", "a ", "b ", "c ", "room"):
      self.assertIn(word, shown)


class SmallLimitsTest(ClusterCase):

  NAMES = "a"
  FLAGS = ("--max-batch-ops", "100", "--max-message-bytes", "65536")

  def test_track_sends_no_more_than_the_node_takes(self):
    lines = "".join(f"room\t{i}\t\"{1000 * 'm'}\"\n" for i in range(150))
    process = local_cluster.start(
        [BINARY, "track", "--at", self.nodes["a"].address],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(lines)
    process.stdin.close()
    self.assertEqual(process.stdout.readline(), "tracked 150\n")
    process.send_signal(signal.SIGINT)
    self.assertEqual(process.wait(timeout=PATIENCE), 0)


class ExitCodeTest(unittest.TestCase):

  def test_every_command_has_help(self):
    for command in ("serve", "members", "list", "get", "count", "topics",
                    "topics-of", "explain", "watch", "status", "drain",
                    "track", "top", "evict", "forget"):
      result = run(command, "--help")
      self.assertEqual(result.returncode, 0, command)
      self.assertIn("Usage: muster " + command, result.stdout)

  def test_bad_usage_is_2_and_names_what_is_wrong(self):
    for arguments, words in (
        (["frobnicate"], ["frobnicate"]),
        (["sevre"], ["sevre", "did you mean serve?"]),
        (["serve", "--nod", "a"], ["--nod", "did you mean --node?"]),
        (["list"], ["topic"]),
        (["list", "room", "--at", "::1:7502"], ["[::1]:7502"]),
        (["list", "room", "--at", "http://h:1"], ["write h:1"]),
        (["list", "room", "--at", "h:1, g:2"], ["write g:2"]),
        (["serve", "--listen", "::1:7400"], ["write [::1]:7400"]),
        (["serve", "--join", "http://h:1"], ["write h:1"]),
        (["serve", "--node", "a b"], ["--node", "a b"]),
        (["serve", "--listen", "nowhere"], ["--listen", "nowhere"]),
        (["serve", "--max-name-bytes", "0"], ["--max-name-bytes", "0"]),
        (["serve", "--max-name-bytes", "x"], ["--max-name-bytes", "x"])):
      result = run(*arguments)
      self.assertEqual(result.returncode, 2, arguments)
      for word in words:
        self.assertIn(word, result.stderr)

  def test_nobody_there_is_3(self):
    port = local_cluster.free_port(set())
    result = run("count", "--at", f"127.0.0.1:{port}")
    self.assertEqual(result.returncode, 3)
    self.assertIn(f"127.0.0.1:{port}", result.stderr)

  def test_a_config_file_with_an_unknown_key_is_refused_by_name(self):
    for text, words in (('node = "a"\nnodee = "b"\n', ["nodee"]),
                        ("max_name_bytes = 0\n", ["max_name_bytes", "0"]),
                        ("node = \n", [".toml:1"])):
      with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(text)
        file.flush()
        result = run("serve", "--config", file.name)
      self.assertEqual(result.returncode, 2, text)
      for word in [os.path.basename(file.name)] + words:
        self.assertIn(word, result.stderr)

  def test_ready_is_the_only_line_and_ctrl_c_ends_a_node(self):
    self.addCleanup(local_cluster.stop_all)
    with tempfile.TemporaryFile("w+") as log:
      node = local_cluster.start(
          [BINARY, "serve", "--node", "solo", "--listen", "127.0.0.1:0",
           "--join", f"127.0.0.1:{local_cluster.free_port(set())}"],
          stdout=subprocess.PIPE, stderr=log)
      line = node.stdout.readline()
      self.assertRegex(line, r"^ready node=solo grpc=127\.0\.0\.1:\d+\n$")
      address = line.strip().split("grpc=")[1]
      ready = lambda: run("count", "--at", address).returncode == 0
      self.assertTrue(wait_until(ready, PATIENCE), "it serves alone")
      self.assertIn("alone", run("status", "--at", address).stdout)
      node.send_signal(signal.SIGINT)
      self.assertEqual(node.wait(timeout=PATIENCE), 0)
      self.assertEqual(node.stdout.read(), "")


if __name__ == "__main__":
  unittest.main()
