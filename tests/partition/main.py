"""Real nodes, cut networks: runs scenarios, and random runs against a model.

  ops/partition FILE...          scenario files, yours or those that come with it
  ops/partition --all            every scenario there is
  ops/partition --runs N         N random runs of 7 nodes (--steps, --seed)
  ops/partition --measure        times to notice deaths, to heal, and bytes
  ops/partition --loss-minutes N a long time of loss and jitter, and false downs

Each node is in a network namespace of its own; where those are not permitted,
or with --proxy (or MUSTER_PARTITION=proxy), a TCP and UDP proxy stands between
each two of them instead. The language of scenarios is in
docs/partition-testing.md. Exit codes: 0 all held, 1 something did not, 2 a
scenario file or an argument is wrong, 130 it was interrupted.
"""

import argparse
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import tempfile

import namespaces
import proxy

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# What bounds the time to notice a death, and how a link is opened anew.
FAST = [f"--{name}-ms={milliseconds // 5}" for name, milliseconds in (
    ("beat-interval", 250), ("min-sigma", 100), ("min-silence", 1000),
    ("max-silence", 2000), ("max-silence-stream-only", 4000), ("confirm", 500),
    ("refused-wait", 350), ("link-stall", 1000), ("dial-wait", 500),
    ("name-check", 1500), ("join-wait", 2000), ("source-timeout", 500))]


def make_stubs():
  """The Python modules of the protos, into a folder that is on sys.path."""
  folder = tempfile.TemporaryDirectory(prefix="muster-stubs-")
  subprocess.run(
      ["protoc", "-I", str(ROOT / "proto"), f"--python_out={folder.name}",
       f"--grpc_out={folder.name}",
       "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin",
       "muster/v1/presence.proto", "muster/v1/cluster.proto",
       "muster/v1/pubsub.proto"],
      check=True, cwd=ROOT)
  sys.path.insert(0, folder.name)
  return folder


