"""The language of scenarios: one step a line, of words with spaces
between them; a `#` at the start of a word starts a comment.

  start 3                       nodes a, b and c; `start d` adds one, or starts
                                one again that was killed or stopped; `old`
                                after it: of the binary of --old-binary
  track b room:1 u1             a client of b; `grace 10s` and `meta TEXT` may
                                follow
  untrack room:1 u1             it says so; `update room:1 u1 TEXT` changes it
  leave u1                      the clients of the key close their sessions
  move u1 c                     the key's clients resume their sessions at c
  lost u1                       its clients are gone without a word, and their
                                entries no longer held
  load 20 room:1                20 clients load1, load2, ... all over the nodes
                                update their entries on and on, and resume
                                elsewhere when their node goes; `load off`:
                                they rest, and stay
  split a | b c                 no group hears another; `split … reset` answers
                                with resets instead of silence
  cut a c                       these two; `cut a > c`: c does not hear a
  mend a c                      undoes a cut; `heal` undoes all of them
  lose 10%                      of all packets; `lose 10% a`: of those to a
  slow a 200kbit                what a may send; `slow a off`
  delay 50ms jitter 200ms       each packet takes 50 ms and up to 200 ms more;
                                `delay a 50ms`: those of a; `delay off`
  freeze a   thaw a             SIGSTOP and SIGCONT
  kill a     stop a             SIGKILL; SIGTERM, and wait for its end
  off a                         the machine is gone: killed, its address silent
  twin a                        a second node is started under the name of a; it
                                must refuse to, and say where the name is in use
  watch b room:1                follows a topic at b; see `saw`; `room:*`: all
                                that begin so
  subscribe b s1 news chat      s1 is a `muster subscribe` of these channels at
                                b, or elsewhere once b is gone; `subscribe b s1
                                pattern chat.*`: patterns
  unsubscribe s1                it ends
  publish b news hello again    each payload by a `muster publish` at b
  roles                         waits until one node leads the keyspace and all
                                others follow; from here on `leader`,
                                `follower` and `follower2` are these nodes
  kv a INCR n = 1               a `muster kv` of this command at a; its answer,
                                each element a word; no `=`: any but an error
  writers 4                     4 `muster kv` all over the nodes, or at those
                                that follow, are given commands on and on, and
                                go elsewhere when their node does; `writers
                                off`: they rest
  excuse                        what was written since `kept` held last may be
                                lost
  mark                          keeps what all count now; see `gained`
  expect WHAT                   holds now
  eventually 2s WHAT            holds at some moment within that time
  for 60s WHAT                  holds all that time
  wait 300ms                    does nothing for that long
  say TEXT                      prints it

WHAT is one of
  a list room:1 = u1 u2         the keys that a lists, in any order; `all` for
                                every node that runs; nothing after `=`: empty
  a count = 5                   its entries of all topics
  a members = a b               the nodes it sees alive
  a sees c down                 alive, suspect, down or left
  saw b room:1 = +u1 -u1 ~u2    what the watch at b was shown since `watch`, or
                                since the last `saw` that held; nothing:
                                nothing; `~*`: any updates, so with + and -
  held                          all that run list just what the clients that are
                                there hold, and so do the watches at them
  heard s1 = news/hello         what s1 was given since `subscribe`, or since
                                the last `heard` that held, in this order
  s1 subscribed                 its subscriptions hold, as it was told last
  a subscribers news = 2        those of the channel, as a counts them
  a counter pulls = 5           a counter of `muster status`; also < and >
  a gained pulls = 1            what it has grown by since `mark`; also < and >
  a kv GET n = 1                what a `muster kv` at a answers; sets in any
                                order; (nil): nothing; (error) ERR: an error
  a leads    a follows b        in the keyspace, whole
  led                           one leads, and all others that run follow it;
                                `led b c`: of these
  kept                          at all that run the keys are as those who wrote
                                were answered: key_model.py
  writers linearizable          of the history of those that rest, as
                                muster-judge finds it
  writers gap < 1s              the longest time without an acknowledged write;
                                `pause`: of one writer; `refused = 0`,
                                `unknown < 5`: so many writes
  blameless                     nobody was seen as down for no reason since the
                                last `blameless` that held: downs.py
  equal                         all that run list the same, digests too, and
                                have the same keys

Errors name the line and the word.
"""

