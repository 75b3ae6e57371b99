"""Runs muster-sim in chunks on every core for a time; the work of ops/sim."""

import argparse
import collections
import concurrent.futures
import os
import re
import subprocess
import sys
import threading
import time

CHUNK = 200  # Seeds of one process.

SUMMARY = re.compile(
    r"(?P<seeds>\d+) seeds, (?P<failed>\d+) failed; (?P<operations>\d+) "
    r"operations, (?P<faults>\d+) faults, (?P<rebases>\d+) rebases, "
    r"(?P<steps>\d+) steps; (?P<simulated>\d+) s simulated in \d+ s; "
    r"slowest to be equal (?P<slowest>[\d.]+) s")


class Runner:
  """Hands out chunks until the time is over, and adds up what they say."""

  def __init__(self, sim, first, until):
    self.sim = sim
    self.next = first
    self.until = until
    self.lock = threading.Lock()
    self.sum = collections.Counter()
    self.kinds = collections.Counter()
    self.slowest = 0.0
    self.broken = False

  def take(self):
    with self.lock:
      if time.time() >= self.until:
        return None
      first = self.next
      self.next += CHUNK
      return first

  def add(self, out):
    """Adds a chunk's summary; what else it said is shown as it is."""
    with self.lock:
      for line in out.splitlines():
        summary = SUMMARY.match(line)
        if summary:
          for name, value in summary.groupdict().items():
            if name != "slowest":
              self.sum[name] += int(value)
          self.slowest = max(self.slowest, float(summary["slowest"]))
        elif line.startswith("faults: "):
          for kind, count in re.findall(r"(\w+) (\d+)", line[8:]):
            self.kinds[kind] += int(count)
        elif not line.startswith("seeds "):
          print(line, flush=True)

  def work(self):
    while (first := self.take()) is not None:
      left = max(1, int(self.until - time.time()))
      run = subprocess.run(
          [self.sim, "--seeds", f"{first}..{first + CHUNK - 1}",
           "--keep-going", "--seconds", str(left)],
          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
          check=False)
      self.add(run.stdout)
      if run.returncode not in (0, 1):  # It crashed, and has said where.
        with self.lock:
          self.broken = True

  def report(self):
    print(f"{self.sum['seeds']:,} seeds, {self.sum['failed']} failed; "
          f"{self.sum['steps']:,} steps, {self.sum['operations']:,} "
          f"operations, {self.sum['rebases']:,} rebases, "
          f"{self.sum['simulated'] / 3600:.1f} h simulated; slowest to be "
          f"equal {self.slowest:.1f} s")
    faults = ", ".join(f"{count:,} {kind}"
                       for kind, count in self.kinds.most_common())
    print(f"{self.sum['faults']:,} faults: {faults}", flush=True)

  def good(self):
    return not self.broken and self.sum["failed"] == 0


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--sim", required=True)
  parser.add_argument("--hours", type=float, required=True)
  parser.add_argument("--from", type=int, required=True, dest="first")
  args = parser.parse_args()
  runner = Runner(args.sim, args.first, time.time() + 3600 * args.hours)
  print(f"from seed {args.first}, for {args.hours:g} h", flush=True)
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    tasks = [pool.submit(runner.work) for _ in range(os.cpu_count())]
    while not all(task.done() for task in tasks):
      concurrent.futures.wait(tasks, timeout=60)
      with runner.lock:
        runner.report()
  for task in tasks:
    task.result()
  print(f"seeds {args.first} to {runner.next - 1}:",
        "all held" if runner.good() else "NOT all held")
  return 0 if runner.good() else 1


if __name__ == "__main__":
  sys.exit(main())
