"""The checks of ops/check that need to look into the sources.

  lint.py sizes                  files <= 600 lines, functions <= 70
  lint.py layers                 who may include whom
  lint.py threads --build DIR    clang's thread-safety analysis; units of the
                                 product compile alone
  lint.py tidy --build DIR       clang-tidy

Each prints its complaints and exits 1 if there are any.
"""

import argparse
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 70

CLANG = "clang++-16"
TIDY = "clang-tidy-16"

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)

# Rooms of the core, each with those that it may look into. The files beside
# them, in node/core itself, are the vocabulary of all.
CORE_ROOMS = {
    "membership": (),
    "stream": ("membership",),
    "presence": ("stream",),
    "pubsub": ("stream",),
    "watch": (),
    "keyspace": (),
    "replica": ("membership", "stream", "presence", "pubsub", "watch",
                "keyspace"),
}
CORE_LAYERS = {
    f"node/core/{room}/": ("crdt/", "node/commands/", f"node/core/{room}/",
                           *(f"node/core/{other}/" for other in below),
                           "node/core/*")
    for room, below in CORE_ROOMS.items()
}

# What a folder's files may include of the project, by prefix of the path.
LAYERS = {
    "crdt/": ("crdt/",),
    "node/core/": ("crdt/", "node/commands/", "node/core/"),
    "node/core/*": ("crdt/", "node/commands/", "node/core/*"),
    **CORE_LAYERS,
    "node/commands/": ("crdt/", "node/commands/"),
    "clients/": ("clients/", "muster/v1/"),
}
# A folder whose files must not include these.
FORBIDDEN = {
    "transport/": ("crdt/presence", "node/service/", "node/cli/"),
    "node/service/": ("transport/", "node/cli/"),
    # What checks the product knows nothing of it.
    "tests/sim/model.": ("crdt/", "node/", "transport/"),
    "tests/sim/linearizability.": ("crdt/", "node/", "transport/"),
    "tests/sim/key_spec.": ("crdt/", "node/", "transport/"),
    "tests/sim/key_deadlines.": ("crdt/", "node/", "transport/"),
    "tests/sim/keyspace_model.": ("crdt/", "node/", "transport/"),
    "tests/crdt/keyspace/model.": ("crdt/", "node/", "transport/"),
}


PRODUCT = ("clients/", "crdt/", "node/", "transport/")


def tracked(*patterns):
  out = subprocess.run(["git", "ls-files", "--", *patterns], check=True,
                       capture_output=True, text=True).stdout
  return [path for path in out.splitlines() if os.path.exists(path)]


@functools.lru_cache(maxsize=None)
def read(path):
  return pathlib.Path(path).read_text(encoding="utf-8")


# ------------------------------------------------------------------- sizes

LEXEME = re.compile(
    r'//[^\n]*|/\*.*?\*/'
    r'|R"(?P<tag>[^()\\\s]*)\(.*?\)(?P=tag)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.S)


def without_text(source):
  """The source with comments and literals blanked, line by line the same."""
  return LEXEME.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), source)


def functions(source):
  """Yields (first line, lines) of each function that has a body."""
  code = re.sub(r"^[ \t]*#.*$", "", without_text(source), flags=re.M)
  scopes = []  # (kind, first line)
  start = 0  # Where the statement that may open a scope begins.
  line = 1
  for i, c in enumerate(code):
    if c == "\n":
      line += 1
    elif c == ";":
      start = i + 1
    elif c == "{":
      head = code[start:i]
      outer = all(kind == "type" for kind, _ in scopes)
      first = line - head.lstrip().count("\n")
      if outer and re.search(r"\b(namespace|class|struct|union|enum)\b",
                             re.sub(r"<[^<>]*>|\([^()]*\)", "", head)):
        scopes.append(("type", first))
      elif outer and "(" in head:
        scopes.append(("function", first))
      else:
        scopes.append(("block", first))
      start = i + 1
    elif c == "}" and scopes:
      kind, first = scopes.pop()
      if kind == "function":
        yield first, line - first + 1
      start = i + 1


def sizes(_):
  complaints = []
  for path in tracked("*.cc", "*.h", "*.py"):
    lines = read(path).count("\n")
    if lines > MAX_FILE_LINES:
      complaints.append(
          f"{path}: {lines} lines; at most {MAX_FILE_LINES}")
  for path in tracked("*.cc", "*.h"):
    for first, lines in functions(read(path)):
      if lines > MAX_FUNCTION_LINES:
        complaints.append(f"{path}:{first}: a function of {lines} lines; at "
                          f"most {MAX_FUNCTION_LINES}")
  return complaints


# ------------------------------------------------------------------ layers


def project_includes(path):
  return [re.sub("^muster/client/", "clients/cpp/muster/client/", name)
          for quote, name in INCLUDE.findall(read(path))
          if quote == '"' or name.startswith("muster/")]


def within(path, folders):
  """Whether a file is in one of the folders, or right in one that ends in *."""
  return any(path.startswith(folder) or
             folder.endswith("*") and
             os.path.dirname(path) + "/" == folder[:-1]
             for folder in folders)