def arguments():
  parser = argparse.ArgumentParser(
      prog="ops/partition", description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument("files", nargs="*", metavar="FILE")
  parser.add_argument("--binary", required=True, help=argparse.SUPPRESS)
  parser.add_argument("--old-binary", metavar="PATH",
                      help="the program of nodes that are started `old` "
                      "(default: the same as of all others)")
  parser.add_argument("--judge", metavar="PATH",
                      help="the program muster-judge, for what is expected "
                      "to be linearizable")
  parser.add_argument("--all", action="store_true",
                      help="every scenario of tests/partition/scenarios")
  parser.add_argument("--only", metavar="PREFIX", default="",
                      help="with --all: those whose names begin so")
  parser.add_argument("--but", metavar="PREFIX",
                      help="with --all: not those whose names begin so")
  parser.add_argument("--runs", type=int, default=0, metavar="N")
  parser.add_argument("--steps", type=int, default=100, metavar="N",
                      help="of a random run (default 100)")
  parser.add_argument("--seed", type=int, default=1, metavar="N",
                      help="of the first random run (default 1)")
  parser.add_argument("--measure", action="store_true")
  parser.add_argument("--loss-minutes", type=float, default=0, metavar="N",
                      help="7 nodes, 10 %% loss, 200 ms jitter")
  parser.add_argument("--fast", action="store_true",
                      help="detection times are a fifth of the usual")
  parser.add_argument("--proxy", action="store_true",
                      help="no namespaces: a proxy between each two nodes")
  parser.add_argument("--serve-flag", action="append", default=[],
                      metavar="TEXT", help="a further flag of `muster serve`")
  parser.add_argument("--quiet", action="store_true",
                      help="say only what did not hold, and the sums")
  options = parser.parse_args()
  if options.all:
    options.files += sorted(
        str(f) for f in (HERE / "scenarios").glob("*.scenario")
        if f.name.startswith(options.only) and not (
            options.but and f.name.startswith(options.but)))
  if not (options.files or options.runs or options.measure or
          options.loss_minutes):
    parser.error("name a scenario FILE, or --all, --runs, --measure or "
                 "--loss-minutes")
  if options.runs < 0 or options.steps < 1 or options.loss_minutes < 0:
    parser.error(f"--runs {options.runs} --steps {options.steps} "
                 f"--loss-minutes {options.loss_minutes:g}: at least 0, 1 and "
                 "0")
  for binary, rule in ((options.binary, "MUSTER_BINARY names another one"),
                       (options.old_binary, "--old-binary must name one"),
                       (options.judge, "--judge must name one")):
    if binary is not None and not (os.path.isfile(binary) and
                                   os.access(binary, os.X_OK)):
      print(f"partition: {binary}: no such program; {rule}", file=sys.stderr)
      sys.exit(2)
  options.flags = (FAST if options.fast else []) + [
      part for flag in options.serve_flag for part in shlex.split(flag)]
  return options


class Networks:
  """The network of this run, and the proxy for what only that can do."""

  def __init__(self, forced):
    refused = None if forced else namespaces.enter()
    if refused:
      print(f"partition: no network namespaces here ({refused}): a TCP and UDP "
            "proxy stands between each two nodes", flush=True)
    self._proxy = None
    self.default = self.proxy() if forced or refused else (
        namespaces.Namespaces())

  def proxy(self):
    self._proxy = self._proxy or proxy.Proxy()
    return self._proxy

  def of(self, name, steps, tell):
    """The network for a scenario."""
    if all(step.verb != "delay" for step in steps):
      return self.default
    if not self.default.can_delay:
      tell(f"   {name}: this kernel has no netem, so the proxy does the delays")
    return self.that_delays()

  def that_delays(self):
    return self.default if self.default.can_delay else self.proxy()

  def end(self):
    for net in {self.default, self._proxy} - {None}:
      net.end()


def parsed(files):
  """(name, steps) of each; exits with 2 if one is wrong."""
  import scenario

  found = []
  for name in files:
    try:
      steps = scenario.parse(pathlib.Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, scenario.ScenarioError) as error:
      why = error.strerror if isinstance(error, OSError) else error
      print(f"partition: {name}: {why}", file=sys.stderr)
      sys.exit(2)
    found.append((name, steps))
  return found


def run_scenario(name, steps, net, options, tell, gaps):
  """Whether it held. Adds the longest gap between acknowledged writes, if
  there were writers."""
  import runner
  import world as worlds

  tell(f"== {os.path.basename(name)}")
  world = worlds.World(options.binary, net, options.flags, options.old_binary,
                       options.judge)
  try:
    runner.Runner(world, tell).run(steps)
    world.remove_logs()
    writers = world.keyspace.writers
    if writers is not None and writers.rest:
      gaps.append(f"{pathlib.Path(name).stem} {writers.gap:.2f} s")
    return True
  except runner.Broken as broken:
    logs = " ".join(node.log.name for node in world.nodes.values())
    print(f"FAILED {name}: {broken}\n  logs: {logs}", flush=True)
    return False
  finally:
    world.stop()
    net.reset()


def run_all(options, networks, tell):
  """The number of what did not hold."""
  failed = 0
  if options.files:
    scenarios, gaps = parsed(options.files), []
    failed = sum(
        not run_scenario(name, steps, networks.of(name, steps, tell), options,
                         tell, gaps) for name, steps in scenarios)
    print(f"{len(scenarios)} scenarios, {failed} failed" + (
        f"; longest gaps between acknowledged writes: {', '.join(gaps)}"
        if gaps else ""), flush=True)
  if options.runs:
    import random_run
    failed += random_run.run_many(options, networks.default, tell)
  if options.measure:
    import measure
    failed += measure.measure(options, networks.default)
  if options.loss_minutes:
    import measure
    failed += measure.long_loss(options, networks.that_delays(), tell)
  return failed


def run(options):
  """The number of what did not hold."""
  networks = Networks(options.proxy or
                      os.environ.get("MUSTER_PARTITION") == "proxy")
  tell = (lambda _: None) if options.quiet else (
      lambda text: print(text, flush=True))
  try:
    with make_stubs():
      return run_all(options, networks, tell)
  finally:
    networks.end()


def main():
  options = arguments()
  signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
  try:
    return 1 if run(options) else 0
  except KeyboardInterrupt:
    print("\ninterrupted")
    return 130
  except (RuntimeError, OSError, subprocess.SubprocessError) as error:
    print(f"partition: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
  sys.exit(main())
