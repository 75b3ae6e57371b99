"""Nodes in network namespaces, on one bridge.

  the harness ---- bridge ---- a (10.77.0.1), b (10.77.0.2), ...
  10.77.0.254

A cut is made where packets arrive, so that each direction is cut for itself;
`reset` answers TCP with a reset instead of silence. Slow links, and delays if
this kernel has netem, are made where packets leave. All of it lives in
namespaces of this process and is gone with it: see enter().
"""

import os
import shutil
import subprocess
import sys

from network import NODES, PORT, Network

SUBNET = "10.77.0"
HARNESS = f"{SUBNET}.254"
PEERS = f"{SUBNET}.0/28"


def enter():
  """Runs this program again within namespaces of its own, unless it is there
  already. Returns why not, if that is not permitted here."""
  if os.environ.get("MUSTER_PARTITION_NETWORK"):
    return None
  why = "no `unshare` here"
  for arguments in (["unshare", "-n", "-m"], ["unshare", "-r", "-n", "-m"]):
    try:
      tried = subprocess.run(
          [*arguments, "sh", "-c", "mount -t tmpfs tmpfs /run && "
           "ip netns add x && ip link add x type bridge && "
           "ip netns exec x iptables -S"],
          capture_output=True, text=True, check=False)
    except OSError:
      break
    if tried.returncode == 0:
      os.environ["MUSTER_PARTITION_NETWORK"] = "1"
      os.execvp(arguments[0], [*arguments, sys.executable, *sys.argv])
    why = tried.stderr.strip().partition("\n")[0] or "unshare failed"
  return why


def _run(*arguments, **options):
  done = subprocess.run(arguments, capture_output=True, text=True, check=False,
                        **options)
  if done.returncode != 0:
    raise RuntimeError(f"{' '.join(arguments)}: {done.stderr.strip()}")


def _within(node, *arguments):
  return ["ip", "netns", "exec", node, *arguments]


class Namespaces(Network):

  def __init__(self):
    super().__init__()
    # Where iptables keeps its lock and `ip` its names: not the system's.
    _run("mount", "-t", "tmpfs", "tmpfs", "/run")
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", "name", "hub", "type", "bridge")
    _run("ip", "addr", "add", f"{HARNESS}/24", "dev", "hub")
    _run("ip", "link", "set", "hub", "up")
    self._nodes = set()
    self._shaped = {}  # Node: the arguments of its qdisc.
    self.can_delay = self._has_netem()

  @staticmethod
  def _has_netem():
    tried = subprocess.run(
        ["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"],
        capture_output=True, check=False)
    if tried.returncode == 0:
      _run("tc", "qdisc", "del", "dev", "lo", "root")
    return tried.returncode == 0

  @staticmethod
  def host(node):
    return f"{SUBNET}.{NODES.index(node) + 1}"

  def listen(self, node):
    return f"{self.host(node)}:{PORT}"

  def add(self, node):
    if node in self._nodes:
      return
    self._nodes.add(node)
    _run("ip", "netns", "add", node)
    _run("ip", "link", "add", "name", f"v{node}", "type", "veth", "peer",
         "name", "eth0", "netns", node)
    _run("ip", "link", "set", "dev", f"v{node}", "master", "hub", "up")
    _run(*_within(node, "ip", "link", "set", "lo", "up"))
    _run(*_within(node, "ip", "addr", "add", f"{self.host(node)}/24", "dev",
                  "eth0"))
    _run(*_within(node, "ip", "link", "set", "eth0", "up"))
    # Counts what goes to other nodes, and not what goes to the harness.
    _run(*_within(node, "iptables", "-t", "mangle", "-A", "OUTPUT", "-d",
                  PEERS))
    self.apply(node)

  def command(self, node, arguments):
    return [shutil.which("ip"), *_within(node)[1:], *arguments]

  # ------------------------------------------------------------- packets

  def apply(self, node):
    if node in self._nodes:
      self._filter(node)
      self._queue(node)

  def set_off(self, node, off):
    if node in self._nodes and off != (node in self.off):
      super().set_off(node, off)
      _run("ip", "link", "set", "dev", f"v{node}", "down" if off else "up")

  def _filter(self, node):
    rules = ["*filter", ":INPUT ACCEPT [0:0]"]
    for (sender, receiver), how in sorted(self.cuts.items()):
      if receiver != node:
        continue
      source = f"-A INPUT -s {self.host(sender)}"
      if how == "reset":
        rules.append(f"{source} -p tcp -j REJECT --reject-with tcp-reset")
      rules.append(f"{source} -j DROP")
    share = self.losses.get(node, 0)
    if share:
      rules.append(f"-A INPUT -s {PEERS} -m statistic --mode random "
                   f"--probability {share:.6f} -j DROP")
    rules.append("COMMIT\n")
    _run(*_within(node, "iptables-restore"), input="\n".join(rules))

  def _queue(self, node):
    """How what the node sends leaves it."""
    rate, delay = self.rates.get(node), self.delays.get(node)
    wanted = []
    if delay:
      # netem draws evenly from around a mean.
      mean, around = delay[0] + delay[1] / 2, delay[1] / 2
      wanted = ["netem", "delay", f"{mean * 1000:g}ms", f"{around * 1000:g}ms"]
      wanted += ["rate", f"{rate}bit"] if rate else []
    elif rate:
      wanted = ["tbf", "rate", f"{rate}bit", "burst", "32kb", "latency",
                "400ms"]
    if wanted == self._shaped.get(node, []):
      return
    device = _within(node, "tc", "qdisc")
    if self._shaped.get(node):
      _run(*device, "del", "dev", "eth0", "root")
    if wanted:
      _run(*device, "add", "dev", "eth0", "root", *wanted)
    self._shaped[node] = wanted

  def bytes_sent(self, node):
    shown = subprocess.run(
        _within(node, "iptables", "-t", "mangle", "-nvxL", "OUTPUT"),
        capture_output=True, text=True, check=True)
    # Two lines of headings; packets, then bytes.
    return int(shown.stdout.splitlines()[2].split()[1])
