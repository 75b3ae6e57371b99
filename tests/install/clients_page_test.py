"""Follows docs/clients.md word by word: takes its files and commands from the
page, runs them against a node, and looks for the output that the page shows.

  clients_page_test.py BUILD_DIR COMPILER PAGE

What the page says to install is a build installed into a folder of its own. In
a shown session a line after "$ " is a command, an empty line is Enter.
"""

import os
import pathlib
import pty
import re
import subprocess
import sys
import tempfile
import threading
import unittest

import local_cluster
from local_cluster import wait_until

PATIENCE = 60
BLOCK = re.compile(r"(?:`([\w.]+)`:\n\n)?```(\w*)\n(.*?)```", re.S)
# What the cluster chooses.
REF = re.compile(r"(?<![\w-])[\w-]{11}\.\d+")


class Section:
  """Of the page: its files by name, its shell commands, its sessions."""

  def __init__(self, page, title):
    text = page.split(f"\n## {title}\n")[1].split("\n## ")[0]
    self.files = {}
    self.commands = []
    self.sessions = []
    for name, language, block in BLOCK.findall(text):
      if language == "sh":
        self.commands.append(block)
      elif not language:
        self.sessions.append(block)
      elif name:
        self.files[name] = block


class ClientsPageTest(unittest.TestCase):

  @classmethod
  def setUpClass(cls):
    folder = tempfile.TemporaryDirectory()
    cls.addClassCleanup(folder.cleanup)
    cls.prefix = os.path.join(folder.name, "prefix")
    subprocess.run(["cmake", "--install", BUILD, "--prefix", cls.prefix],
                   check=True, stdout=subprocess.DEVNULL)
    cls.binary = os.path.join(cls.prefix, "bin", "muster")
    cls.page = PAGE.read_text(encoding="utf-8")

  def setUp(self):
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.folder = folder.name
    self.addCleanup(local_cluster.stop_all)
    port = local_cluster.free_port(set())
    self.node = local_cluster.Node(self.binary, "a", f"127.0.0.1:{port}", [])
    self.addCleanup(os.unlink, self.node.log.name)
    self.node.start()
    self.assertTrue(wait_until(self.serves, PATIENCE), "the node serves")

  def muster(self, *arguments):
    return subprocess.run([self.binary, *arguments, "--at", self.node.address],
                          text=True, capture_output=True, check=False,
                          timeout=PATIENCE)

  def serves(self):
    return self.muster("count").returncode == 0

  def environment(self):
    return {**os.environ, "CXX": COMPILER, "CMAKE_GENERATOR": "Ninja",
            "PATH": "/usr/bin:" + os.environ["PATH"]}

  def prepare(self, title):
    """Writes the section's files, runs its commands, returns its session."""
    section = Section(self.page, title)
    for name, text in section.files.items():
      with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
        file.write(text)
    # As a copy of the repository has it.
    os.symlink(PAGE.parent.parent / "proto", os.path.join(self.folder, "proto"))
    for block in section.commands:
      done = subprocess.run(
          ["bash", "-ec", block.replace("/usr/local", self.prefix)],
          cwd=self.folder, env=self.environment(), text=True,
          capture_output=True, check=False)
      self.assertEqual(done.returncode, 0, block + done.stdout + done.stderr)
    self.assertEqual(len(section.sessions), 1, "one session is shown")
    return section.sessions[0]

  def play(self, session, meanwhile=lambda: None):
    """Runs the session's command, and checks what is shown of it.

    Calls `meanwhile` before the first Enter; returns what the command says.
    """
    command, shown = session.split("\n", 1)
    self.assertTrue(command.startswith("$ "), command)
    address = re.compile(r"127\.0\.0\.1:\d+")
    self.assertRegex(command, address)
    arguments = address.sub(self.node.address, command[2:]).split()
    # A terminal shows whole lines.
    master, slave = pty.openpty()
    process = subprocess.Popen(
        arguments, cwd=self.folder, env=self.environment(), text=True,
        stdin=subprocess.PIPE, stdout=slave, stderr=subprocess.PIPE)
    os.close(slave)
    said = []
    reader = threading.Thread(target=self.read, args=(master, said))
    reader.start()
    # Last first.
    for end in (process.stderr.close, process.stdin.close, reader.join,
                process.wait, process.kill):
      self.addCleanup(end)
    parts = shown.split("\n\n")
    for number, part in enumerate(parts):
      if number == 1:
        meanwhile()
      if number > 0:
        process.stdin.write("\n")
        process.stdin.flush()
      lines = [REF.sub("REF", line) for line in part.splitlines() if line]
      came = wait_until(lambda: set(lines) <= set(said), PATIENCE)
      self.assertTrue(came or set(lines) <= set(said),
                      f"shown: {lines}; said: {said}")
    self.assertEqual(process.wait(timeout=PATIENCE), 0, process.stderr.read())
    self.assertEqual(process.stderr.read(), "")
    reader.join(timeout=PATIENCE)  # It ends with the command's terminal.
    return said

  @staticmethod
  def read(master, said):
    with open(master, encoding="utf-8") as lines:
      try:
        for line in lines:
          said.append(REF.sub("REF", line.rstrip("\r\n")))
          with local_cluster.news:
            local_cluster.news.notify_all()
      except OSError:  # Its last user is gone.
        pass

  def follow(self, title):
    self.play(self.prepare(title))
    # At once, not when the grace of ten seconds is over.
    self.assertEqual(self.muster("count", "room:1").stdout, "0\n")

  def test_python(self):
    self.follow("Python")

  def test_python_goes_on_where_a_message_answers_no_request(self):
    evict = lambda: self.assertEqual(
        self.muster("evict", "room:1", "ann", "--reason", "rules").stdout,
        "evicted 1\n")
    said = self.play(self.prepare("Python"), meanwhile=evict)
    self.assertIn("ann was evicted: rules", said)

  def test_cpp(self):
    self.follow("C++")


if __name__ == "__main__":
  BUILD, COMPILER = sys.argv[1], sys.argv[2]
  PAGE = pathlib.Path(sys.argv[3]).resolve()
  unittest.main(argv=sys.argv[:1])
