"""Clients: each a session with one entry, over one stream."""

import dataclasses
import threading

from muster.v1 import presence_pb2 as pb
from faults import CALL_SECONDS, PATIENCE, HarnessError


@dataclasses.dataclass
class Client:
  """One session with one entry, over one stream."""

  key: str
  topic: str
  node: object  # A Node.
  life: int
  grace: float
  meta: str
  token: str = ""
  ref: str = ""
  resume_number: int = 0
  _stream: object = None

  def open(self):
    start = pb.OpenSessionRequest(grace_ms=int(self.grace * 1000))
    answer = self._connect(pb.SessionRequest(open=start, track=[
        pb.TrackOp(topic=self.topic, key=self.key,
                   meta=self.meta.encode())]))
    if answer.track_errors:
      raise HarnessError(answer.track_errors[0].message)
    self.token = answer.opened.token
    self.resume_number = answer.opened.resume_number
    self.ref = answer.tracked_refs[0]

  def resume(self, node):
    self.drop()
    self.node, self.life = node, node.lives
    self.resume_number += 1
    answer = self._connect(pb.SessionRequest(resume=pb.ResumeRequest(
        token=self.token, grace_ms=int(self.grace * 1000),
        resume_number=self.resume_number,
        entries=[pb.Entry(topic=self.topic, key=self.key, ref=self.ref)])))
    self.resume_number = answer.resumed.session.resume_number
    if answer.resumed.missing_refs:
      answer = self._ask(pb.SessionRequest(track=[pb.TrackOp(
          topic=self.topic, key=self.key, meta=self.meta.encode())]))
      self.ref = answer.tracked_refs[0]

  def update(self, meta):
    answer = self._ask(pb.SessionRequest(update=[
        pb.UpdateOp(ref=self.ref, meta=meta.encode())]))
    if answer.update_errors:
      raise HarnessError(answer.update_errors[0].message)
    self.meta, self.ref = meta, answer.updated_refs[0]

  def untrack(self):
    self._ask(pb.SessionRequest(untrack=[self.ref]))
    self.drop()

  def close(self):
    self.node.presence.CloseSession(
        pb.CloseSessionRequest(token=self.token), timeout=CALL_SECONDS)
    self.drop()

  def drop(self):
    """As if the client were gone, without a word."""
    self._stream.end()

  def _connect(self, first):
    self._stream = _Stream(self.node.presence)
    return self._ask(first)

  def _ask(self, request):
    answer = self._stream.ask(request)
    if answer is None:
      raise HarnessError(f"{self.node.name} ended the session of {self.key}")
    return answer


class _Stream:
  """A stream of requests, each answered before the next one."""

  def __init__(self, presence):
    self._condition = threading.Condition()
    self._request = None
    self._ended = False
    self._number = 0
    self._call = presence.Session(self._outgoing())

  def _outgoing(self):
    while True:
      with self._condition:
        self._condition.wait_for(lambda: self._request or self._ended)
        if self._ended:
          return
        request, self._request = self._request, None
      yield request

  def ask(self, request):
    """The answer; None if the stream was ended."""
    self._number += 1
    request.number = self._number
    with self._condition:
      self._request = request
      self._condition.notify()
    # A frozen node would hold the harness for ever.
    timer = threading.Timer(PATIENCE, self._call.cancel)
    timer.start()
    try:
      for response in self._call:
        if response.number == self._number:
          return response
    finally:
      timer.cancel()
    return None

  def end(self):
    with self._condition:
      self._ended = True
      self._condition.notify()
    self._call.cancel()
