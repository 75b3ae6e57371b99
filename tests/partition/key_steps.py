"""What scenarios say of keys: the words of `kv`, `writers` and of what is
expected of them."""

# Stand for a node, from the step `roles` on.
ROLES = ("leader", "follower", "follower2")
MAX_WRITERS = 32
# What is expected of the writers that rest.
FIGURES = ("gap", "pause", "refused", "unknown")


def command(words):
  """The words of a command, and what must be answered: None if that is
  anything but an error."""
  rest = words.rest()
  wanted = None
  if "=" in rest:
    at = rest.index("=")
    rest, wanted = rest[:at], rest[at + 1:]
  if not rest:
    words.fail(words.words[-1], "a command must follow")
  return {"command": rest, "answer": wanted}


def kv(words):
  return {"node": words.node(), **command(words)}


def expected_kv(words):
  what = command(words)
  if what["answer"] is None:
    words.fail(what["command"][-1], "`= ANSWER` must follow")
  return what


def writers(words):
  if words.peek() == "off":
    words.take("`off`")
    return {"count": 0, "nodes": []}
  step = {"count": words.integer(1, MAX_WRITERS, "a number of writers"),
          "nodes": []}
  while words.more():
    step["nodes"].append(words.node())
  return step


def expected_writers(words):
  rule = "`linearizable`, `gap`, `pause`, `refused` or `unknown`"
  figure = words.take(rule)
  if figure == "linearizable":
    return {"figure": figure}
  if figure not in FIGURES:
    words.fail(figure, f"must be {rule}")
  what = {"figure": figure, "than": words.than()}
  if figure in ("gap", "pause"):
    return {**what, "count": words.duration()}
  return {**what, "count": words.count()}


def follows(words):
  return {"other": words.node("the node that leads")}


def leads(_words):
  return {}


# What may be expected of a node.
KINDS = {"kv": expected_kv, "follows": follows, "leads": leads}
# And of all.
ALONE = ("led", "kept")


def led(words):
  what = {"nodes": []}
  while words.more():
    what["nodes"].append(words.node())
  return what
