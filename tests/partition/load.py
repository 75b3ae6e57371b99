"""Clients that never rest: each updates its entry again and again, and resumes
its session elsewhere when its node is gone."""

import threading
import time

import grpc

from faults import PATIENCE, HarnessError

GRACE = 20.0
PAUSE = 0.02
# A ValueError: the channel of a node that has just gone is closed.
FAULTS = (HarnessError, grpc.RpcError, ValueError)


class Load:
  """Clients load1, load2, ... of a topic, spread over the nodes."""

  def __init__(self, world, count, topic, pause=PAUSE):
    self.world = world
    self.pause = pause  # Seconds between two updates of a client.
    self.updates = 0
    self.moves = 0
    self._lost = []
    self._cancelled = threading.Event()
    self._ended = threading.Event()
    nodes = [node.name for node in world.answering()]
    for number in range(count):
      world.track(nodes[number % len(nodes)], topic, f"load{number + 1}", GRACE)
    self._threads = [
        threading.Thread(target=self._drive, args=(client,), daemon=True)
        for client in world.clients[-count:]]
    for thread in self._threads:
      thread.start()

  def end(self):
    """They rest, and stay. Raises HarnessError if one could not go on."""
    self._ended.set()
    for thread in self._threads:
      thread.join()
    if self._lost:
      raise HarnessError(f"these could resume nowhere: {', '.join(self._lost)}")

  def cancel(self):
    """They give up."""
    self._cancelled.set()
    self._ended.set()

  def _drive(self, client):
    number = 0
    # The last update is one that was answered: what is there is known.
    while not self._cancelled.is_set() and not (
        self._ended.is_set() and client.meta == str(number)):
      number += 1
      try:
        client.update(str(number))
        self.updates += 1
      except FAULTS:
        if not self._move(client):
          self._lost.append(client.key)
          return
      self._ended.wait(self.pause)

  def _move(self, client):
    """To any node that takes it; false if none does."""
    self.moves += 1
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and not self._cancelled.is_set():
      for node in self.world.answering():
        try:
          client.resume(node)
          return True
        except FAULTS:
          continue
      self._cancelled.wait(PAUSE)
    return False
