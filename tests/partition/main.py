"""Real nodes, cut networks: runs scenarios, and random runs against a model.

  ops/partition FILE...          scenario files, yours or tests/partition/scenarios
  ops/partition --all            every scenario there is
  ops/partition --runs N         N random runs of 7 nodes (--steps, --seed)
  ops/partition --measure        times to notice deaths, to heal, and bytes

The language of scenarios is in docs/partition-testing.md. Exit codes: 0 all
held, 1 something did not, 2 a scenario file or an argument is wrong, 3 this
machine does not permit network namespaces.
"""

import argparse
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import tempfile

import network

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def make_stubs():
  """The Python modules of the protos, into a folder that is on sys.path."""
  folder = tempfile.TemporaryDirectory(prefix="muster-stubs-")
  subprocess.run(
      ["protoc", "-I", str(ROOT / "proto"), f"--python_out={folder.name}",
       f"--grpc_out={folder.name}",
       "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin",
       "muster/v1/presence.proto", "muster/v1/cluster.proto"],
      check=True, cwd=ROOT)
  sys.path.insert(0, folder.name)
  return folder


def arguments():
  parser = argparse.ArgumentParser(
      prog="ops/partition", description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument("files", nargs="*", metavar="FILE")
  parser.add_argument("--binary", required=True, help=argparse.SUPPRESS)
  parser.add_argument("--all", action="store_true",
                      help="every scenario of tests/partition/scenarios")
  parser.add_argument("--runs", type=int, default=0, metavar="N")
  parser.add_argument("--steps", type=int, default=100, metavar="N",
                      help="of a random run (default 100)")
  parser.add_argument("--seed", type=int, default=1, metavar="N",
                      help="of the first random run (default 1)")
  parser.add_argument("--measure", action="store_true")
  parser.add_argument("--serve-flag", action="append", default=[],
                      metavar="TEXT", help="a further flag of `muster serve`")
  parser.add_argument("--quiet", action="store_true",
                      help="say only what did not hold, and the sums")
  options = parser.parse_args()
  if options.all:
    options.files += sorted(str(f) for f in
                            (HERE / "scenarios").glob("*.scenario"))
  if not (options.files or options.runs or options.measure):
    parser.error("name a scenario FILE, or --all, --runs or --measure")
  if options.runs < 0 or options.steps < 1:
    parser.error(f"--runs {options.runs} --steps {options.steps}: at least 0 "
                 "and 1")
  return options


def run_scenarios(options, net, tell):
  """The number of scenarios that did not hold."""
  import runner
  import scenario
  import world as worlds

  parsed = []
  for name in options.files:
    try:
      steps = scenario.parse(pathlib.Path(name).read_text(encoding="utf-8"))
    except OSError as error:
      sys.exit(f"partition: {name}: {error.strerror}")
    except scenario.ScenarioError as error:
      print(f"partition: {name}: {error}", file=sys.stderr)
      sys.exit(2)
    parsed.append((name, steps))
  failed = 0
  for name, steps in parsed:
    tell(f"== {os.path.basename(name)}")
    world = worlds.World(options.binary, net, options.flags)
    try:
      runner.Runner(world, tell).run(steps)
    except runner.Broken as broken:
      failed += 1
      logs = " ".join(node.log.name for node in world.nodes.values())
      print(f"FAILED {name}: {broken}\n  logs: {logs}", flush=True)
    else:
      world.remove_logs()
    finally:
      world.stop()
      net.reset()
  print(f"{len(parsed)} scenarios, {failed} failed", flush=True)
  return failed


def main():
  options = arguments()
  options.flags = [part for flag in options.serve_flag
                   for part in shlex.split(flag)]
  refused = network.enter()
  if refused:
    print(f"partition: no network namespaces here: {refused}",
          file=sys.stderr)
    return 3
  signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
  folder = make_stubs()
  tell = (lambda _: None) if options.quiet else (
      lambda text: print(text, flush=True))
  net = network.Network()
  failed = 0
  try:
    if options.files:
      failed += run_scenarios(options, net, tell)
    if options.runs:
      import random_run
      failed += random_run.run_many(options, net, tell)
    if options.measure:
      import measure
      failed += measure.measure(options, net)
  except KeyboardInterrupt:
    print("\ninterrupted")
    return 130
  finally:
    folder.cleanup()
  return 1 if failed else 0


if __name__ == "__main__":
  sys.exit(main())
