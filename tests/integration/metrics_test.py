"""Metrics of whole nodes, as Prometheus and promtool see them."""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.request

import local_cluster
from local_cluster import wait_until

BINARY = os.environ["MUSTER_BINARY"]
SOURCE = os.environ["MUSTER_SOURCE"]
PROMTOOL = os.environ["PROMTOOL"]
# What a busy machine may add to any wait.
PATIENCE = 30

NAME = re.compile(r"\b(?:muster|process)_[a-z0-9_]+\b")
METRIC = re.compile(r"^\| `([a-z0-9_]+)` \| (counter|gauge|histogram) ", re.M)


def path(*parts):
  return os.path.join(SOURCE, *parts)


def read(*parts):
  with open(path(*parts), encoding="utf-8") as file:
    return file.read()


def run(*arguments):
  return subprocess.run([BINARY, *arguments], capture_output=True, text=True,
                        timeout=60, check=False)


def scrape(address):
  with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as page:
    return page.read().decode()


def value(page, line):
  """The value of the line that begins so; None if there is none."""
  found = re.search("^" + re.escape(line) + r" (\S+)$", page, re.M)
  return float(found.group(1)) if found else None


class MetricsCase(unittest.TestCase):

  def start(self, name, *flags):
    """Starts a node; the process, and the addresses of its first line."""
    log = tempfile.TemporaryFile("w+")
    self.addCleanup(log.close)
    self.addCleanup(local_cluster.stop_all)
    process = local_cluster.start(
        [BINARY, "serve", "--node", name, "--listen", "127.0.0.1:0",
         "--metrics-listen", "127.0.0.1:0", *flags],
        stdout=subprocess.PIPE, stderr=log)
    line = process.stdout.readline()
    found = re.fullmatch(
        r"ready node=" + name + r" grpc=(127\.0\.0\.1:\d+)"
        r" metrics=(127\.0\.0\.1:\d+)\n", line)
    self.assertTrue(found, line)
    return process, found.group(1), found.group(2)

  def wait(self, condition, what):
    self.assertTrue(wait_until(condition, PATIENCE), f"never came: {what}")


class ScrapeTest(MetricsCase):

  def test_promtool_finds_nothing_wrong_and_rules_find_their_metrics(self):
    _, grpc, metrics = self.start("a")
    second, _, _ = self.start("b", "--join", grpc)
    self.wait(lambda: value(scrape(metrics),
                            'muster_members{state="alive"}') == 2,
              "a sees b")
    page = scrape(metrics)
    check = subprocess.run([PROMTOOL, "check", "metrics"], input=page,
                           capture_output=True, text=True, check=False)
    self.assertEqual((check.returncode, check.stdout + check.stderr), (0, ""))
    self.assertIsNone(re.search("^muster_unlisted", page, re.M))

    # All that the table has is on the page once there is something of it.
    shown = dict(re.findall(r"^# TYPE (\S+) (\S+)$", page, re.M))
    listed = dict(METRIC.findall(read("docs", "metrics.md")))
    absent = {"muster_unlisted", "muster_link_round_trip_seconds"}
    self.assertEqual(set(listed) - set(shown) - absent, set())
    for name, kind in shown.items():
      if not name.startswith("exposer_"):
        self.assertEqual(listed.get(name), kind, name)

    # The bounds that the rules name are those of the histograms.
    for name, bound in re.findall(r'(\w+_bucket)\{le="([^"]+)"\}',
                                  read("ops", "prometheus",
                                       "muster.rules.yml")):
      self.assertIsNotNone(value(page, f'{name}{{le="{bound}"}}'),
                           f"{name} {bound}")

    second.kill()
    self.wait(lambda: value(scrape(metrics),
                            "muster_death_notice_seconds_count") == 1,
              "a notices that b is dead")
    page = scrape(metrics)
    self.assertEqual(value(page, 'muster_members{state="down"}'), 1)
    self.assertEqual(value(page, "muster_downs_total"), 1)

  def test_every_counter_of_status_has_its_metric(self):
    _, grpc, metrics = self.start("a")
    counters = json.loads(run("status", "--json", "--at", grpc).stdout)
    page = scrape(metrics)
    self.assertGreater(len(counters["counters"]), 50)
    # Each is some line's value; that of one which stands still is known.
    self.assertEqual(value(page, "muster_digest_mismatches_total"),
                     float(counters["counters"]["digest_mismatches"]))
    self.assertNotIn("muster_unlisted{", page)

  def test_a_node_ends_with_a_scrape_under_way_and_says_one_line(self):
    node, _, metrics = self.start("a")
    host, port = metrics.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as kept:
      kept.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
      self.assertIn(b"200", kept.recv(64))
      with socket.create_connection((host, int(port)), timeout=10) as silent:
        silent.sendall(b"GET /metr")
        began = time.monotonic()
        node.send_signal(signal.SIGTERM)
        self.assertEqual(node.wait(timeout=PATIENCE), 0)
        self.assertLess(time.monotonic() - began, PATIENCE / 3)
    self.assertEqual(node.stdout.read(), "")


