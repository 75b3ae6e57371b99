"""Who was seen as down for no reason.

A node that ran all along, heard and was heard, must be seen as down by nobody
who did. So each down that a node shows is kept with its moment, and so are the
times at which each node was at fault: killed, stopped, frozen, cut or lossy. A
fault lasts until settle(), and SETTLE more: what began in it may end after it.

  excuse([c])   down of c at a, down of d at c: no wonder
                down of d at a: baseless
  settle()      nothing is at fault any more but what is named
"""

import math
import time

# The longest silence until a suspicion, and the time to confirm it.
SETTLE = 3.0


class Downs:
  """`clock` gives the seconds that the downs of watches are stamped with."""

  def __init__(self, clock=time.monotonic):
    self._clock = clock
    self._watches = []  # (observer, what has its `seen`), of all lives.
    self._since = {}  # Node: when it came to be at fault.
    self._until = {}  # Node: when what it did before is over.

  def follow(self, observer, watch):
    self._watches.append((observer, watch))

  def excuse(self, nodes):
    """They are about to be at fault."""
    for node in nodes:
      self._since.setdefault(node, self._clock())

  def settle(self, still):
    """All that was seen so far has been looked at. What is at fault still is
    named; nothing else is."""
    now = self._clock()
    for node in self._since:
      self._until[node] = now + SETTLE
    self._since = dict.fromkeys(still, now)
    for _, watch in self._watches:
      watch.seen.clear()

  def baseless(self, but=()):
    """A line for each, since settle(), of others than those."""
    return [f"{observer} saw {node} as down"
            for observer, watch in self._watches
            for when, node in list(watch.seen)
            if not {observer, node} & set(but) and not (
                self._excused(observer, when) or self._excused(node, when))]

  def _excused(self, node, when):
    return when >= self._since.get(node, math.inf) or (
        when <= self._until.get(node, -math.inf))

  def end(self):
    for _, watch in self._watches:
      watch.end()
