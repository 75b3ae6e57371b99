"""What clients were answered when they wrote, and so what must be there.

It knows of each key what INCR, INCRBY, SADD, SREM, RPUSH, LPUSH, LPOP and RPOP
have done since all was known last (see rebase): what was answered must hold,
what was refused must not, and of what nobody knows either may. Members and
elements are written once: what is there once more has come back.

  counter   what was added, and up to as much more as is unknown
  set       each member added, none that was seen and removed
  list      each element pushed and not popped, none twice, none popped;
            an unknown pop may have taken one

Keys that are also written in other ways are not judged.

Threads: safe to be used by several at once.
"""

import collections
import threading

from keys import is_error

READS = {"GET", "MGET", "STRLEN", "EXISTS", "TYPE", "TTL", "PTTL", "SCARD",
         "SMEMBERS", "SISMEMBER", "LLEN", "LRANGE", "HGET", "HGETALL", "HLEN",
         "EXPIRETIME", "ZSCORE", "ZRANGE", "ZCARD"}


class _Counter:

  READ = ("GET",)

  def __init__(self):
    self.base = self.least = self.most = 0

  def write(self, command, answer, known):
    by = int(command[2]) if len(command) > 2 else 1
    self.most += max(by, 0)
    self.least += min(by, 0)
    if known:
      self.least += max(by, 0)
      self.most += min(by, 0)

  def excuse(self):
    self.least = min(self.least, self.base)
    self.most = max(self.most, self.base)

  def rebase(self, answer):
    self.base = self.least = self.most = int(answer or 0)

  def wrong(self, answer):
    found = int(answer or 0)
    if self.least <= found <= self.most:
      return ""
    wanted = str(self.least) if self.least == self.most else (
        f"{self.least} to {self.most}")
    return f"is {found}, and must be {wanted}"


class _Elements:
  """What sets and lists have in common."""

  def __init__(self):
    self.base = set()  # There when all was known.
    self.tried = collections.Counter()  # Added since, as far as is known.
    self.certain = set()  # Of these, those that must be there.
    self.taken = set()  # Must not be there, ever again.
    self.loose = set()  # May be there or not.

  def add(self, words, known):
    for word in words:
      self.tried[word] += 1
      if known:
        self.certain.add(word)

  def excuse(self):
    self.loose |= self.certain
    self.certain.clear()

  def missing(self, found):
    return (self.base | self.certain) - self.taken - self.loose - found

  def strange(self, found):
    return found - self.base - set(self.tried) - self.loose

  def rebase(self, answer):
    self.base = set(answer)
    self.tried.clear()
    self.certain.clear()
    self.loose.clear()


class _Set(_Elements):

  READ = ("SMEMBERS",)

  def __init__(self):
    super().__init__()
    self.gone = set()  # Taken, and seen to be gone since.

  def write(self, command, answer, known):
    name, words = command[0].upper(), command[2:]
    if name == "SADD":
      self.add(words, known)
    elif not known or len(words) > 1:
      self.loose |= set(words)
    elif answer == 1:
      self.taken.add(words[0])

  def excuse(self):
    self.loose |= self.taken - self.gone
    super().excuse()

  def rebase(self, answer):
    super().rebase(answer)
    self.taken -= self.base
    self.gone = set(self.taken)

  def _again(self):
    """Removed, and added beside it: either may have been first."""
    return {word for word in self.taken - self.gone
            if self.tried[word] + (word in self.base) > 1}

  def wrong(self, answer):
    found, again = set(answer), self._again()
    return _told(self.missing(found) - again, self.strange(found),
                 (found & self.taken) - self.loose - again)


class _List(_Elements):

  READ = ("LRANGE", "0", "-1")

  def __init__(self):
    super().__init__()
    self.pops = 0  # Of which nobody knows what they took.

  def write(self, command, answer, known):
    if command[0].upper() in ("RPUSH", "LPUSH"):
      self.add(command[2:], known)
    elif not known:
      self.pops += 1
    elif answer is not None:
      self.taken |= {answer} if isinstance(answer, str) else set(answer)

  def excuse(self):
    self.loose |= self.taken & (self.base | set(self.tried))
    super().excuse()

  def rebase(self, answer):
    super().rebase(answer)
    self.taken -= self.base
    self.pops = 0

  def wrong(self, answer):
    found = set(answer)
    missing = self.missing(found)
    return _told(missing if len(missing) > self.pops else set(),
                 self.strange(found), (found & self.taken) - self.loose,
                 {word for word in found if answer.count(word) > 1})


def _told(missing, strange, back, twice=()):
  said = [f"{what} {' '.join(sorted(words)[:10])}" for what, words in (
      ("lacks", missing), ("has what nobody wrote:", strange),
      ("has again", back), ("has twice", twice)) if words]
  return "; ".join(said)


KINDS = {"INCR": _Counter, "INCRBY": _Counter, "SADD": _Set, "SREM": _Set,
         "RPUSH": _List, "LPUSH": _List, "LPOP": _List, "RPOP": _List}


class KeyModel:

  def __init__(self):
    self._lock = threading.Lock()
    self._keys = {}  # None: not judged.

  def note(self, command, answer=None, known=True):
    """A command and its answer; `known`: it is known what became of it. What
    was refused is not told."""
    name = command[0].upper()
    if name in READS or len(command) < 2 or is_error(answer):
      return
    kind = KINDS.get(name)
    with self._lock:
      key = command[1]
      of_key = self._keys.setdefault(key, kind and kind())
      if kind is None or not isinstance(of_key, kind):
        self._keys[key] = None
      else:
        of_key.write(command, answer, known)

  def excuse(self):
    """What was written since the last rebase may be lost."""
    with self._lock:
      for of_key in filter(None, self._keys.values()):
        of_key.excuse()

  def reads(self):
    """(key, the command that reads it)."""
    with self._lock:
      return [(key, [of_key.READ[0], key, *of_key.READ[1:]])
              for key, of_key in sorted(self._keys.items()) if of_key]

  def wrong(self, answers):
    """Key to answer of reads(): a line for each that must not be so."""
    with self._lock:
      found = [(key, self._keys[key].wrong(answer))
               for key, answer in answers.items()]
    return [f"{key} {said}" for key, said in found if said]

  def rebase(self, answers):
    """All is as it was answered now."""
    with self._lock:
      for key, answer in answers.items():
        self._keys[key].rebase(answer)
