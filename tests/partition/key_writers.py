"""Clients that write keys on and on, each a `muster kv` that is given one
command after the other, and the history of what they were answered.

  2 1200 1450 RPUSH load1:q:0 w2-17 => :2
  3 1300 - LPOP load1:q:0 => ?              nobody knows what became of it

It is of the form that muster-judge reads (tests/sim/linearizability.h); times
are microseconds. Reads are the leader's. The keys change with time, so that no
history of a key is long, and what is unknown of one is soon of no matter.
"""

import itertools
import json
import os
import random
import subprocess
import tempfile
import threading
import time

import keys
from faults import PATIENCE, HarnessError

# So many commands of all writers to the same keys.
COMMANDS_A_KEY = 200
# Weights of commands.
WEIGHTS = {"INCR": 25, "RPUSH": 15, "LPOP": 15, "SADD": 10, "SREM": 5,
           "SET": 10, "GET": 8, "HSET": 5, "SETNX": 5, "HGET": 2}
READS = ("GET", "HGET")
# Those that always write.
WRITES = ("INCR", "RPUSH", "SADD", "SET", "HSET")
# What is read of each key once they rest.
LAST_READS = {"n": "GET", "v": "GET", "x": "GET", "q": "LLEN", "s": "SCARD"}


def result(command, answer):
  """An answer as a history has it."""
  if answer is None:
    return "_"
  if keys.is_error(answer):
    return f"-{answer['error'].split()[0]}"
  if isinstance(answer, int):
    return f":{answer}"
  return f"+{answer}" if command[0] == "SET" else f"${answer}"


class _Process:
  """One `muster kv`."""

  def __init__(self, binary, at):
    self._process = subprocess.Popen(
        keys.arguments(binary, at, leader=True), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True)

  def ask(self, command):
    """The answer; raises NotDone."""
    try:
      self._process.stdin.write(" ".join(command) + "\n")
      self._process.stdin.flush()
      line = self._process.stdout.readline()
    except (OSError, ValueError):
      line = ""
    if not line:
      raise keys.NotDone(f"muster kv has ended: the {keys.UNKNOWN}")
    if line.startswith("muster: "):
      raise keys.NotDone(line.strip())
    return json.loads(line)

  @property
  def runs(self):
    return self._process.poll() is None

  def end(self):
    self._process.kill()
    self._process.wait()
    for pipe in (self._process.stdin, self._process.stdout):
      try:
        pipe.close()
      except OSError:
        pass  # What it was to be told last has nowhere to go.


