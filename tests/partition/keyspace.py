"""The keyspace of a world: who leads, what `muster kv` answers, and the
writers."""

import operator

import key_model
import key_steps
import keys
from faults import PATIENCE, HarnessError
from key_writers import Writers
from muster.v1 import cluster_pb2 as pb

COMPARE = {"=": operator.eq, "<": operator.lt, ">": operator.gt}
# Of what is expected, those that this module knows.
KINDS = (*key_steps.KINDS, *key_steps.ALONE, "writers")
LEADING = pb.KEYSPACE_ROLE_LEADING
FOLLOWING = pb.KEYSPACE_ROLE_FOLLOWING


class Keyspace:
  """`judge`: the program muster-judge, if there is one."""

  def __init__(self, world, judge=None):
    self.world = world
    self.judge = judge
    self.patience = PATIENCE  # Seconds for a step `kv`.
    self.model = key_model.KeyModel()
    self.writers = None
    self.loads = 0  # Writers there have been.
    self.roles = {}  # "leader", "follower" and so on: a node.

  # ------------------------------------------------------------- who leads

  def status(self, node):
    return self.world.status(node).keyspace

  def leader(self, names=()):
    """The node that leads all others of these, or all others that run; None
    if there is none."""
    nodes = [self.world.node(name) for name in names] or (
        self.world.answering())
    found = {node.name: self.status(node) for node in nodes}
    leaders = [name for name, status in found.items()
               if status.role == LEADING]
    if len(leaders) != 1:
      return None
    leader = found[leaders[0]]
    following = {f.node for f in leader.followers
                 if f.state == pb.KeyspaceFollower.STATE_FOLLOWING}
    return leaders[0] if all(
        name == leaders[0] or name in following and status.role == FOLLOWING
        and not status.exchanging and status.term == leader.term
        for name, status in found.items()) else None

  def find_roles(self, wait_until):
    if wait_until(self.leader, PATIENCE) is None:
      raise HarnessError(f"no node led all others within {PATIENCE:g} s: "
                         f"{self.shown()}")
    leader = self.leader()
    others = sorted(node.name for node in self.world.answering()
                    if node.name != leader)
    self.roles = dict(zip(key_steps.ROLES, [leader, *others]))
    return " ".join(f"{role} {node}" for role, node in self.roles.items())

  def resolved(self, argument):
    """Of a step: the nodes for the roles."""
    return {name: self._resolved(name, value)
            for name, value in argument.items()}

  def _resolved(self, name, value):
    if name in ("node", "from", "to", "other"):
      return self._node(value)
    if name in ("nodes", "members"):
      return sorted(map(self._node, value))
    if name == "groups":
      return [list(map(self._node, group)) for group in value]
    return self.resolved(value) if name == "what" else value

  def _node(self, word):
    if word in key_steps.ROLES and word not in self.roles:
      raise HarnessError(f"no node is the {word}: `roles` must come before, "
                         "with so many nodes")
    return self.roles.get(word, word)

  def shown(self):
    """Of each node its part."""
    return "; ".join(
        f"{node.name}: {pb.KeyspaceRole.Name(status.role)[14:].lower()} term "
        f"{status.term}.{status.seq} of {status.leader or 'nobody'}"
        f"{' exchanging' if status.exchanging else ''}"
        for node, status in ((node, self.status(node))
                             for node in self.world.answering()))

  def equal(self):
    """Those that have a keyspace stand at one position, with one digest."""
    found = [self.status(node) for node in self.world.answering()]
    return len({(s.term, s.leader_life_id, s.seq, s.context_digest, s.digest,
                 s.exchanging)
                for s in found if s.role != pb.KEYSPACE_ROLE_UNSPECIFIED}) < 2

  # -------------------------------------------------------------- commands

  def kv(self, node, command, answer):
    """One command, for the first time."""
    at = [self.world.node(node).listen]
    try:
      found = keys.run(self.world.binary, at, command, self.patience)
    except keys.NotDone as fault:
      if fault.unknown:
        self.model.note(command, known=False)
      raise
    self.model.note(command, found)
    if (keys.is_error(found) if answer is None else
        not keys.is_wanted(command, found, answer)):
      raise HarnessError(f"it answered {' '.join(keys.in_words(found))}")

  def excuse(self):
    self.model.excuse()

  def _asked(self, what):
    return [node.name for node in self.world.answering()] if (
        what["node"] == "all") else [what["node"]]

  def _answers(self, what):
    """Node to its answer; a fault in place of one that there is not."""
    found = {}
    for node in self._asked(what):
      try:
        found[node] = keys.run(self.world.binary,
                               [self.world.node(node).listen],
                               what["command"])
      except keys.NotDone as fault:
        found[node] = {"error": f"NOTDONE {fault}"}
    if not found:
      raise HarnessError("no node runs that could answer")
    return found

  # --------------------------------------------------------------- writers

  def write(self, count, nodes):
    if self.writers is not None and not self.writers.rest:
      raise HarnessError("there are writers already: `writers off` ends them")
    names = nodes or [node.name for node in self.world.answering()]
    for name in names:
      self.world.node(name)
    listens = {name: node.listen for name, node in self.world.nodes.items()}
    places = []
    for number in range(count):
      first = names[number % len(names)]
      others = [n for n in names if n != first] + [
          n for n in listens if n not in names]
      places.append([listens[n] for n in [first, *others]])
    self.loads += 1
    self.writers = Writers(f"load{self.loads}", self.world.binary, places,
                           self.model)

  def rest(self):
    """Of the writers, what they did."""
    if self.writers is None or self.writers.rest:
      raise HarnessError("there are no writers")
    self.writers.end()
    return self.writers.summary()

  def rested(self):
    if self.writers is None or not self.writers.rest:
      raise HarnessError("`writers off` must come before")
    return self.writers

  def stop(self):
    if self.writers is not None:
      self.writers.cancel()

  # ---------------------------------------------------------- expectations

  def holds(self, what):
    kind = what["kind"]
    if kind == "kv":
      return all(keys.is_wanted(what["command"], answer, what["answer"])
                 for answer in self._answers(what).values())
    if kind == "led":
      return self.leader(what["nodes"]) is not None
    if kind == "kept":
      return not self.lost()
    if kind in ("leads", "follows"):
      return all(self._stands(self.status(self.world.node(node)), what)
                 for node in self._asked(what))
    return self._writers_hold(what)

  def _stands(self, status, what):
    if what["kind"] == "leads":
      return status.role == LEADING
    return (status.role == FOLLOWING and not status.exchanging and
            status.leader == what["other"])

  def _writers_hold(self, what):
    writers, figure = self.rested(), what["figure"]
    if figure == "linearizable":
      return not self._judged()
    found = getattr(writers, figure)
    return COMPARE[what["than"]](
        found if isinstance(found, float) else len(found), what["count"])

  def _judged(self):
    if self.judge is None:
      raise HarnessError("nothing judges histories: --judge must name "
                         "muster-judge")
    writers = self.rested()
    if not writers.read:
      writers.read_last()
    return writers.judged(self.judge)

  def lost(self):
    """A line for each key of each node that is not as it must be. If there is
    none, what is written from now on is judged by what is there now."""
    if self.writers is not None and not self.writers.rest:
      raise HarnessError("`writers off` must come before")
    reads, wrong, answers = self.model.reads(), [], {}
    for node in self.world.answering():
      try:
        found = keys.run_all(self.world.binary, [node.listen],
                             [read for _, read in reads])
      except keys.NotDone as fault:
        return [f"{node.name}: {fault}"]
      answers = {key: answer for (key, _), answer in zip(reads, found)}
      wrong += [f"{node.name}: {line}" for line in self.model.wrong(answers)]
    if not wrong:
      self.model.rebase(answers)
    return wrong

  def instead(self, what):
    """What is there, where something else was expected."""
    kind = what["kind"]
    if kind == "kv":
      return "; ".join(f"{node}: {' '.join(keys.in_words(answer)) or 'empty'}"
                       for node, answer in self._answers(what).items())
    if kind == "kept":
      return "; ".join(self.lost()) or "it holds now"
    if kind == "writers" and what["figure"] == "linearizable":
      return self._judged()
    if kind == "writers":
      said = getattr(self.rested(), what["figure"])
      return self.rested().summary() + (
          f": {said[0]}" if isinstance(said, list) and said else "")
    return self.shown()
