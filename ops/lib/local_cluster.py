"""Nodes, users and views as processes of `muster` on this machine.

The demo and the integration tests stand on it.

A view is a `muster watch` or `muster members --follow` of one node, read line
by line as it comes: what it says is what that node sees, and when.

Processes are in sessions of their own, so that a Ctrl-C reaches only the
caller, and all are ended by stop_all().
"""

import collections
import json
import os
import random
import signal
import socket
import subprocess
import tempfile
import threading
import time

# Notified whenever any view has news.
news = threading.Condition()

_processes = []


def wait_until(condition, seconds):
  """True once the condition holds; False if it does not in time."""
  deadline = time.monotonic() + seconds
  with news:
    while not condition():
      left = deadline - time.monotonic()
      if left <= 0:
        return False
      news.wait(min(left, 0.2))
  return True


def start(arguments, **options):
  options.setdefault("stdin", subprocess.DEVNULL)
  process = subprocess.Popen(arguments, start_new_session=True, text=True,
                             **options)
  _processes.append(process)
  return process


def stop_all():
  """Ends every process, frozen ones too."""
  for process in _processes:
    if process.poll() is None:
      process.kill()
      process.send_signal(signal.SIGCONT)
  for process in _processes:
    process.wait()
    if process.stdout:
      process.stdout.close()
  _processes.clear()


def free_port(taken):
  """A port free for TCP and UDP, below those given out to connections."""
  while True:
    port = random.randrange(20000, 32000)
    if port in taken:
      continue
    try:
      for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
          probe.bind(("127.0.0.1", port))
    except OSError:
      continue
    taken.add(port)
    return port


class Node:
  """One `muster serve`, at an address that it keeps over restarts."""

  def __init__(self, binary, name, address, others, flags=()):
    self.binary = binary
    self.name = name
    self.address = address
    self.others = others
    self.flags = list(flags)
    self.process = None
    self.log = tempfile.NamedTemporaryFile(
        prefix=f"muster-{name}-", suffix=".log", delete=False)

  def start(self):
    """Returns the seconds until it said that it is ready."""
    began = time.monotonic()
    self.process = start(
        [self.binary, "serve", "--node", self.name, "--listen", self.address,
         "--join", ",".join(self.others), *self.flags],
        stdout=subprocess.PIPE, stderr=self.log)
    line = self.process.stdout.readline().strip()
    if line != f"ready node={self.name} grpc={self.address}":
      with open(self.log.name, encoding="utf-8", errors="replace") as log:
        raise RuntimeError(f"node {self.name} said {line!r}, and on standard "
                           f"error: {log.read()[-2000:]}")
    return time.monotonic() - began

  def send(self, number):
    self.process.send_signal(number)

  def kill(self):
    self.process.kill()
    self.process.wait()


class View:
  """Reads a command that prints JSON lines, on a thread."""

  def __init__(self, arguments):
    self.process = start(arguments, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL)
    threading.Thread(target=self._read, daemon=True).start()

  def _read(self):
    for line in self.process.stdout:
      now = time.monotonic()
      with news:
        self.take(json.loads(line), now)
        news.notify_all()


class Roll(View):
  """The entries that one node shows; when it goes, one of the others."""

  def __init__(self, binary, node, prefix, others=()):
    self.entries = {}  # Ref to (topic, key).
    self.events = []  # (time, event, (topic, key)).
    self.complete = False
    super().__init__([binary, "watch", "--prefix", prefix, "--json", "--at",
                      ",".join([node.address, *others])])

  def take(self, line, now):
    event = line["event"]
    if event == "state_complete":
      self.complete = True
      return
    entry = (line["topic"], line["key"])
    if event == "leave":
      self.entries.pop(line["ref"], None)
    else:
      self.entries.pop(line["ref_prev"], None)
      self.entries[line["ref"]] = entry
    self.events.append((now, event, entry))

  def keys(self):
    return collections.Counter(self.entries.values())

  def since(self, began, event=None):
    return [e for e in self.events if e[0] >= began and
            event in (None, e[1])]


class Members(View):
  """The states of the nodes as one of them sees them."""

  def __init__(self, binary, node):
    self.states = {}
    self.changes = []  # (time, node, state).
    super().__init__([binary, "members", "--follow", "--json", "--at",
                      node.address])

  def take(self, line, now):
    state = line["state"].removeprefix("MEMBER_STATE_").lower()
    if self.states.get(line["node"]) == state:
      return
    self.states[line["node"]] = state
    self.changes.append((now, line["node"], state))

  def first(self, node, state, began):
    """When it first saw the node so, since `began`; None if it has not."""
    for when, who, what in self.changes:
      if when >= began and who == node and what == state:
        return when
    return None


class User:
  """Somebody in a room: a `muster track` at the given addresses."""

  def __init__(self, binary, name, room, addresses, grace_ms=0):
    self.entry = (room, name)
    self.home = addresses[0]
    self.grace_ms = grace_ms
    self.process = start(
        [binary, "track", room, name, "--meta", json.dumps({"pid": os.getpid()}),
         "--grace-ms", str(grace_ms), "--at", ",".join(addresses)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

  def leave(self):
    self.process.send_signal(signal.SIGINT)