def layers(_):
  complaints = []
  for path in tracked("*.cc", "*.h"):
    for folder, allowed in LAYERS.items():
      if not within(path, (folder,)):
        continue
      for name in project_includes(path):
        if "/" in name and os.path.exists(name) and (
            not within(name, allowed)):
          complaints.append(f"{path}: includes {name}; {folder} may include "
                            f"only {', '.join(allowed)}")
    for folder, denied in FORBIDDEN.items():
      if not path.startswith(folder):
        continue
      for name in project_includes(path):
        if name.startswith(denied):
          complaints.append(f"{path}: includes {name}")
  return complaints


# ------------------------------------------------------- clang on the units


@functools.lru_cache(maxsize=None)
def closure(path):
  """The project's files that a file includes, itself among them."""
  seen = set()
  todo = [path]
  while todo:
    current = todo.pop()
    if current in seen:
      continue
    seen.add(current)
    todo += [name for name in project_includes(current)
             if os.path.exists(name)]
  return frozenset(seen)


def units(build):
  """The tracked .cc files that are compiled, with their arguments."""
  known = set(tracked("*.cc"))
  root = os.getcwd() + "/"
  found = {}
  with open(f"{build}/compile_commands.json", encoding="utf-8") as commands:
    for command in json.load(commands):
      path = os.path.relpath(
          os.path.join(command["directory"], command["file"]), root)
      if path in known and path not in found:
        found[path] = command
  hidden = sorted(path for path in known if path.startswith(PRODUCT) and
                  path not in found)
  if hidden:
    sys.exit(f"{build} does not compile {hidden[0]} by itself: configure it "
             "with preset ci, outside CI")
  return dict(sorted(found.items()))


def clang_arguments(command):
  """What matters of a compile command to another compiler."""
  arguments = shlex.split(command["command"])
  kept = [a for a in arguments
          if a.startswith(("-I", "-D", "-std=", "-fno-exceptions"))]
  for i, argument in enumerate(arguments):
    if argument == "-isystem":
      kept += [argument, arguments[i + 1]]
  return kept


def in_parallel(function, items):
  """Complaints of all, in order of the items."""
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    return [text for texts in pool.map(function, items) for text in texts]


def run_clang(arguments):
  result = subprocess.run(arguments, capture_output=True, text=True,
                          check=False)
  if result.returncode == 0:
    return []
  return [(result.stdout + result.stderr).strip()]


LOCKS = re.compile(r"\b(Mutex|std::mutex|GUARDED_BY|LOCKS_REQUIRED)\b"
                   r"|_(GUARDED_BY|REQUIRED)\(")


def product(path):
  """A unit of the product that `tidy --core` does not look at."""
  return (path.startswith(PRODUCT) and
          not path.startswith(("crdt/", "node/core/")))


def threads(options):
  """Clang's analysis, on every unit that sees a lock of the project. Units of
  the product are looked at with or without: CI compiles several as one, and a
  unit that leans on another's includes is found here alone."""

  def analyse(item):
    path, command = item
    return run_clang([CLANG, "-fsyntax-only", "-Wno-everything",
                      "-Wthread-safety", "-Werror", "-I.",
                      *clang_arguments(command), path])

  def with_lock(path):
    return any(LOCKS.search(read(seen)) for seen in closure(path)
               if not seen.endswith("mutex.h"))

  return in_parallel(analyse, [
      (path, command) for path, command in units(options.build).items()
      if product(path) or with_lock(path)])


def includes_grpc(path):
  return any("grpcpp" in name or name.endswith(".grpc.pb.h")
             for seen in closure(path)
             for _, name in INCLUDE.findall(read(seen)))


def tidy(options):
  """clang-tidy. A unit that passed is not looked at again until it, what it
  includes of the project, the configuration or its arguments change."""
  quick = ["--checks=-clang-analyzer-*"] if options.core else []
  passed = pathlib.Path(options.build) / "tidy"
  passed.mkdir(exist_ok=True)
  configuration = read(".clang-tidy")

  def stamp(path, command):
    digest = hashlib.sha256(configuration.encode())
    digest.update(" ".join(quick).encode())
    digest.update(" ".join(clang_arguments(command)).encode())
    for seen in sorted(closure(path)):
      digest.update(seen.encode() + b"\0" + read(seen).encode())
    return passed / digest.hexdigest()

  def analyse(item):
    path, command = item
    mark = stamp(path, command)
    if mark.exists():
      return []
    complaints = run_clang([TIDY, "--quiet", *quick, path, "--", "-I.",
                            "-Wno-everything", *clang_arguments(command)])
    if not complaints:
      mark.touch()
    return complaints

  def wanted(path):
    if options.core:
      return path.startswith(("crdt/", "node/core/"))
    return options.all or not includes_grpc(path)

  return in_parallel(analyse, [
      (path, command) for path, command in units(options.build).items()
      if wanted(path)])


def main():
  checks = {f.__name__: f for f in (sizes, layers, threads, tidy)}
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("check", choices=checks)
  parser.add_argument("--build", help="a configured build folder")
  parser.add_argument("--core", action="store_true",
                      help="tidy crdt/ and node/core/ alone, without the "
                      "analysis of paths")
  parser.add_argument("--all", action="store_true",
                      help="tidy the units with gRPC, too (slow)")
  options = parser.parse_args()
  complaints = checks[options.check](options)
  for complaint in complaints:
    print(complaint)
  sys.exit(1 if complaints else 0)


if __name__ == "__main__":
  main()
