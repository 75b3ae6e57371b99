"""What can go wrong in the harness, and how long it waits for things."""

import subprocess

import grpc

from network import NotPossible

CALL_SECONDS = 2.0
# How long a harness waits for anything at all.
PATIENCE = 30.0
# And for a node to say that it is ready.
READY_SECONDS = 20.0


class HarnessError(Exception):
  """The scenario asks for what cannot be done."""


# What a step can end with; told in a line by why().
FAULTS = (HarnessError, NotPossible, grpc.RpcError, RuntimeError, OSError,
          subprocess.SubprocessError)


def why(error):
  """One of FAULTS, in one line."""
  details = getattr(error, "details", None)
  text = (details and details()) or str(error) or type(error).__name__
  return " ".join(text.split())
