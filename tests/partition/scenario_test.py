"""The language of scenarios: what is read, and how mistakes are named."""

import random
import unittest

from scenario import ScenarioError, parse
from scenario_fuzz import SCENARIOS, check, mutated, sources

FUZZ_RUNS = 3000


class ScenarioTest(unittest.TestCase):

  def test_steps_keep_their_line_and_comments_are_nothing(self):
    steps = parse("# hello\nstart 3\n\n  heal  # all of it\n")
    self.assertEqual([(s.line, s.verb) for s in steps],
                     [(2, "start"), (4, "heal")])
    self.assertEqual(steps[0].arguments,
                     {"nodes": ["a", "b", "c"], "old": False})

  def test_a_comment_begins_where_a_word_does(self):
    track, say = parse("track a room#1 u#1 #c\nsay what # c\n#say no")
    self.assertEqual((track.arguments["topic"], track.arguments["key"]),
                     ("room#1", "u#1"))
    self.assertEqual((track.text, say.arguments["text"]),
                     ("track a room#1 u#1", "what"))

  def test_the_longest_grace_is_what_nodes_allow(self):
    step, = parse("track b room:1 u1 grace 10m")
    self.assertEqual(step.arguments["grace"], 600)

  def test_a_client_can_be_lost(self):
    step, = parse("lost u1")
    self.assertEqual((step.verb, step.arguments), ("lost", {"key": "u1"}))

  def test_a_track_has_a_grace_and_a_meta(self):
    step, = parse("track b room:1 u1 grace 500ms meta {}")
    self.assertEqual(step.arguments, {
        "node": "b", "topic": "room:1", "key": "u1", "grace": 0.5,
        "meta": "{}"})

  def test_a_split_has_groups(self):
    step, = parse("split a | b c reset")
    self.assertEqual(step.arguments,
                     {"groups": [["a"], ["b", "c"]], "reset": True})

  def test_a_cut_is_one_way_or_both(self):
    both, one = parse("cut a b\ncut a > b reset")
    self.assertEqual((both.arguments["one_way"], both.arguments["reset"]),
                     (False, False))
    self.assertEqual((one.arguments["one_way"], one.arguments["reset"]),
                     (True, True))

  def test_expectations(self):
    steps = parse("""expect a list room:1 = u2 u1
eventually 2s all list room:1 =
for 1m a members = b a
expect a sees c down
expect saw a room:1 = +u1 ~u1 -u1
expect equal
expect b count = 5
expect b counter pulls > 5
expect all gained pulls < 5
expect blameless""")
    self.assertEqual([s.arguments["what"]["kind"] for s in steps],
                     ["list", "list", "members", "sees", "saw", "equal",
                      "count", "counter", "gained", "blameless"])
    self.assertEqual(steps[0].arguments["what"]["keys"], ["u1", "u2"])
    self.assertEqual(steps[1].arguments["what"]["keys"], [])
    self.assertEqual(steps[2].arguments["seconds"], 60)

  def test_delays_and_rates_are_numbers(self):
    all_of_them, one, off, slow, fast = parse(
        "delay 50ms jitter 200ms\ndelay a 1s\ndelay a off\nslow a 200kbit\n"
        "slow a off")
    self.assertEqual(all_of_them.arguments,
                     {"node": None, "least": 0.05, "jitter": 0.2})
    self.assertEqual(one.arguments, {"node": "a", "least": 1, "jitter": 0})
    self.assertEqual(off.arguments, {"node": "a", "least": 0, "jitter": 0})
    self.assertEqual((slow.arguments["rate"], fast.arguments["rate"]),
                     (200000, None))

  def test_a_load_has_clients_and_ends(self):
    begin, end = parse("load 20 room:1\nload off")
    self.assertEqual(begin.arguments, {"count": 20, "topic": "room:1"})
    self.assertEqual(end.arguments["count"], 0)

  def test_a_start_may_be_of_the_old_binary(self):
    all_of_them, one = parse("start 2 old\nstart c")
    self.assertEqual(all_of_them.arguments, {"nodes": ["a", "b"], "old": True})
    self.assertEqual(one.arguments, {"nodes": ["c"], "old": False})

  def test_subscribers_have_channels_or_patterns(self):
    channels, patterns, end, publish = parse(
        "subscribe b s1 news chat\nsubscribe b s2 pattern chat.*\n"
        "unsubscribe s1\npublish a news one two")
    self.assertEqual(channels.arguments, {
        "node": "b", "name": "s1", "pattern": False,
        "names": ["news", "chat"]})
    self.assertEqual((patterns.arguments["pattern"],
                      patterns.arguments["names"]), (True, ["chat.*"]))
    self.assertEqual(end.arguments, {"name": "s1"})
    self.assertEqual(publish.arguments, {
        "node": "a", "channel": "news", "payloads": ["one", "two"]})

  def test_what_is_expected_of_subscribers(self):
    heard, nothing, held, count = [
        step.arguments["what"] for step in parse(
            "expect heard s1 = news/one a/b/c\nexpect heard s1 =\n"
            "expect s1 subscribed\nexpect all subscribers news = 2")]
    self.assertEqual(heard, {"kind": "heard", "name": "s1",
                             "messages": ["news/one", "a/b/c"]})
    self.assertEqual(nothing["messages"], [])
    self.assertEqual(held, {"kind": "subscribed", "name": "s1"})
    self.assertEqual(count, {"kind": "subscribers", "node": "all",
                             "channel": "news", "count": 2})

  def test_commands_on_keys_have_an_answer_or_none(self):
    done, asked, empty, cut = parse(
        "kv a INCR n\nkv leader LRANGE l 0 -1 = x y\nkv b SMEMBERS s =\n"
        "split leader | follower follower2")
    self.assertEqual(done.arguments, {"node": "a", "command": ["INCR", "n"],
                                      "answer": None})
    self.assertEqual(asked.arguments, {
        "node": "leader", "command": ["LRANGE", "l", "0", "-1"],
        "answer": ["x", "y"]})
    self.assertEqual(empty.arguments["answer"], [])
    self.assertEqual(cut.arguments["groups"],
                     [["leader"], ["follower", "follower2"]])

  def test_writers_have_places_and_end(self):
    everywhere, some, end = parse(
        "writers 4\nwriters 2 follower c\nwriters off")
    self.assertEqual(everywhere.arguments, {"count": 4, "nodes": []})
    self.assertEqual(some.arguments, {"count": 2, "nodes": ["follower", "c"]})
    self.assertEqual(end.arguments["count"], 0)

  def test_what_is_expected_of_keys(self):
    found = [step.arguments["what"] for step in parse(
        "expect all kv GET n = 1\nexpect a leads\nexpect b follows leader\n"
        "expect led\nexpect led b c\nexpect kept\n"
        "expect writers linearizable\nexpect writers gap < 500ms\n"
        "expect writers unknown < 5")]
    self.assertEqual(found[0], {"kind": "kv", "node": "all",
                                "command": ["GET", "n"], "answer": ["1"]})
    self.assertEqual(found[1:], [
        {"kind": "leads", "node": "a"},
        {"kind": "follows", "node": "b", "other": "leader"},
        {"kind": "led", "nodes": []}, {"kind": "led", "nodes": ["b", "c"]},
        {"kind": "kept"},
        {"kind": "writers", "figure": "linearizable"},
        {"kind": "writers", "figure": "gap", "than": "<", "count": 0.5},
        {"kind": "writers", "figure": "unknown", "than": "<", "count": 5}])

  def test_whatever_is_written_is_a_scenario_or_names_the_line_and_the_word(
      self):
    texts, words = sources()
    for seed in range(FUZZ_RUNS):
      generator = random.Random(seed)
      with self.subTest(seed=seed):
        check(mutated(generator, generator.choice(texts), words))

  def test_mistakes_name_the_line_and_the_word(self):
    for text, line, word in (
        ("start 3\nfrobnicate", 2, "frobnicate"),
        ("start 9", 1, "9"),
        ("start 0", 1, "0"),
        ("start x", 1, "x"),
        ("start", 1, "start"),
        ("track b room:1", 1, "room:1"),
        ("track z room:1 u1", 1, "z"),
        ("track a room:1 u1 grace soon", 1, "soon"),
        ("track a room:1 u1 colour red", 1, "colour"),
        ("split a b", 1, "split"),
        ("split a | a", 1, "a"),
        ("cut a a", 1, "a"),
        ("cut a b c", 1, "c"),
        ("lose lots", 1, "lots"),
        ("lose 101%", 1, "101%"),
        ("slow a fast", 1, "fast"),
        ("eventually 2 a list t =", 1, "2"),
        ("eventually 2s a lists t =", 1, "lists"),
        ("expect a list t u1", 1, "u1"),
        ("expect a count = many", 1, "many"),
        ("expect a count = \u00b2", 1, "\u00b2"),
        ("expect a counter pulls is 3", 1, "is"),
        ("expect held a", 1, "a"),
        ("expect blameless a", 1, "a"),
        ("expect a gained pulls 3", 1, "3"),
        ("mark a", 1, "a"),
        ("cut ab c", 1, "ab"),
        ("start ab", 1, "ab"),
        ("load 20", 1, "20"),
        ("load 999 t", 1, "999"),
        ("load 0 t", 1, "0"),
        ("lost", 1, "lost"),
        ("mend a c reset", 1, "reset"),
        ("for 0s equal", 1, "0s"),
        ("for 0ms all list t =", 1, "0ms"),
        ("track a t u1 grace 60m", 1, "60m"),
        ("track a t u1 id 2", 1, "id"),
        ("delay", 1, "delay"),
        ("delay 1s 2s", 1, "2s"),
        ("delay off a", 1, "a"),
        ("wait 61m", 1, "61m"),
        ("slow a 0bit", 1, "0bit"),
        ("expect a sees b gone", 1, "gone"),
        ("expect saw a t = u1", 1, "u1"),
        ("expect equal b", 1, "b"),
        ("heal all", 1, "all"),
        ("start 3 new", 1, "new"),
        ("start a old b", 1, "b"),
        ("subscribe b s1", 1, "s1"),
        ("subscribe b s1 pattern", 1, "pattern"),
        ("subscribe s1 news", 1, "s1"),
        ("subscribe b a news", 1, "a"),
        ("subscribe b all news", 1, "all"),
        ("subscribe b Loud news", 1, "Loud"),
        ("unsubscribe s1 news", 1, "news"),
        ("publish a news", 1, "news"),
        ("publish all news x", 1, "all"),
        ("expect heard s1 news/x", 1, "news/x"),
        ("expect heard s1 = one", 1, "one"),
        ("expect a subscribers news = few", 1, "few"),
        ("expect s1 listens", 1, "s1"),
        ("kv a", 1, "a"),
        ("kv all GET n", 1, "all"),
        ("kv a = 1", 1, "1"),
        ("roles a", 1, "a"),
        ("excuse n", 1, "n"),
        ("writers 0", 1, "0"),
        ("writers 99", 1, "99"),
        ("writers 4 x", 1, "x"),
        ("writers off a", 1, "a"),
        ("expect a kv GET n", 1, "n"),
        ("expect writers late", 1, "late"),
        ("expect writers gap < 5", 1, "5"),
        ("expect writers refused is 0", 1, "is"),
        ("expect led x", 1, "x"),
        ("expect a follows", 1, "follows"),
        ("expect kept a", 1, "a"),
        ("subscribe b leader news", 1, "leader"),
        ("expect s1 subscribed now", 1, "now")):
      with self.subTest(text), self.assertRaises(ScenarioError) as wrong:
        parse(text)
      said = str(wrong.exception)
      self.assertTrue(said.startswith(f"line {line}: '{word}': "), said)

  def test_every_scenario_that_comes_with_it_is_well_formed(self):
    files = sorted(SCENARIOS.glob("*.scenario"))
    self.assertGreaterEqual(len(files), 10)
    for file in files:
      with self.subTest(file.name):
        text = file.read_text(encoding="utf-8")
        self.assertTrue(text.startswith("# "), "it says what it is about")
        self.assertTrue(parse(text))


if __name__ == "__main__":
  unittest.main()
