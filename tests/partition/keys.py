"""Keys as a user has them: `muster kv`."""

import json
import subprocess

from faults import PATIENCE, HarnessError

# Answers that have no order.
UNORDERED = ("SMEMBERS", "SINTER", "SUNION", "SDIFF", "HKEYS", "HVALS", "KEYS")
UNKNOWN = "outcome is unknown"
UNKNOWNS = (UNKNOWN, "outcome unknown")


class NotDone(HarnessError):
  """The command was not executed, or nobody knows whether it was."""

  def __init__(self, text):
    super().__init__(text)
    self.unknown = any(unknown in text for unknown in UNKNOWNS)


def arguments(binary, at, leader=False):
  return [binary, "kv", "--json", "--at", ",".join(at),
          *(["--leader"] if leader else [])]


def run(binary, at, command, seconds=PATIENCE):
  """One `muster kv` of one command; its answer, of JSON."""
  try:
    done = subprocess.run(
        [*arguments(binary, at), "--", *command], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        timeout=seconds, check=False)
  except subprocess.TimeoutExpired:
    raise NotDone(f"no answer within {seconds:g} s: the {UNKNOWN}") from None
  if not done.stdout:
    raise NotDone(f"muster kv ended with {done.returncode}: "
                  f"{done.stderr.strip()}")
  return json.loads(done.stdout)


def run_all(binary, at, commands, leader=False):
  """One `muster kv` that is given a command a line; its answers."""
  done = subprocess.run(
      arguments(binary, at, leader), stdout=subprocess.PIPE,
      stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False,
      input="".join(" ".join(command) + "\n" for command in commands))
  answers = [json.loads(line) for line in done.stdout.splitlines()]
  if len(answers) != len(commands):
    raise NotDone(f"muster kv ended with {done.returncode}: "
                  f"{done.stderr.strip()}")
  return answers


def is_error(answer):
  return isinstance(answer, dict) and "error" in answer


def in_words(answer):
  """An answer as a scenario has it: each element a word."""
  if answer is None:
    return ["(nil)"]
  if isinstance(answer, list):
    return [word for element in answer for word in in_words(element)]
  if is_error(answer):
    return ["(error)", *answer["error"].split()]
  return str(answer).split()


def is_wanted(command, answer, wanted):
  """Of an error the first words are enough."""
  found = in_words(answer)
  if is_error(answer):
    return found[:len(wanted)] == wanted and len(wanted) > 1
  if command[0].upper() in UNORDERED:
    return sorted(found) == sorted(wanted)
  if command[0].upper() == "HGETALL":
    return _pairs(found) == _pairs(wanted)
  return found == wanted


def _pairs(words):
  return sorted(zip(words[::2], words[1::2])), len(words)