class StartTest(MetricsCase):

  def test_a_port_in_use_ends_the_start_with_1(self):
    with socket.create_server(("127.0.0.1", 0)) as taken:
      address = f"127.0.0.1:{taken.getsockname()[1]}"
      result = run("serve", "--node", "a", "--listen", "127.0.0.1:0",
                   "--metrics-listen", address)
    self.assertEqual(result.returncode, 1)
    self.assertIn(f"--metrics-listen {address}: the port is already taken",
                  result.stderr)
    self.assertEqual(result.stdout, "")

  def test_an_address_for_everybody_needs_a_flag(self):
    result = run("serve", "--node", "a", "--listen", "127.0.0.1:0",
                 "--metrics-listen", "0.0.0.0:0")
    self.assertEqual(result.returncode, 2)
    for word in ("--metrics-listen 0.0.0.0:0", "loopback",
                 "--metrics-insecure"):
      self.assertIn(word, result.stderr)
    self.assertEqual(result.stdout, "")


class FilesTest(unittest.TestCase):
  """Rules and dashboard name only metrics that there are."""

  def setUp(self):
    self.known = set()
    for name, kind in METRIC.findall(read("docs", "metrics.md")):
      self.known.add(name)
      if kind == "histogram":
        self.known.update(name + end for end in ("_bucket", "_sum", "_count"))

  def assert_known(self, text, where):
    names = NAME.findall(re.sub(r'"[^"]*"', "", text))
    for name in names:
      self.assertIn(name, self.known, where)
    return names

  def test_the_dashboard(self):
    dashboard = json.loads(read("ops", "grafana", "muster.json"))
    expressions = [(panel["title"], target["expr"])
                   for panel in dashboard["panels"]
                   for target in panel.get("targets", ())]
    self.assertGreater(len(expressions), 40)
    for title, expression in expressions:
      self.assertTrue(self.assert_known(expression, title), title)
    for variable in dashboard["templating"]["list"]:
      self.assert_known(variable["query"], variable["name"])
    places = [tuple(sorted(panel["gridPos"].items()))
              for panel in dashboard["panels"]]
    self.assertEqual(len(places), len(set(places)))

  def test_the_alert_rules_and_what_they_say(self):
    rules = read("ops", "prometheus", "muster.rules.yml")
    alerts = re.findall(r"- alert: (\w+)\n    expr: \|-\n((?:      .*\n)+)",
                        rules)
    self.assertEqual(len(alerts), rules.count("- alert:"))
    for alert, expression in alerts:
      self.assert_known(expression, alert)
    self.assert_known(rules, "a summary or an action")

  def test_each_alert_is_shown_to_fire_and_to_rest(self):
    alerts = re.findall(r"- alert: (\w+)",
                        read("ops", "prometheus", "muster.rules.yml"))
    tests = read("ops", "prometheus", "muster.rules.test.yml")
    for alert in alerts:
      shown = re.findall(rf"alertname: {alert}\n    exp_alerts:(.*)\n", tests)
      self.assertIn("", shown, f"{alert} fires")
      self.assertIn(" []", shown, f"{alert} rests")


if __name__ == "__main__":
  unittest.main()
