"""A process of a game server: what it does with keys and channels, by a
connection to one node, with nothing but the protos."""

import itertools
import queue
import threading
import time

import grpc

from muster.v1 import kv_pb2 as kv
from muster.v1 import kv_pb2_grpc
from muster.v1 import pubsub_pb2 as ps
from muster.v1 import pubsub_pb2_grpc

PATIENCE = 30.0


class Unknown(Exception):
  """Nobody knows whether it was done."""


class CommandError(Exception):
  """What a command answered."""


def value(answer):
  """A KvValue as Python has it."""
  kind = answer.WhichOneof("kind")
  if kind == "nil":
    return None
  if kind == "error":
    raise CommandError(answer.error.decode())
  found = getattr(answer, kind)
  if kind in ("array", "set", "map", "pairs"):
    return [value(element) for element in found.values]
  return found.decode() if isinstance(found, bytes) else found


def words(command):
  return kv.KvCommand(args=[str(word).encode() for word in command.split()])


class GameProcess:
  """Calls are tried again while they are refused unexecuted. Threads: safe to
  be used by several at once."""

  def __init__(self, name, channel):
    self.name = name
    self.kv = kv_pb2_grpc.KvStub(channel)
    self.pubsub = pubsub_pb2_grpc.PubSubStub(channel)
    self._condition = threading.Condition()
    self._handlers = {}  # Channel or pattern: called with channel, payload.
    self._requests = queue.SimpleQueue()
    self._numbers = itertools.count(1)
    self._answered = 0
    self._call = self.pubsub.Subscribe(iter(self._requests.get, None))
    self._reader = threading.Thread(target=self._read, daemon=True)
    self._reader.start()

  # ------------------------------------------------------------------ keys

  def _call_kv(self, method, request, repeat, seconds=PATIENCE):
    """`repeat`: it may be done twice."""
    end = time.monotonic() + seconds
    while True:
      try:
        return getattr(self.kv, method)(request, timeout=seconds)
      except grpc.RpcError as error:
        code = error.code()
        again = code == grpc.StatusCode.UNAVAILABLE or (
            repeat and code == grpc.StatusCode.ABORTED)
        if code == grpc.StatusCode.ABORTED and not repeat:
          raise Unknown(error.details()) from None
        if not again or time.monotonic() > end:
          raise

  def all_of(self, *commands, atomic=False, repeat=False, at_leader=False):
    """Answers of commands, each a line of words."""
    done = self._call_kv("Execute", kv.KvExecuteRequest(
        commands=map(words, commands), atomic=atomic,
        options=kv.KvOptions(at_leader=at_leader)), repeat)
    return [value(answer) for answer in done.values]

  def multi(self, *commands, repeat=False):
    """As MULTI … EXEC."""
    return self.all_of(*commands, atomic=True, repeat=repeat)

  def one(self, command, repeat=False):
    return self.all_of(command, repeat=repeat)[0]

  def read(self, command):
    """Nothing older than what anybody was answered."""
    return self.all_of(command, repeat=True, at_leader=True)[0]

  def hset(self, key, field, text):
    return self._call_kv("HSet", kv.KvHSetRequest(
        key=key.encode(), field=field.encode(), value=text.encode()),
                         True).value

  def hget(self, key, field):
    answer = self._call_kv("HGet", kv.KvFieldRequest(
        key=key.encode(), field=field.encode()), True)
    return answer.value.decode() if answer.HasField("value") else None

  def hgetall(self, key):
    return {f.field.decode(): f.value.decode() for f in self._call_kv(
        "HGetAll", kv.KvKeyRequest(key=key.encode()), True).fields}

  def hincrbyex(self, key, field, by, seconds):
    return self._call_kv("HIncrByEx", kv.KvHIncrByExRequest(
        key=key.encode(), field=field.encode(), increment=by,
        seconds=seconds), False).value

  def brpop(self, key, seconds):
    answer = self._call_kv("BRPop", kv.KvBRPopRequest(
        keys=[key.encode()], timeout_seconds=seconds), False, seconds + 10)
    return answer.popped.value.decode() if answer.HasField("popped") else None

  # -------------------------------------------------------------- channels

  def subscribe(self, channel, handler, pattern=False):
    """Returns once it holds on every node."""
    with self._condition:
      self._handlers[channel] = handler
    names = [channel.encode()]
    self._ask(ps.SubscribeRequest(psubscribe=names) if pattern else
              ps.SubscribeRequest(subscribe=names))

  def unsubscribe(self, channel):
    self._ask(ps.SubscribeRequest(unsubscribe=[channel.encode()]))
    with self._condition:
      del self._handlers[channel]

  def publish(self, channel, payload):
    """How many subscriptions it met."""
    return self.pubsub.Publish(ps.PublishRequest(messages=[
        ps.PublishRequest.Message(channel=channel.encode(),
                                  payload=payload.encode())]),
                               timeout=PATIENCE).subscriptions[0]

  def channels(self, pattern):
    return [c.channel.decode() for c in self.pubsub.Channels(
        ps.ChannelsRequest(pattern=pattern.encode()),
        timeout=PATIENCE).channels]

  def _ask(self, request):
    with self._condition:
      request.number = next(self._numbers)
      self._requests.put(request)
      if not self._condition.wait_for(
          lambda: self._answered >= request.number, PATIENCE):
        raise TimeoutError(f"{self.name}: no answer to {request}")

  def _read(self):
    try:
      for response in self._call:
        if response.number:
          with self._condition:
            self._answered = response.number
            self._condition.notify_all()
        for message in response.messages:
          name = (message.pattern or message.channel).decode()
          with self._condition:
            handler = self._handlers.get(name)
          if handler:
            handler(message.channel.decode(), message.payload.decode())
    except grpc.RpcError:
      pass  # It was ended, or its node.

  def end(self):
    self._requests.put(None)
    self._call.cancel()
    self._reader.join()
