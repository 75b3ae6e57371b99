"""Pub/sub as a user has it: `muster subscribe` and `muster publish`."""

import subprocess
import threading

from faults import PATIENCE, HarnessError

HELD = "muster: subscribed"
LOST = "muster: messages may be missed until subscribed again"


class Subscriber:
  """One `muster subscribe`. Messages are CHANNEL/PAYLOAD, as they come."""

  def __init__(self, name, binary, at, pattern, names):
    self.name = name
    self.messages = []
    self.said = []  # What it wrote for people: losses and moves.
    self._lock = threading.Condition()
    self._held = False
    self._over = False  # It has said all that it will.
    self._process = subprocess.Popen(
        [binary, "subscribe", *names, *(["--pattern"] if pattern else []),
         "--at", ",".join(at)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
    self._readers = [
        threading.Thread(target=self._read, args=arguments, daemon=True)
        for arguments in ((self._process.stdout, self._message),
                          (self._process.stderr, self._note))]
    for reader in self._readers:
      reader.start()
    with self._lock:
      self._lock.wait_for(lambda: HELD in self.said or self._over, PATIENCE)
    if HELD not in self.said:
      self.end()
      raise HarnessError(f"{name} could not subscribe, or not within "
                         f"{PATIENCE:g} s; it said "
                         f"{'; '.join(self.said) or 'nothing'}")

  def _read(self, stream, take):
    with stream:
      for line in stream:
        with self._lock:
          take(line.rstrip("\n"))
          self._lock.notify_all()
    with self._lock:
      self._over = True
      self._lock.notify_all()

  def _message(self, line):
    self.messages.append(line.replace("\t", "/", 1))

  def _note(self, line):
    if line == HELD:
      self._held = True
    elif line == LOST:
      self._held = False
    self.said.append(line)

  @property
  def ended(self):
    return self._process.poll() is not None

  @property
  def held(self):
    """Its subscriptions hold on every node, as it was told last."""
    with self._lock:
      return self._held and not self.ended

  def heard(self, messages):
    """Whether it has been given just these since this last held."""
    with self._lock:
      if self.messages != messages:
        return False
      self.messages = []
      return True

  def shown(self):
    with self._lock:
      return " ".join(self.messages) or "nothing"

  def end(self):
    if not self.ended:
      self._process.kill()
    self._process.wait()
    for reader in self._readers:
      reader.join()


def publish(binary, node, channel, payload):
  """One `muster publish`; how many subscriptions it met."""
  done = subprocess.run(
      [binary, "publish", channel, payload, "--at", node.listen],
      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
      text=True, timeout=PATIENCE)
  if done.returncode != 0:
    raise HarnessError(f"muster publish ended with {done.returncode}: "
                       f"{done.stderr.strip()}")
  return int(done.stdout)
