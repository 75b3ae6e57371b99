"""The commands of `muster` as a person at a terminal uses them: what they say,
the keys they take, and how they go on when their node goes."""

import json
import os
import pty
import re
import signal
import subprocess
import termios
import threading
import unittest

import local_cluster
from cluster_case import BINARY, PATIENCE, ClusterCase
from local_cluster import news, wait_until


class Text:
  """Collects what comes out of a descriptor."""

  def __init__(self, fd):
    self.text = ""
    self._fd = fd
    self._thread = threading.Thread(target=self._read, daemon=True)
    self._thread.start()

  def _read(self):
    while True:
      try:
        some = os.read(self._fd, 65536)
      except OSError:  # The last user of a terminal is gone.
        return
      if not some:
        return
      with news:
        self.text += some.decode("utf-8", "replace")
        news.notify_all()

  def forget(self):
    with news:
      self.text = ""

  def join(self):
    self._thread.join()


class Terminal(Text):
  """A command whose terminal this is, with Ctrl-C and all."""

  def __init__(self, *arguments):
    self.master, self.slave = pty.openpty()
    self.modes = termios.tcgetattr(self.slave)
    self.process = subprocess.Popen(
        ["setsid", "--ctty", BINARY, *arguments], stdin=self.slave,
        stdout=self.slave, stderr=self.slave)
    super().__init__(self.master)

  def type(self, text):
    os.write(self.master, text.encode())

  def close(self):
    if self.process.poll() is None:
      self.process.kill()
    self.process.wait()
    os.close(self.slave)
    self.join()
    os.close(self.master)


