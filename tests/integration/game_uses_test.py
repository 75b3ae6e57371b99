"""The ways in which game servers use keys and channels, with processes on
different nodes: over two nodes, over three, and while the leader is killed.

Numbers are exact. While the leader is killed some writes have an unknown
outcome: then each test says what may follow from that, and nothing else may.
"""

import collections
import concurrent.futures
import json
import signal
import threading
import time
import unittest
import uuid

from cluster_case import ClusterCase
from game_process import GameProcess, Unknown
from muster.v1 import cluster_pb2

THREADS = 12
# Of a request, until its reply.
REPLY_SECONDS = 2.0


class Uses:
  """One test a use. `disturb` is called in the midst of each."""

  PROCESSES = 4
  # Whether a write may have an unknown outcome.
  may_be_unknown = False

  def setUp(self):
    super().setUp()
    self.wait(lambda: self.leader() is not None, "one node leads all others")
    places = self.places()
    self.processes = []
    for number in range(self.PROCESSES):
      process = GameProcess(f"p{number}",
                            self.channel(places[number % len(places)]))
      self.addCleanup(process.end)
      self.processes.append(process)
    self.lock = threading.Lock()

  def places(self):
    return list(self.NAMES)

  def disturb(self):
    pass

  def leader(self):
    """The node that all others follow."""
    found = {name: self.status(name).keyspace for name in self.NAMES}
    leaders = [name for name, status in found.items()
               if status.role == cluster_pb2.KEYSPACE_ROLE_LEADING]
    following = [
        name for name, status in found.items() if not status.exchanging and
        status.role == cluster_pb2.KEYSPACE_ROLE_FOLLOWING and
        [status.leader] == leaders]
    return leaders[0] if len(following) == len(self.NAMES) - 1 else None

  def run_all(self, jobs):
    """Side by side; disturbed when the first half has begun."""
    half = len(jobs) // 2
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
      done = [pool.submit(job) for job in jobs[:half]]
      concurrent.futures.wait(done, return_when="FIRST_COMPLETED")
      self.disturb()
      done += [pool.submit(job) for job in jobs[half:]]
      return [future.result() for future in done]

  def of_each(self, count, work):
    """Jobs: work(process, number), `count` of each process."""
    return [lambda p=process, n=number: work(p, n)
            for number in range(count) for process in self.processes]

  # ---------------------------------------------------------- request/reply

  def serve_requests(self, process):
    def answer(_channel, payload):
      method, asker, arguments = json.loads(payload)
      process.publish(f"ipc:{asker}", json.dumps([method, sum(arguments)]))
    process.subscribe(f"p:{process.name}", answer)

  def ask(self, process, to, number):
    """Seconds until the reply."""
    asker, replies, came = uuid.uuid4().hex, [], threading.Event()

    def reply(_channel, payload):
      replies.append(json.loads(payload))
      came.set()
    process.subscribe(f"ipc:{asker}", reply)
    began = time.monotonic()
    met = process.publish(f"p:{to.name}",
                          json.dumps(["sum", asker, [number, 1]]))
    self.assertEqual(met, 1)
    self.assertTrue(came.wait(REPLY_SECONDS), "no reply within 2 s")
    took = time.monotonic() - began
    process.unsubscribe(f"ipc:{asker}")
    self.assertEqual(replies, [["sum", number + 1]])
    return took

  def test_each_request_gets_its_reply(self):
    for process in self.processes:
      self.serve_requests(process)
    took = self.run_all(self.of_each(50, lambda process, number: self.ask(
        process, self.processes[number % len(self.processes)], number)))
    self.assertEqual(len(took), 50 * len(self.processes))
    self.wait(lambda: self.processes[0].channels("ipc:*") == [],
              "no channel of a reply is left")

  # ------------------------------------------------------------- roomcaches

  def test_whoever_hears_of_a_room_finds_it(self):
    heard = collections.Counter()
    lacking = []

    def look(process, room):
      if process.hget("roomcaches", room) is None:
        lacking.append((process.name, room))
      with self.lock:
        heard[process.name] += 1

    def create(process, number):
      room = f"{process.name}-room{number}"
      process.hset("roomcaches", room, json.dumps({"clients": number}))
      self.assertEqual(process.publish("rooms", room), len(self.processes))

    for process in self.processes:
      process.subscribe("rooms", lambda _, room, p=process: look(p, room))
    self.run_all(self.of_each(25, create))
    rooms = 25 * len(self.processes)
    self.wait(lambda: set(heard.values()) == {rooms}, "each heard of each")
    self.assertEqual(lacking, [])
    wanted = {f"{process.name}-room{number}": json.dumps({"clients": number})
              for process in self.processes for number in range(25)}
    for process in self.processes:
      self.wait(lambda p=process: p.hgetall("roomcaches") == wanted,
                "each lists all")

  # ------------------------------------------------------- concurrency lock

  def test_a_lock_gives_each_caller_another_number_and_serves_all(self):
    callers = 40
    numbers, tokens, inside, crowds, unknown = [], [], set(), [], []

    def enter(number):
      with self.lock:
        inside.add(number)
        crowds.append(len(inside))

    def leave(process, number):
      with self.lock:
        inside.remove(number)
      self.tell_unknown(unknown, lambda: process.one(
          f"LPUSH l:room:filter token-{number}"))

    def call(process, _number):
      try:
        number = process.hincrbyex("ch:room", "filter", 1, 60)
      except Unknown as fault:
        unknown.append(str(fault))
        return  # The caller gives up; its number may have been given.
      with self.lock:
        numbers.append(number)
      if number > 1 and not unknown:
        token = self.tell_unknown(
            unknown, lambda: process.brpop("l:room:filter", 60))
        if token is not None:
          with self.lock:
            tokens.append(token)
      enter(number)
      leave(process, number)

    self.run_all(self.of_each(callers // len(self.processes), call))
    self.assertEqual(len(set(numbers)), len(numbers), "each another one")
    self.assertEqual(len(set(tokens)), len(tokens), "a token goes to one")
    if not self.may_be_unknown:
      self.assertEqual(unknown, [])
    if not unknown:
      self.assertEqual(sorted(numbers), list(range(1, callers + 1)))
      self.assertEqual(len(tokens), callers - 1)
      self.assertEqual(set(crowds), {1})
      self.assertEqual(self.processes[0].read("LLEN l:room:filter"), 1)
    self.assertGreater(self.processes[0].read("TTL ch:room"), 0)
    self.assertLessEqual(max(numbers), callers)

  def tell_unknown(self, unknown, call):
    """What the call answers; None, and a line more, if nobody knows."""
    try:
      return call()
    except Unknown as fault:
      unknown.append(str(fault))
      return None

  # -------------------------------------------------------------- roomcount

  def test_rows_of_a_dead_process_are_removed_by_one_of_the_others(self):
    for process in self.processes:
      process.subscribe(f"p:{process.name}", lambda *_: None)
    self.run_all(self.of_each(25, lambda process, number: process.hset(
        "roomcount", process.name, f"{number + 1},{number * 2}")))
    dead, *alive = self.processes
    self.assertEqual(set(alive[0].hgetall("roomcount")),
                     {process.name for process in self.processes})
    dead.end()
    living = [f"p:{process.name}" for process in alive]
    for process in alive:
      self.wait(lambda p=process: p.channels("p:*") == living,
                "its channel is gone")

    def remove(process):
      return sum(process.one(f"HDEL roomcount {name}")
                 for name in process.hgetall("roomcount")
                 if f"p:{name}" not in process.channels("p:*"))
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
      self.assertEqual(sum(pool.map(remove, alive)), 1, "by one of them")
    for process in alive:
      self.wait(lambda p=process: set(p.hgetall("roomcount")) ==
                {a.name for a in alive}, "the rows of the living")

  # ------------------------------------------------------------ match queue

  def enqueue(self, process, user):
    while True:
      try:
        process.multi(f"SADD queue:users {user}", f"RPUSH queue {user}",
                      "LLEN queue")
        return
      except Unknown:
        # Who is matched is noted before he is removed: looked at after that.
        if process.read(f"SISMEMBER queue:users {user}"):
          return
        with self.lock:
          if user in self.matched:
            return

  def match(self, process):
    """Until all are matched or lost."""
    while self.left() > 0:
      try:
        pair = [user for user in process.multi("LPOP queue", "LPOP queue")
                if user is not None]
      except Unknown:
        with self.lock:
          self.unknown_pops += 1
        continue
      if len(pair) == 2:
        with self.lock:
          self.matched.update(pair)
        process.multi(*(f"SREM queue:users {user}" for user in pair),
                      *(f"LREM queue 0 {user}" for user in pair), repeat=True)
      elif pair:
        # Alone: waits for the next.
        process.multi(f"LPUSH queue {pair[0]}", repeat=True)

  def left(self):
    """Users that may be matched still."""
    with self.lock:
      return self.users - len(self.matched) - 2 * self.unknown_pops

  def test_each_user_of_a_queue_is_matched_once(self):
    self.users, self.unknown_pops = 200, 0
    self.matched = collections.Counter()
    matchers = [threading.Thread(target=self.match, args=(process,),
                                 daemon=True) for process in self.processes]
    for matcher in matchers:
      matcher.start()
    self.run_all(self.of_each(
        self.users // len(self.processes),
        lambda process, number: self.enqueue(
            process, f"{process.name}-user{number}")))
    end = time.monotonic() + 60
    for matcher in matchers:
      matcher.join(max(0, end - time.monotonic()))
    self.assertFalse(
        any(matcher.is_alive() for matcher in matchers),
        f"{self.left()} users wait still; {self.unknown_pops} unknown pops; "
        f"the queue is {self.processes[0].read('LRANGE queue 0 -1')}, the "
        f"users are {self.processes[0].read('SMEMBERS queue:users')}")
    if not self.may_be_unknown:
      self.assertEqual(self.unknown_pops, 0)
    self.assertEqual({user: count for user, count in self.matched.items()
                      if count > 1}, {}, "none is matched twice")
    lost = self.users - len(self.matched)
    self.assertLessEqual(lost, 2 * self.unknown_pops)
    members = set(self.processes[0].read("SMEMBERS queue:users"))
    # An application finds those by what it knows of them.
    self.assertEqual(len(members), lost)
    self.assertFalse(members & set(self.matched))

  # ------------------------------------------------ sessions and registries

  def open_session(self, process, number):
    session = f"{process.name}-{number}"
    seconds = 2 if number % 2 else 600
    process.multi(f"HSET game:session:{session} round {number} state open",
                  f"EXPIRE game:session:{session} {seconds}",
                  f"SADD servers:{process.name}:sessions {session}",
                  f"SADD sessions:active {session}", repeat=True)
    process.one(f"SETEX round:{session} {seconds} state", repeat=True)

  def test_sessions_expire_on_all_nodes_and_registries_are_kept(self):
    each = 20
    self.run_all(self.of_each(each, self.open_session))
    all_of_them = {f"{process.name}-{number}" for process in self.processes
                   for number in range(each)}
    ends = {session for session in all_of_them
            if int(session.split("-")[1]) % 2}
    # Refreshed in time, or made anew: it stays.
    kept = f"{self.processes[0].name}-1"
    self.processes[0].multi(f"HSET game:session:{kept} round 1 state open",
                            f"EXPIRE game:session:{kept} 600", repeat=True)
    ends.discard(kept)
    for process in self.processes:
      self.assertEqual(set(process.read("SMEMBERS sessions:active")),
                       all_of_them)

      def shown(p=process):
        return {s for s in all_of_them if p.one(f"EXISTS game:session:{s}")}
      self.wait(lambda: shown() == all_of_them - ends,
                "those whose time is over are gone")
      self.assertEqual(
          {s for s in all_of_them if process.one(f"EXISTS round:{s}")},
          all_of_them - ends - {kept})
    for session in all_of_them - ends:
      ttl = self.processes[-1].read(f"TTL game:session:{session}")
      self.assertTrue(500 < ttl <= 600, ttl)

    def clean(process):
      return sum(process.one(f"SREM sessions:active {session}")
                 for session in process.one("SMEMBERS sessions:active")
                 if not process.one(f"EXISTS game:session:{session}"))
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
      removed = sum(pool.map(clean, self.processes))
    self.assertEqual(removed, len(ends), "each is removed once")
    self.assertEqual(self.processes[0].read("SCARD sessions:active"),
                     len(all_of_them) - len(ends))
    for process in self.processes:
      self.assertEqual(
          process.read(f"SCARD servers:{process.name}:sessions"), each)

  # ------------------------------------------------------ broadcast channels

  def test_each_message_of_a_room_comes_once_in_order(self):
    rooms, each = 5, 50
    heard = {process.name: collections.defaultdict(list)
             for process in self.processes}
    counted = []

    def hear(process, channel, payload):
      sender, number = payload.split()
      heard[process.name][channel, sender].append(int(number))

    def send(process):
      """Each process sends one after the other: this order must hold."""
      for number in range(each):
        with self.lock:
          self.sent += 1
          half = self.sent == each * len(self.processes) // 2
        met = process.publish(f"broadcast:room:{number % rooms}",
                              f"{process.name} {number}")
        self.assertEqual(met, len(self.processes))
        # Of events there are patterns.
        process.publish(f"events:join:{number % rooms}",
                        f"{process.name} {number}")
        counted.append(self.tell_unknown(
            unknown, lambda: process.one("INCR stats:messages")))
        if half:
          self.disturb()

    self.sent, unknown = 0, []
    for process in self.processes:
      def handle(channel, payload, p=process):
        hear(p, channel, payload)
      for room in range(rooms):
        process.subscribe(f"broadcast:room:{room}", handle)
      process.subscribe("events:*", handle, pattern=True)
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
      list(pool.map(send, self.processes))
    wanted = {(f"{channel}:{room}", process.name):
              list(range(room, each, rooms))
              for channel in ("broadcast:room", "events:join")
              for room in range(rooms) for process in self.processes}
    for process in self.processes:
      self.wait(lambda p=process: sum(map(len, heard[p.name].values())) >=
                2 * each * len(self.processes), "each message")
      self.assertEqual(heard[process.name], wanted)
    done = [number for number in counted if number is not None]
    self.assertEqual(len(set(done)), len(done), "each another number")
    total = int(self.processes[0].read("GET stats:messages"))
    self.assertTrue(len(done) <= total <= len(counted), total)
    if not self.may_be_unknown:
      self.assertEqual(unknown, [])


class TwoNodesTest(Uses, ClusterCase):
  NAMES = "ab"


class ThreeNodesTest(Uses, ClusterCase):
  pass


class LeaderKilledTest(Uses, ClusterCase):
  """The processes are at the nodes that stay."""

  may_be_unknown = True

  def places(self):
    self.led_by = self.leader()
    return [name for name in self.NAMES if name != self.led_by]

  def disturb(self):
    self.nodes[self.led_by].send(signal.SIGKILL)


if __name__ == "__main__":
  unittest.main()
