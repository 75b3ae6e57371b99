"""What metrics cost a track, in instructions, counted by callgrind.

  metrics_cost.py TRACK_COST

Runs bench/track_cost.cc with two numbers of tracks; the difference is of tracks
alone. What metrics cost is what the lines of node/core/histogram.h take,
wherever they are inlined. Exits 1 if that is more than 1 %.
"""

import re
import shutil
import subprocess
import sys
import tempfile

FEW, MANY = 1_000, 5_000
MOST = 0.01

FILE = re.compile(r"^(fl|fi|fe|cfi|cfl)=(\(\d+\))(?: (.*))?$")
COST = re.compile(r"^[+\-*\d]\S* (\d+)$")


def instructions(program, tracks):
  """All instructions of a run, and those of histogram.h."""
  with tempfile.NamedTemporaryFile() as out:
    subprocess.run(["valgrind", "--tool=callgrind", "--quiet",
                    f"--callgrind-out-file={out.name}", program, str(tracks)],
                   check=True)
    with open(out.name, encoding="utf-8") as file:
      lines = file.read().splitlines()
  names, here, total, metrics, inclusive = {}, "", 0, 0, False
  for line in lines:
    if found := FILE.match(line):
      kind, number, name = found.groups()
      if name:
        names[number] = name
      # A file that is called into names itself only.
      if not kind.startswith("c"):
        here = names[number]
    elif line.startswith("calls="):
      inclusive = True
    elif found := COST.match(line):
      if not inclusive:
        total += int(found.group(1))
        if here.endswith("node/core/histogram.h"):
          metrics += int(found.group(1))
      inclusive = False
  return total, metrics


def main():
  if not shutil.which("valgrind"):
    sys.exit("metrics-cost: valgrind is missing; apt-get install valgrind")
  few, many = (instructions(sys.argv[1], n) for n in (FEW, MANY))
  total, metrics = ((b - a) / (MANY - FEW) for a, b in zip(few, many))
  print(f"a track: {total:,.0f} instructions in loop and core, of which "
        f"metrics {metrics:,.1f}: {metrics / total:.2%}")
  if not 0 < metrics <= MOST * total:
    sys.exit(f"metrics-cost: must be above 0 and at most {MOST:.0%}")


if __name__ == "__main__":
  main()
