"""Lines covered of the files that decode foreign bytes, from gcov's counts, and
of the reader of scenarios, which is Python, from a run of its tests here.

  coverage.py --build DIR [--at-least PERCENT] [--missing]

A row for each file of DECODERS; with --missing also the lines that were never
reached. Exits 1 if a file has less than PERCENT.
"""

import argparse
import collections
import json
import pathlib
import subprocess
import sys
import trace
import types
import unittest

# Whatever comes from a peer, a client or a file is judged in these.
DECODERS = [
    "crdt/mutation.cc",
    "node/codec/base64url.cc",
    "node/codec/client_decode.cc",
    "node/codec/field_check.cc",
    "node/codec/opaque_text.cc",
    "node/codec/peer_codec.cc",
    "node/codec/peer_proof.cc",
    "node/codec/ref_text.cc",
    "node/codec/utf8.cc",
    "node/codec/wire.cc",
    "node/config/config_file.cc",
    "node/config/config_option.cc",
    "node/service/batch_requests.cc",
    "node/service/op_batch.cc",
    "node/service/read_requests.cc",
    "node/service/session_work.cc",
    "node/service/tokens.cc",
    "node/service/validate.cc",
    "transport/peer/handshake.cc",
]
SCENARIOS = "tests/partition/scenario.py"


def counts(build):
  """For each file of DECODERS its lines and how often each was reached."""
  lines = collections.defaultdict(collections.Counter)
  for data in sorted(pathlib.Path(build).rglob("*.gcda")):
    if not any(name.rsplit("/", 1)[1] in data.name for name in DECODERS):
      continue
    out = subprocess.run(["gcov", "--json-format", "--stdout", str(data)],
                         check=True, capture_output=True).stdout
    for text in out.splitlines():
      for file in json.loads(text)["files"]:
        # Absolute, or from the build directory.
        name = next((name for name in DECODERS
                     if file["file"].endswith("/" + name)), None)
        if name is None:
          continue
        for line in file["lines"]:
          lines[name][line["line_number"]] += line["count"]
  return lines


def lines_of(code):
  """The numbers of the lines that have code in them."""
  numbers = {line for _, _, line in code.co_lines() if line}
  for constant in code.co_consts:
    if isinstance(constant, types.CodeType):
      numbers |= lines_of(constant)
  return numbers


def scenario_counts():
  """How often the tests of the reader of scenarios reach its lines."""
  path = pathlib.Path(SCENARIOS).resolve()
  sys.path.insert(0, str(path.parent))
  sys.dont_write_bytecode = True

  def run():
    suite = unittest.defaultTestLoader.loadTestsFromName("scenario_test")
    result = unittest.TextTestRunner(stream=sys.stderr, verbosity=0).run(suite)
    if not result.wasSuccessful():
      sys.exit("the tests of scenarios failed")

  tracer = trace.Trace(count=1, trace=0, ignoredirs=[sys.prefix, sys.exec_prefix])
  tracer.runfunc(run)
  reached = tracer.results().counts
  code = compile(path.read_text(encoding="utf-8"), str(path), "exec")
  return {line: reached.get((str(path), line), 0) for line in lines_of(code)}


def ranges(numbers):
  """1 2 3 7 as "1-3 7"."""
  runs = []
  for number in numbers:
    if runs and runs[-1][1] == number - 1:
      runs[-1][1] = number
    else:
      runs.append([number, number])
  return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--build", required=True)
  parser.add_argument("--at-least", type=float, default=0, metavar="PERCENT")
  parser.add_argument("--missing", action="store_true")
  options = parser.parse_args()
  lines = counts(options.build)
  lines[SCENARIOS] = scenario_counts()
  poor = 0
  print(f"{'decoder':34} {'lines':>6} {'covered':>8}")
  for name in [*DECODERS, SCENARIOS]:
    reached = sum(1 for count in lines[name].values() if count > 0)
    total = len(lines[name])
    share = 100 * reached / total if total else 0
    mark = ""
    if share < options.at_least:
      poor += 1
      mark = f"  below {options.at_least:g} %"
    print(f"{name:34} {total:6} {share:6.1f} %{mark}")
    if options.missing and reached < total:
      never = [n for n, count in sorted(lines[name].items()) if count == 0]
      print(f"    never: {ranges(never)}")
  sys.exit(1 if poor else 0)


if __name__ == "__main__":
  main()