import dataclasses
import re

import key_steps

NODES = "abcdefg"
# Where the name of a node may stand.
NAMES = [*NODES, *key_steps.ROLES]
# Names of subscribers, which no node has.
SUBSCRIBER = re.compile(r"[a-z][a-z0-9_]{1,30}")
MAX_LOAD = 200
MAX_COUNT = 10**9
COMMENT = re.compile(r"(^|\s)#")
DURATION = re.compile(r"([0-9]{1,7}(?:\.[0-9]{1,7})?)(ms|s|m)")
LONGEST = 3600.0
# What a node allows (--max-grace-ms).
LONGEST_GRACE = 600.0
SECONDS = {"ms": 0.001, "s": 1, "m": 60}
SHARE = re.compile(r"[0-9]{1,3}(\.[0-9]{1,7})?%")
RATE = re.compile(r"([1-9]\d{0,5})([kmg]?)bit")
BITS = {"": 1, "k": 1000, "m": 1000000, "g": 1000000000}
STATES = ("alive", "suspect", "down", "left")


class ScenarioError(Exception):
  """What is wrong with a scenario, and where."""

  def __init__(self, line, word, rule):
    self.word = word
    super().__init__(f"line {line}: {word!r}: {rule}")


@dataclasses.dataclass(frozen=True)
class Step:
  line: int
  text: str
  verb: str
  arguments: dict


class _Words:
  """The words of one line, taken from the front."""

  def __init__(self, number, text):
    self.number = number
    self.words = text.split()
    self.at = 0

  def fail(self, word, rule):
    raise ScenarioError(self.number, word, rule)

  def more(self):
    return self.at < len(self.words)

  def peek(self):
    return self.words[self.at] if self.more() else ""

  def take(self, what):
    if not self.more():
      self.fail(self.words[-1], f"{what} must follow")
    self.at += 1
    return self.words[self.at - 1]

  def expect(self, word):
    found = self.take(f"`{word}`")
    if found != word:
      self.fail(found, f"must be `{word}`")

  def rest(self):
    words = self.words[self.at:]
    self.at = len(self.words)
    return words

  def end(self):
    if self.more():
      self.fail(self.peek(), "nothing may follow here")

  def node(self, what="a node"):
    word = self.take(what)
    if word not in NAMES:
      self.fail(word, f"must be {what}: one of {' '.join(NAMES)}")
    return word

  def duration(self):
    word = self.take("a time, as 500ms, 2s or 1m")
    match = DURATION.fullmatch(word)
    seconds = float(match[1]) * SECONDS[match[2]] if match else LONGEST + 1
    if seconds > LONGEST:
      self.fail(word, "must be a time, as 500ms, 2s or 1m, at most 60m")
    return seconds

  def percent(self):
    word = self.take("a share, as 10%")
    if not SHARE.fullmatch(word) or float(word[:-1]) > 100:
      self.fail(word, "must be a share from 0% to 100%")
    return float(word[:-1]) / 100

  def integer(self, least, most, what):
    word = self.take(what)
    if not re.fullmatch(r"[0-9]{1,9}", word) or not (
        least <= int(word) <= most):
      self.fail(word, f"must be {what}, {least} to {most}")
    return int(word)

  def count(self):
    return self.integer(0, MAX_COUNT, "a number")

  def than(self):
    word = self.take("`=`, `<` or `>`")
    if word not in ("=", "<", ">"):
      self.fail(word, "must be `=`, `<` or `>`")
    return word


def _start(words):
  word = words.take("a number or a node")
  if re.fullmatch("[0-9]+", word):
    if word.lstrip("0") not in list("1234567"):
      words.fail(word, f"must be 1 to {len(NODES)} nodes")
    nodes = list(NODES[:int(word)])
  elif word not in NAMES:
    words.fail(word, f"must be a number, or one of {' '.join(NAMES)}")
  else:
    nodes = [word]
  old = words.peek() == "old"
  if old:
    words.take("`old`")
  return {"nodes": nodes, "old": old}


