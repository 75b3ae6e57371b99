"""Scenarios changed at random: each is read, or its mistake is named.

  scenario_fuzz.py --seconds 600 [--first SEED]

Prints how many were tried; stops at the first that fails, and prints its seed
and text.
"""

import argparse
import pathlib
import random
import re
import sys
import time

from scenario import ScenarioError, parse

SCENARIOS = pathlib.Path(__file__).resolve().parent / "scenarios"
STRANGE = ["", " ", "\t", "|", ">", "=", "#", "%", "-", "+", "~", "*", "a",
           "ab", "0", "9" * 400, "1e9", "-1", "1.", ".5s", "99999m", "\u00b2",
           "\u0663",
           "\x00", "\x1c", "\u2028", "\ufeff", "\U0001f600", "off", "reset",
           "'", '"', "equal", "all"]


def sources():
  """The scenarios that come with it, and all the words in them."""
  texts = [file.read_text(encoding="utf-8")
           for file in sorted(SCENARIOS.glob("*.scenario"))]
  return texts, sorted({word for text in texts for word in text.split()})


def mutated(generator, text, words):
  """A scenario with some lines and characters changed."""
  lines = text.splitlines()
  for _ in range(generator.randrange(1, 5)):
    at = generator.randrange(len(lines))
    line = lines[at].split(" ")
    place = generator.randrange(len(line))
    kind = generator.randrange(6)
    if kind == 0:
      line[place] = generator.choice(STRANGE)
    elif kind == 1:
      line.insert(place, generator.choice(words))
    elif kind == 2:
      del line[place]
    elif kind == 3:
      line[place] = generator.choice(words)
    elif kind == 4:
      word = line[place]
      cut = generator.randrange(len(word) + 1)
      line[place] = word[:cut] + generator.choice(STRANGE) + word[cut:]
    else:
      lines.insert(at, generator.choice(lines))
    lines[at] = " ".join(line)
  return "\n".join(lines)


def check(text):
  """Raises AssertionError unless it is a scenario or names line and word."""
  try:
    parse(text)
  except ScenarioError as error:
    said = re.fullmatch(r"line (\d+): ('.*'|\".*\"): .+", str(error), re.S)
    if not said or error.word not in text.splitlines()[int(said[1]) - 1]:
      raise AssertionError(f"{text!r}: {error}") from error
  except Exception as error:
    raise AssertionError(f"{text!r}") from error


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--seconds", type=float, required=True)
  parser.add_argument("--first", type=int, default=0, metavar="SEED")
  options = parser.parse_args()
  texts, words = sources()
  end = time.monotonic() + options.seconds
  seed = options.first
  while time.monotonic() < end:
    generator = random.Random(seed)
    text = mutated(generator, generator.choice(texts), words)
    try:
      check(text)
    except AssertionError as fault:
      sys.exit(f"seed {seed}: {fault}")
    seed += 1
  print(seed - options.first)


if __name__ == "__main__":
  main()
