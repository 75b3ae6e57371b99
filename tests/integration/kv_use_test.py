"""`muster kv` and what shows of keys, as a person or a script uses them."""

import json
import signal
import subprocess
import unittest

import local_cluster
from cluster_case import BINARY, PATIENCE, ClusterCase


class KvUseTest(ClusterCase):

  def run_muster(self, command, *arguments, at="a", stdin=""):
    return subprocess.run(
        [BINARY, command, "--at", self.nodes[at].address, *arguments],
        input=stdin, text=True, capture_output=True, timeout=PATIENCE,
        check=False)

  def kv(self, *words, at="a", code=0, stdin=""):
    """What `muster kv` prints, on standard error if it must fail."""
    result = self.run_muster("kv", *words, at=at, stdin=stdin)
    self.assertEqual(result.returncode, code, result.stderr + result.stdout)
    return result.stdout if code == 0 else result.stderr

  def keyspace(self, name):
    return json.loads(
        self.run_muster("status", "--json", at=name).stdout)["keyspace"]

  def followers(self):
    """Names of the nodes that follow, once one leads and two follow."""
    roles = {}

    def is_led():
      for name in self.NAMES:
        roles[name] = self.keyspace(name)["role"]
      return (sorted(roles.values()).count("KEYSPACE_ROLE_FOLLOWING") == 2 and
              "KEYSPACE_ROLE_LEADING" in roles.values())
    self.wait(is_led, "one node leads, two follow")
    return [name for name, role in roles.items()
            if role == "KEYSPACE_ROLE_FOLLOWING"]

  def test_what_is_written_at_one_node_is_read_at_the_others(self):
    self.followers()
    self.assertEqual(self.kv("SET", "greeting", "hello", at="a"), "OK\n")
    for name in self.NAMES:
      self.wait(lambda n=name: self.kv("GET", "greeting", at=n) ==
                '"hello"\n', f"{name} has it")
      self.assertEqual(self.kv("GET", "greeting", "--leader", at=name),
                       '"hello"\n')
    for number, name in enumerate(self.NAMES, 1):
      self.assertEqual(self.kv("INCR", "n", at=name), f"(integer) {number}\n")

  def test_answers_look_as_redis_cli_prints_them(self):
    self.assertEqual(self.kv("RPUSH", "l", "a", "two words"),
                     "(integer) 2\n")
    self.assertEqual(self.kv("LRANGE", "l", "0", "-1"),
                     '1) "a"\n2) "two words"\n')
    self.assertEqual(self.kv("GET", "nothing"), "(nil)\n")
    self.assertEqual(self.kv("LRANGE", "l", "0", "-1", "--json"),
                     '["a","two words"]\n')
    self.assertEqual(self.kv("LPUSH", "l", "-1", "--", "--at", "--"),
                     "(integer) 5\n", "only the first -- is of muster")

  def test_an_error_is_1_and_on_standard_error(self):
    self.kv("SET", "k", "x")
    self.assertEqual(
        self.kv("INCR", "k", code=1),
        "(error) ERR value is not an integer or out of range\n")
    self.assertEqual(
        self.kv("NOSUCH", code=1),
        "(error) ERR unknown command 'NOSUCH', with args beginning with: \n")
    self.assertIn("--db", self.kv("GET", "k", "--db", "16", code=2))

  def test_lines_of_standard_input_are_commands(self):
    out = self.kv(stdin='SELECT 3\nSET k "two\\nlines"\n\nGET k\n')
    self.assertEqual(out, 'OK\nOK\n"two\\nlines"\n')
    self.assertEqual(self.kv("GET", "k"), "(nil)\n")
    self.assertEqual(self.kv("GET", "k", "--db", "3"), '"two\\nlines"\n')
    self.assertIn("(error) ERR unknown command",
                  self.kv(stdin="NOSUCH\nSET after it\n", code=1))
    self.assertEqual(self.kv("GET", "after"), '"it"\n')
    self.assertIn("Invalid argument(s)", self.kv(stdin='GET "k\n', code=1))

  def test_atomic_lines_are_one_transaction(self):
    self.assertEqual(self.kv("--atomic", stdin="SADD q u1\nRPUSH l u1\n"),
                     "(integer) 1\n(integer) 1\n")
    self.assertIn("unknown command",
                  self.kv("--atomic", stdin="SET k v\nNOSUCH\n", code=2))
    self.assertEqual(self.kv("EXISTS", "k"), "(integer) 0\n")

  def test_a_pop_waits_for_a_push_at_another_node(self):
    follower, other = self.followers()
    popper = local_cluster.start(
        [BINARY, "kv", "BLPOP", "l", "0", "--at",
         self.nodes[follower].address], stdout=subprocess.PIPE)
    self.wait(lambda: self.keyspace(follower)["blocked"] == 1, "it waits")
    self.kv("RPUSH", "l", "x", at=other)
    self.assertEqual(popper.communicate(timeout=PATIENCE)[0],
                     '1) "l"\n2) "x"\n')

  def test_ctrl_c_ends_a_pop_that_takes_nothing(self):
    popper = local_cluster.start(
        [BINARY, "kv", "BLPOP", "l", "0", "--at", self.nodes["a"].address],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    self.wait(lambda: self.keyspace("a")["blocked"] == 1, "it waits")
    popper.send_signal(signal.SIGINT)
    self.assertEqual(popper.communicate(timeout=PATIENCE),
                     ("", "muster: interrupted\n"))
    self.assertEqual(popper.returncode, 1)
    self.wait(lambda: self.keyspace("a")["blocked"] == 0, "it has gone")
    self.kv("RPUSH", "l", "x")
    self.assertEqual(self.kv("LLEN", "l"), "(integer) 1\n")

  def test_status_members_top_and_explain_show_the_keyspace(self):
    follower = self.followers()[0]
    self.kv("HSET", "h", "f", "v", at=follower)
    leader = self.keyspace(follower)["leader"]
    status = self.run_muster("status", at=leader).stdout
    self.assertRegex(status, r"keyspace +leads\n")
    self.assertRegex(status, r"FOLLOWER +STATE +APPLIED +UNAPPLIED\n")
    self.assertRegex(self.run_muster("status", at=follower).stdout,
                     rf"keyspace +follows {leader}\n")
    members = self.run_muster("members", at=leader).stdout
    self.assertRegex(members, rf"(?m)^{leader} .* leads ")
    self.assertRegex(members, rf"(?m)^{follower} .* follows ")
    self.assertRegex(self.run_muster("top", "--once", at="a").stdout,
                     rf"(?m)^{leader} .* leads ")
    explained = self.run_muster("kv-explain", "h", at=follower).stdout
    self.assertRegex(explained, r"type hash, bucket \d+\n")
    self.assertRegex(explained, rf'field "f" +yes .* {leader} .* value "v"')
    nothing = self.run_muster("kv-explain", "absent")
    self.assertEqual(nothing.returncode, 1)
    self.assertIn("type none", nothing.stdout)

  def test_another_address_serves_when_a_node_is_gone(self):
    self.followers()
    self.kv("SET", "k", "v")
    at = ",".join(self.nodes[name].address for name in ("a", "b", "c"))
    self.nodes["a"].kill()
    result = subprocess.run([BINARY, "kv", "GET", "k", "--at", at], text=True,
                            capture_output=True, timeout=PATIENCE, check=False)
    self.assertEqual((result.stdout, result.returncode), ('"v"\n', 0),
                     result.stderr)
    result = subprocess.run([BINARY, "kv", "INCR", "n", "--at", at], text=True,
                            capture_output=True, timeout=PATIENCE, check=False)
    self.assertEqual((result.stdout, result.returncode),
                     ("(integer) 1\n", 0), result.stderr)


if __name__ == "__main__":
  unittest.main()