def _track(words):
  step = {"node": words.node(), "topic": words.take("a topic"),
          "key": words.take("a key"), "grace": 0.0, "meta": "{}"}
  while words.more():
    option = words.take("an option")
    if option == "grace":
      grace = words.peek()
      step["grace"] = words.duration()
      if step["grace"] > LONGEST_GRACE:
        words.fail(grace, "must be at most 10m, which is what nodes allow")
    elif option == "meta":
      step["meta"] = words.take("the meta")
    else:
      words.fail(option, "must be `grace TIME` or `meta TEXT`")
  return step


def _entry(words):
  return {"topic": words.take("a topic"), "key": words.take("a key")}


def _update(words):
  return {**_entry(words), "meta": words.take("the new meta")}


def _move(words):
  return {"key": words.take("a key"), "node": words.node()}


def _split(words):
  groups, reset = [[]], False
  while words.more():
    if words.peek() == "|":
      words.take("`|`")
      groups.append([])
    elif words.peek() == "reset":
      words.take("`reset`")
      reset = True
      words.end()
    else:
      groups[-1].append(words.node())
  if len(groups) < 2 or not all(groups):
    words.fail(words.words[0], "needs groups of nodes with `|` between them")
  named = [node for group in groups for node in group]
  for node in named:
    if named.count(node) > 1:
      words.fail(node, "is in two groups")
  return {"groups": groups, "reset": reset}


def _pair(words):
  first = words.node()
  one_way = words.peek() == ">"
  if one_way:
    words.take("`>`")
  second = words.node("another node")
  if first == second:
    words.fail(second, "must be another node")
  return {"from": first, "to": second, "one_way": one_way}


def _cut(words):
  pair = _pair(words)
  reset = words.peek() == "reset"
  if reset:
    words.take("`reset`")
  return {**pair, "reset": reset}


def _lose(words):
  return {"share": words.percent(),
          "node": words.node() if words.more() else None}


def _slow(words):
  node, rate = words.node(), words.take("a rate, as 200kbit, or `off`")
  match = RATE.fullmatch(rate)
  if rate != "off" and not match:
    words.fail(rate, "must be a rate, as 200kbit or 10mbit, or `off`")
  return {"node": node,
          "rate": int(match[1]) * BITS[match[2]] if match else None}


def _delay(words):
  step = {"node": words.node() if words.peek() in NAMES else None,
          "least": 0.0, "jitter": 0.0}
  if words.peek() == "off":
    words.take("`off`")
    return step
  step["least"] = words.duration()
  if words.more():
    words.expect("jitter")
    step["jitter"] = words.duration()
  return step


def _load(words):
  if words.peek() == "off":
    words.take("`off`")
    return {"count": 0, "topic": ""}
  return {"count": words.integer(1, MAX_LOAD, "a number of clients"),
          "topic": words.take("a topic")}


def _watch(words):
  return {"node": words.node(), "topic": words.take("a topic")}


def _subscriber(words):
  word = words.take("the name of a subscriber")
  if not SUBSCRIBER.fullmatch(word) or word in RESERVED:
    words.fail(word, "must be the name of a subscriber: 2 to 31 of a-z, 0-9 "
               "and _, a letter first, and no word of the language")
  return word


def _subscribe(words):
  step = {"node": words.node(), "name": _subscriber(words),
          "pattern": words.peek() == "pattern"}
  if step["pattern"]:
    words.take("`pattern`")
  return {**step, "names": [words.take("a channel or a pattern"),
                            *words.rest()]}


def _unsubscribe(words):
  return {"name": _subscriber(words)}


def _publish(words):
  return {"node": words.node(), "channel": words.take("a channel"),
          "payloads": [words.take("a payload"), *words.rest()]}


def _heard(words):
  what = {"name": _subscriber(words)}
  words.expect("=")
  what["messages"] = words.rest()
  for message in what["messages"]:
    if "/" not in message:
      words.fail(message, "must be CHANNEL/PAYLOAD")
  return what


def _one_node(words):
  return {"node": words.node()}


def _key(words):
  return {"key": words.take("a key")}


def _saw(words):
  what = {"node": words.node(), "topic": words.take("a topic")}
  words.expect("=")
  what["events"] = words.rest()
  for event in what["events"]:
    if event[0] not in "+-~" or len(event) == 1:
      words.fail(event, "must be +KEY, -KEY or ~KEY")
  return what


