"""Nodes in network namespaces, on one bridge, and what may be done to packets.

  the harness ---- bridge ---- a (10.77.0.1), b (10.77.0.2), ...
  10.77.0.254

The harness's own packets are never touched. A cut is made where packets
arrive, so that each direction is cut for itself; `reset` answers TCP with a
reset instead of silence. All of it lives in namespaces of this process and is
gone with it: see enter().
"""

import json
import os
import shutil
import subprocess
import sys

SUBNET = "10.77.0"
HARNESS = f"{SUBNET}.254"
NODES = "abcdefg"
PORT = 7400


def enter():
  """Runs this program again within namespaces of its own, unless it is there
  already. Returns why not, if that is not permitted here."""
  if os.environ.get("MUSTER_PARTITION_NETWORK"):
    return None
  for arguments in (["unshare", "-n", "-m"], ["unshare", "-r", "-n", "-m"]):
    tried = subprocess.run(
        [*arguments, "sh", "-c", "mount -t tmpfs tmpfs /run && "
         "ip netns add x && ip link add x type bridge && "
         "ip netns exec x iptables -S"],
        capture_output=True, text=True, check=False)
    if tried.returncode == 0:
      os.environ["MUSTER_PARTITION_NETWORK"] = "1"
      os.execvp(arguments[0], [*arguments, sys.executable, *sys.argv])
  return tried.stderr.strip() or "unshare failed"


def _run(*arguments, **options):
  done = subprocess.run(arguments, capture_output=True, text=True, check=False,
                        **options)
  if done.returncode != 0:
    raise RuntimeError(f"{' '.join(arguments)}: {done.stderr.strip()}")


class Network:
  """The namespaces of the nodes a to g."""

  def __init__(self):
    # Where iptables keeps its lock and `ip` its names: not the system's.
    _run("mount", "-t", "tmpfs", "tmpfs", "/run")
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", "name", "hub", "type", "bridge")
    _run("ip", "addr", "add", f"{HARNESS}/24", "dev", "hub")
    _run("ip", "link", "set", "hub", "up")
    self._nodes = set()
    self._cut = {}  # (from, to): "drop" or "reset".
    self._loss = {}  # Node: share of what comes to it.
    self._off = set()
    self._slowed = set()

  @staticmethod
  def host(node):
    return f"{SUBNET}.{NODES.index(node) + 1}"

  def address(self, node):
    return f"{self.host(node)}:{PORT}"

  def add(self, node):
    """Idempotent."""
    if node in self._nodes:
      return
    self._nodes.add(node)
    _run("ip", "netns", "add", node)
    _run("ip", "link", "add", "name", f"v{node}", "type", "veth", "peer", "name",
         "eth0", "netns", node)
    _run("ip", "link", "set", "dev", f"v{node}", "master", "hub", "up")
    within = ["ip", "netns", "exec", node, "ip"]
    _run(*within, "link", "set", "lo", "up")
    _run(*within, "addr", "add", f"{self.host(node)}/24", "dev", "eth0")
    _run(*within, "link", "set", "eth0", "up")

  def command(self, node, arguments):
    """The arguments, to be run where the node is."""
    return [shutil.which("ip"), "netns", "exec", node, *arguments]

  # ------------------------------------------------------------- packets

  def cut(self, sender, receiver, reset=False):
    self._cut[sender, receiver] = "reset" if reset else "drop"
    self._apply(receiver)

  def mend(self, sender, receiver):
    if self._cut.pop((sender, receiver), None):
      self._apply(receiver)

  def is_cut(self, sender, receiver):
    return (sender, receiver) in self._cut

  def lose(self, receiver, share):
    self._loss[receiver] = share
    self._apply(receiver)

  def heal(self):
    touched = {to for _, to in self._cut} | set(self._loss)
    self._cut.clear()
    self._loss.clear()
    for node in touched:
      self._apply(node)

  def reset(self):
    """As new: nothing cut, lost, slow or off."""
    self.heal()
    for node in list(self._off):
      self.set_off(node, False)
    for node in list(self._slowed):
      self.slow(node, "off")

  def set_off(self, node, off):
    """Off: whatever is sent there meets silence, as of a machine without
    power."""
    if off == (node in self._off):
      return
    (self._off.add if off else self._off.remove)(node)
    _run("ip", "link", "set", "dev", f"v{node}", "down" if off else "up")

  def slow(self, node, rate):
    device = ["ip", "netns", "exec", node, "tc", "qdisc"]
    if rate == "off":
      if node in self._slowed:
        _run(*device, "del", "dev", "eth0", "root")
      self._slowed.discard(node)
    else:
      self._slowed.add(node)
      _run(*device, "replace", "dev", "eth0", "root", "tbf", "rate", rate,
           "burst", "32kb", "latency", "400ms")

  def _apply(self, node):
    rules = ["*filter", ":INPUT ACCEPT [0:0]"]
    for (sender, receiver), how in sorted(self._cut.items()):
      if receiver != node:
        continue
      source = f"-A INPUT -s {self.host(sender)}"
      if how == "reset":
        rules.append(f"{source} -p tcp -j REJECT --reject-with tcp-reset")
      rules.append(f"{source} -j DROP")
    share = self._loss.get(node, 0)
    if share:
      rules.append(f"-A INPUT -s {SUBNET}.0/28 -m statistic --mode random "
                   f"--probability {share:.6f} -j DROP")
    rules.append("COMMIT\n")
    _run("ip", "netns", "exec", node, "iptables-restore",
         input="\n".join(rules))

  def bytes_sent(self, node):
    """By the node, since its namespace was made."""
    shown = subprocess.run(["ip", "-j", "-s", "link", "show", "dev", f"v{node}"],
                           capture_output=True, text=True, check=True)
    return json.loads(shown.stdout)[0]["stats64"]["rx"]["bytes"]