class Writers:
  """`places`: for each of them the addresses of the nodes, in the order in
  which it tries them. All of it is told to `model`, too. Keys begin with
  `name`."""

  def __init__(self, name, binary, places, model):
    self._name = name
    self._binary = binary
    self._model = model
    self._places = places
    self._lock = threading.Lock()
    self._numbers = itertools.count()
    self._began = time.monotonic()
    self._ended = threading.Event()
    self._history = []  # Lines.
    self._acks = []  # (seconds, writer) of each write that was acknowledged.
    self._over = None  # When they came to rest.
    self.read = False  # All keys, since then.
    self.refused = []  # What was said of writes that were not executed.
    self.unknown = []  # And of those of which nobody knows.
    self._processes = [_Process(binary, at) for at in places]
    self._threads = [
        threading.Thread(target=self._drive, args=(writer,), daemon=True)
        for writer in range(len(places))]
    for thread in self._threads:
      thread.start()

  # ------------------------------------------------------------ their work

  def _drive(self, writer):
    generator = random.Random(writer)
    while not self._ended.is_set():
      command = self._command(writer, generator)
      self._do(writer, command)

  def _command(self, writer, generator):
    number = next(self._numbers)
    epoch = number // COMMANDS_A_KEY
    name, = generator.choices(list(WEIGHTS), list(WEIGHTS.values()))
    word = f"w{writer}-{number}"
    # Whatever this writer added by that number, if anything.
    before = f"w{writer}-{generator.randrange(max(0, number - 60), number + 1)}"
    return {
        "INCR": ["INCR", f"{self._name}:n:{epoch}"],
        "RPUSH": ["RPUSH", f"{self._name}:q:{epoch}", word],
        "LPOP": ["LPOP", f"{self._name}:q:{epoch}"],
        "SADD": ["SADD", f"{self._name}:s:{epoch}", word],
        "SREM": ["SREM", f"{self._name}:s:{epoch}", before],
        "SET": ["SET", f"{self._name}:v:{epoch}", word],
        "GET": ["GET", f"{self._name}:{generator.choice('nv')}:{epoch}"],
        "HSET": ["HSET", f"{self._name}:h:{epoch}", f"f{writer}", word],
        "HGET": ["HGET", f"{self._name}:h:{epoch}", f"f{writer}"],
        "SETNX": ["SET", f"{self._name}:x:{epoch}", word, "NX"],
    }[name]

  def _do(self, writer, command):
    called = self._now()
    try:
      answer = self._processes[writer].ask(command)
    except keys.NotDone as fault:
      self._not_done(writer, command, called, fault)
      return
    answered = self._now()
    self._model.note(command, answer)
    with self._lock:
      self._history.append(_line(writer, called, answered, command, answer))
      if command[0] in WRITES and answer is not None:
        self._acks.append((answered, writer))

  def _not_done(self, writer, command, called, fault):
    if self._ended.is_set() and self._over is not None:
      return  # Cancelled.
    if command[0] not in READS:
      with self._lock:
        (self.unknown if fault.unknown else self.refused).append(str(fault))
        if fault.unknown:
          self._history.append(_line(writer, called, None, command, None))
      if fault.unknown:
        self._model.note(command, known=False)
    # It ends where no node can be reached.
    if not self._processes[writer].runs or "has ended" in str(fault):
      self._processes[writer].end()
      if not self._ended.wait(0.1):
        self._processes[writer] = _Process(self._binary, self._places[writer])

  def _now(self):
    """Seconds since they began."""
    return time.monotonic() - self._began

  # --------------------------------------------------------------- the end

  def end(self):
    """They rest. Raises HarnessError if one waits for its answer still."""
    self._ended.set()
    patience = time.monotonic() + PATIENCE
    for thread in self._threads:
      thread.join(max(0, patience - time.monotonic()))
    late = [str(i) for i, t in enumerate(self._threads) if t.is_alive()]
    self._over = self._now()
    self.cancel()
    if late:
      raise HarnessError(f"writers {', '.join(late)} had no answer for "
                         f"{PATIENCE:g} s")

  def cancel(self):
    """They give up."""
    self._ended.set()
    if self._over is None:
      self._over = self._now()
    for process in self._processes:
      process.end()

  def read_last(self):
    """All keys once more, at the leader of those that write: what is not there
    any more is a part of the history, too."""
    epochs = range(next(self._numbers) // COMMANDS_A_KEY + 1)
    commands = [[name, f"{self._name}:{key}:{epoch}"] for epoch in epochs
                for key, name in LAST_READS.items()]
    commands += [["HGET", f"{self._name}:h:{epoch}", f"f{writer}"] for epoch in epochs
                 for writer in range(len(self._places))]
    self.read = True
    called = self._now()
    answers = keys.run_all(self._binary, self._places[0], commands, leader=True)
    answered = self._now()
    self._history += [_line(len(self._places) + i, called, answered, *done)
                      for i, done in enumerate(zip(commands, answers))]

  # --------------------------------------------------------------- figures

  @property
  def rest(self):
    return self._over is not None

  @property
  def gap(self):
    """The longest time without a write that was acknowledged."""
    return _longest([when for when, _ in self._acks], self._over)

  @property
  def pause(self):
    """The longest of any one writer."""
    return max(_longest([when for when, who in self._acks if who == writer],
                        self._over) for writer in range(len(self._places)))

  def summary(self):
    return (f"{len(self._history)} commands, {len(self._acks)} writes "
            f"acknowledged; longest gap between these {self.gap:.2f} s, of one "
            f"writer {self.pause:.2f} s; {len(self.refused)} refused, "
            f"{len(self.unknown)} unknown")

  def judged(self, judge):
    """What muster-judge says of the history; empty if it is linearizable."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="muster-", suffix=".history", delete=False) as file:
      file.write("\n".join(self._history) + "\n")
    done = subprocess.run([judge, file.name], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=PATIENCE * 2, check=False)
    if done.returncode != 0:
      return done.stdout
    os.unlink(file.name)
    return ""


def _line(client, called, answered, command, answer):
  known = answered is not None
  return " ".join([
      str(client), f"{called * 1e6:.0f}",
      f"{answered * 1e6:.0f}" if known else "-", *command, "=>",
      result(command, answer) if known else "?"])


def _longest(moments, end):
  """From the first to the end; all of it if there is none."""
  moments = sorted(moments) or [0.0]
  return max(b - a for a, b in zip(moments, [*moments[1:], end]))