def _list(words):
  what = {"topic": words.take("a topic")}
  words.expect("=")
  return {**what, "keys": sorted(words.rest())}


def _count(words):
  words.expect("=")
  return {"count": words.count()}


def _subscribers(words):
  what = {"channel": words.take("a channel")}
  words.expect("=")
  return {**what, "count": words.count()}


def _counter(words):
  what = {"name": words.take("the name of a counter"),
          "than": words.than()}
  return {**what, "count": words.count()}


def _members(words):
  words.expect("=")
  members = []
  while words.more():
    members.append(words.node())
  return {"members": sorted(members)}


def _sees(words):
  what = {"other": words.node(), "state": words.take("a state")}
  if what["state"] not in STATES:
    words.fail(what["state"], f"must be one of {', '.join(STATES)}")
  return what


KINDS = {"list": _list, "count": _count, "counter": _counter,
         "gained": _counter, "members": _members, "sees": _sees,
         "subscribers": _subscribers, **key_steps.KINDS}
ALONE = ("equal", "held", "blameless", *key_steps.ALONE)
# What stands where a subscriber's name may.
RESERVED = (*ALONE, *key_steps.ROLES, "all", "saw", "heard", "writers")


def _what(words):
  """What is expected, as a dict with `kind`."""
  word = words.take("what is expected")
  if word == "led":
    return {"kind": word, **key_steps.led(words)}
  if word in ALONE:
    return {"kind": word}
  if word == "saw":
    return {"kind": "saw", **_saw(words)}
  if word == "heard":
    return {"kind": "heard", **_heard(words)}
  if word == "writers":
    return {"kind": "writers", **key_steps.expected_writers(words)}
  if words.peek() == "subscribed" and SUBSCRIBER.fullmatch(word) and (
      word not in RESERVED):
    words.take("`subscribed`")
    return {"kind": "subscribed", "name": word}
  if word != "all" and word not in NAMES:
    words.fail(word, "must be a node, `all`, `saw`, `heard`, `writers`, "
               f"{', '.join(f'`{alone}`' for alone in ALONE)} or a subscriber "
               "that is `subscribed`")
  rule = f"{', '.join(f'`{kind}`' for kind in KINDS)}"
  kind = words.take(rule)
  if kind not in KINDS:
    words.fail(kind, f"must be {rule}")
  return {"kind": kind, "node": word, **KINDS[kind](words)}


def _expect(words):
  return {"what": _what(words)}


def _timed(words):
  return {"seconds": words.duration(), "what": _what(words)}


def _for(words):
  time = words.peek()
  timed = _timed(words)
  if not timed["seconds"]:
    words.fail(time, "must be a time that is not 0")
  return timed


VERBS = {
    "start": _start, "track": _track, "untrack": _entry, "update": _update,
    "leave": _key, "lost": _key, "load": _load, "move": _move,
    "split": _split, "cut": _cut, "mend": _pair, "heal": lambda _: {},
    "lose": _lose, "slow": _slow,
    "delay": _delay, "freeze": _one_node, "thaw": _one_node, "kill": _one_node,
    "stop": _one_node, "off": _one_node, "twin": _one_node, "watch": _watch,
    "subscribe": _subscribe, "unsubscribe": _unsubscribe,
    "publish": _publish,
    "roles": lambda _: {}, "kv": key_steps.kv, "writers": key_steps.writers,
    "excuse": lambda _: {},
    "mark": lambda _: {}, "expect": _expect, "eventually": _timed,
    "for": _for,
    "wait": lambda words: {"seconds": words.duration()},
    "say": lambda words: {"text": " ".join(words.rest())},
}


def parse_line(number, line):
  """The step of a line, or None if there is none on it."""
  comment = COMMENT.search(line)
  text = (line[:comment.start()] if comment else line).strip()
  if not text:
    return None
  words = _Words(number, text)
  verb = words.take("a verb")
  if verb not in VERBS:
    words.fail(verb, f"must be one of {', '.join(VERBS)}")
  arguments = VERBS[verb](words)
  words.end()
  return Step(number, text, verb, arguments)


def parse(text):
  """The steps of a scenario. Raises ScenarioError."""
  steps = [parse_line(number, line)
           for number, line in enumerate(text.splitlines(), 1)]
  return [step for step in steps if step]