class TerminalCase(ClusterCase):

  NAMES = "a"

  def at(self):
    return self.nodes["a"].address

  def terminal(self, *arguments):
    terminal = Terminal(*arguments, "--at", self.at())
    self.addCleanup(terminal.close)
    return terminal

  def wait_text(self, source, *patterns):
    for pattern in patterns:
      came = wait_until(lambda p=pattern: re.search(p, source.text), PATIENCE)
      self.assertTrue(came, f"never came: {pattern!r} in {source.text!r}")

  def wait_exit(self, terminal, code=0):
    self.assertEqual(terminal.process.wait(timeout=PATIENCE), code,
                     terminal.text)

  def command(self, *arguments, stdin=None):
    """A command without a terminal; its streams as Text."""
    process = local_cluster.start(
        [BINARY, *arguments, "--at", self.at()], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    self.addCleanup(process.stderr.close)
    if stdin is not None:
      process.stdin.write(stdin)
    process.stdin.close()
    process.said = Text(process.stdout.fileno())
    process.complained = Text(process.stderr.fileno())
    return process

  def track(self, *arguments, stdin=None):
    process = self.command("track", *arguments, stdin=stdin)
    self.wait_text(process.said, r"tracked \d+\n")
    return process

  def run_once(self, *arguments):
    return subprocess.run([BINARY, *arguments, "--at", self.at()], text=True,
                          capture_output=True, timeout=PATIENCE, check=False)


class TerminalUseTest(TerminalCase):

  def test_numbers_have_headings_at_a_terminal_and_none_in_a_pipe(self):
    self.track("room", "ann")
    count = self.terminal("count")
    self.wait_exit(count)
    self.wait_text(count, r"ENTRIES  KEYS\r\n +1 +1\r\n")
    count = self.terminal("count", "--key", "ann")
    self.wait_exit(count)
    self.wait_text(count, r"ENTRIES\r\n +1\r\n")
    topics = self.terminal("topics")
    self.wait_exit(topics)
    self.wait_text(topics, r"TOPIC  ENTRIES  KEYS\r\nroom +1 +1\r\n")
    self.assertEqual(self.run_once("count").stdout, "1\n")
    self.assertEqual(self.run_once("topics").stdout, "room  1  1\n")

  def test_track_says_what_to_type_and_how_to_end(self):
    track = self.terminal("track")
    self.wait_text(track, "topic<TAB>key<TAB>meta.*Ctrl-D.*Ctrl-C")
    track.type("room\tann\n\x04")
    self.wait_text(track, "tracked 1")
    self.wait_keys("room", ["ann"])
    track.type("\x03")
    self.wait_exit(track)
    self.wait_keys("room", [])

  def test_a_terminal_that_is_closed_ends_track_at_once(self):
    track = self.terminal("track", "room", "ann", "--grace-ms", "600000")
    self.wait_text(track, "tracked 1")
    track.process.send_signal(signal.SIGHUP)
    self.wait_exit(track)
    self.wait_keys("room", [])

  def test_under_nohup_track_stays_when_the_terminal_is_closed(self):
    process = local_cluster.start(
        ["nohup", BINARY, "track", "room", "ann", "--at", self.at()],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    self.assertEqual(process.stdout.readline(), "tracked 1\n")
    process.send_signal(signal.SIGHUP)
    # It would be served first: signals of one process are in order.
    self.wait_keys("room", ["ann"])
    process.send_signal(signal.SIGTERM)
    self.assertEqual(process.wait(timeout=PATIENCE), 0)

  def top(self):
    top = self.terminal("top")
    self.wait_text(top, "\x1b\\[\\?1049h", "NODE +STATE")
    modes = termios.tcgetattr(top.slave)
    self.assertFalse(modes[3] & termios.ICANON)
    return top

  def assert_restored(self, top):
    self.assertEqual(termios.tcgetattr(top.slave), top.modes)
    self.wait_text(top, "\x1b\\[\\?25h\x1b\\[\\?1049l")

  def test_q_ends_top_and_the_terminal_is_as_before(self):
    top = self.top()
    top.type("xq")
    self.wait_exit(top)
    self.assert_restored(top)

  def test_signals_end_top_and_the_terminal_is_as_before(self):
    for end in (lambda top: top.type("\x03"),
                lambda top: top.process.send_signal(signal.SIGTERM),
                lambda top: top.process.send_signal(signal.SIGHUP),
                lambda top: top.type("\x1c")):
      top = self.top()
      end(top)
      self.wait_exit(top)
      self.assert_restored(top)

  def test_a_second_ctrl_c_ends_top_at_once_and_restores_the_terminal(self):
    top = self.top()
    self.nodes["a"].send(signal.SIGSTOP)
    self.addCleanup(self.nodes["a"].send, signal.SIGCONT)
    # Only once a call hangs is the first one not enough.
    self.wait_text(top, "no node for")
    top.process.send_signal(signal.SIGTERM)
    self.wait(lambda: self.pending_is_taken(top) or
              top.process.poll() is not None, "the signal is taken")
    if top.process.poll() is None:
      top.process.send_signal(signal.SIGTERM)
    self.assertIn(top.process.wait(timeout=PATIENCE), (0, 128 + 15))
    self.assert_restored(top)

  @staticmethod
  def pending_is_taken(top):
    with open(f"/proc/{top.process.pid}/status", encoding="ascii") as status:
      pending = re.search(r"ShdPnd:\t(\w+)", status.read())
    return pending and int(pending.group(1), 16) == 0

  def test_top_waits_for_its_node_and_goes_on(self):
    top = self.top()
    self.nodes["a"].kill()
    self.wait_text(top, r"no node for [^:]*, looking for one: ")
    self.nodes["a"].start()
    top.forget()
    self.wait_text(top, r"muster top  \d\d:\d\d:\d\d", "NODE +STATE")
    self.assertIsNone(top.process.poll())
    top.type("q")
    self.wait_exit(top)


class LostNodeTest(TerminalCase):

  def lose_and_find(self, process):
    self.nodes["a"].kill()
    self.wait_text(process.complained, "lost " + self.at())
    self.nodes["a"].start()
    self.wait_text(process.complained, "connected again, to " + self.at())
    # Each is said once.
    for word in ("lost ", "connected again"):
      self.assertEqual(process.complained.text.count(word), 1,
                       process.complained.text)

  def test_watch_says_that_it_is_lost_and_back_and_goes_on(self):
    watch = self.command("watch", "room", "--json")
    self.wait_text(watch.said, "state_complete")
    self.lose_and_find(watch)
    self.wait(lambda: self.sees_all("a"), "the node is ready")
    self.track("room", "ann")
    self.wait(lambda: [json.loads(line)["key"] for line in
                       watch.said.text.splitlines()[1:]] == ["ann"], "ann")

  def test_members_says_that_it_is_lost_and_back_and_goes_on(self):
    members = self.command("members", "--follow")
    self.wait_text(members.said, "alive")
    members.said.forget()
    self.lose_and_find(members)
    self.wait_text(members.said, "alive")

  def test_track_says_that_it_is_lost_and_back_and_holds_again(self):
    track = self.track("room", "ann")
    self.lose_and_find(track)
    self.wait_text(track.complained, "holding 1 again")
    self.wait(lambda: self.sees_all("a"), "the node is ready")
    self.wait_keys("room", ["ann"])

  def test_who_is_told_to_gives_up(self):
    waiting = [self.track("room", "ann", "--give-up-ms", "500"),
               self.command("watch", "room", "--json", "--give-up-ms", "500"),
               self.command("members", "--follow", "--give-up-ms", "500"),
               self.command("top", "--give-up-ms", "500")]
    for process, word in zip(waiting[1:], ("state_complete", "alive", "NODE")):
      self.wait_text(process.said, word)
    self.nodes["a"].kill()
    for process in waiting:
      self.assertEqual(process.wait(timeout=PATIENCE), 3, process.args)
      self.wait_text(process.complained, "cannot connect|no node")

  def test_at_the_start_a_refusal_is_the_end(self):
    self.nodes["a"].kill()
    for command in (["watch", "room"], ["track", "room", "ann"], ["top"],
                    ["members", "--follow"]):
      result = self.run_once(*command)
      self.assertEqual(result.returncode, 3, command)
      self.assertIn("no node can be reached", result.stderr)


class NamesTest(TerminalCase):

  def keys_of(self, *arguments):
    lines = self.run_once(*arguments, "--json").stdout.splitlines()
    return [json.loads(line)["key"] for line in lines]

  def test_names_with_brackets_and_commas_are_one_name(self):
    self.track("[a,b]", "[u,v]")
    self.assertEqual(self.keys_of("list", "[a,b]"), ["[u,v]"])
    self.assertEqual(self.keys_of("get", "[a,b]", "[u,v]"), ["[u,v]"])
    for arguments in (["[a,b]"], ["--key", "[u,v]"], ["--prefix", "[a"]):
      watch = self.command("watch", *arguments, "--json")
      self.wait_text(watch.said, "state_complete")
      shown = json.loads(watch.said.text.splitlines()[0])
      self.assertEqual((shown["topic"], shown["key"]), ("[a,b]", "[u,v]"))

  def test_lines_from_windows_are_the_same_entries(self):
    self.track(stdin="room\tann\r\nroom\tbob\t{}\r\n")
    self.assertEqual(self.keys_of("list", "room"), ["ann", "bob"])


class ListenEverywhereTest(unittest.TestCase):

  def test_without_a_host_a_node_listens_on_every_address(self):
    self.addCleanup(local_cluster.stop_all)
    taken = set()
    ports = [local_cluster.free_port(taken) for _ in "ab"]
    for name, port in zip("ab", ports):
      node = local_cluster.start(
          [BINARY, "serve", "--node", name, "--listen", f":{port}",
           "--advertise", "127.0.0.1", "--join",
           f"127.0.0.1:{ports[0]}"],
          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
      self.assertRegex(node.stdout.readline(),
                       rf"^ready node={name} grpc=\S*:{port}\n$")

    def status(host):
      result = subprocess.run(
          [BINARY, "status", "--json", "--at", f"{host}:{ports[0]}"],
          text=True, capture_output=True, timeout=PATIENCE, check=False)
      return json.loads(result.stdout) if result.returncode == 0 else {}

    for host in ("127.0.0.1", "localhost"):
      self.assertTrue(
          wait_until(lambda h=host: status(h).get("links") == 1, PATIENCE),
          status(host))
    # A link whose beats do not travel as datagrams would be noted.
    self.assertTrue(wait_until(
        lambda: not [n for n in status("127.0.0.1")["notes"] if "UDP" in n],
        PATIENCE), status("127.0.0.1"))


if __name__ == "__main__":
  unittest.main()
