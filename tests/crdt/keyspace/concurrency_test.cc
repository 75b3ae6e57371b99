// What is shown after a cut, for every pair of concurrent operations of a
// type: the table of docs/consistency.md.
//
// Both sides have what `before` made. One does A, the other B; then they join.
// What is shown depends on which came later where the row has two answers.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "side.h"

namespace muster::kv {
namespace {

struct Row {
  std::string a;
  std::string b;
  std::string b_later;
  std::string a_later;  // Empty: as if B was later.
};

struct Table {
  std::string name;
  std::string before;
  // Every pair of them, each with itself too, is a row.
  std::vector<std::string> operations;
  std::vector<Row> rows;
};

const Table kStrings = {"strings",
                        "SET k x",
                        {"SET k a", "SET k b", "DEL k", "RENAME k l"},
                        {
                            {"SET k a", "SET k a", "k=a", ""},
                            {"SET k a", "SET k b", "k=b", "k=a"},
                            {"SET k a", "DEL k", "k=a", ""},
                            {"SET k a", "RENAME k l", "k=a l=x", ""},
                            {"SET k b", "SET k b", "k=b", ""},
                            {"SET k b", "DEL k", "k=b", ""},
                            {"SET k b", "RENAME k l", "k=b l=x", ""},
                            {"DEL k", "DEL k", "", ""},
                            {"DEL k", "RENAME k l", "l=x", ""},
                            {"RENAME k l", "RENAME k l", "l=x", ""},
                        }};

const Table kIntegers = {
    "integers",
    "SET k 10",
    {"SET k 50", "INCRBY k 2", "INCRBY k 3", "DEL k", "RENAME k l"},
    {
        {"SET k 50", "SET k 50", "k=50", ""},
        {"SET k 50", "INCRBY k 2", "k=50", ""},
        {"SET k 50", "INCRBY k 3", "k=50", ""},
        {"SET k 50", "DEL k", "k=50", ""},
        {"SET k 50", "RENAME k l", "k=50 l=10", ""},
        {"INCRBY k 2", "INCRBY k 2", "k=14", ""},
        {"INCRBY k 2", "INCRBY k 3", "k=15", ""},
        // The root is gone; what was counted unseen is not.
        {"INCRBY k 2", "DEL k", "k=2", ""},
        {"INCRBY k 2", "RENAME k l", "k=2 l=10", ""},
        {"INCRBY k 3", "INCRBY k 3", "k=16", ""},
        {"INCRBY k 3", "DEL k", "k=3", ""},
        {"INCRBY k 3", "RENAME k l", "k=3 l=10", ""},
        {"DEL k", "DEL k", "", ""},
        {"DEL k", "RENAME k l", "l=10", ""},
        {"RENAME k l", "RENAME k l", "l=10", ""},
    }};

const Table kNewIntegers = {"integers that neither side had",
                            "DEL k",
                            {"SET k 50", "INCRBY k 2", "INCRBY k 3"},
                            {
                                {"SET k 50", "SET k 50", "k=50", ""},
                                {"SET k 50", "INCRBY k 2", "k=50", ""},
                                {"SET k 50", "INCRBY k 3", "k=50", ""},
                                {"INCRBY k 2", "INCRBY k 2", "k=4", ""},
                                {"INCRBY k 2", "INCRBY k 3", "k=5", ""},
                                {"INCRBY k 3", "INCRBY k 3", "k=6", ""},
                            }};

const Table kHashes = {
    "hashes",
    "HSET k f 1; HSET k g x",
    {"HSET k f 7", "HSET k n y", "HINCRBY k f 2", "HDEL k f", "DEL k"},
    {
        {"HSET k f 7", "HSET k f 7", "k={f: 7, g: x}", ""},
        {"HSET k f 7", "HSET k n y", "k={f: 7, g: x, n: y}", ""},
        {"HSET k f 7", "HINCRBY k f 2", "k={f: 7, g: x}", ""},
        {"HSET k f 7", "HDEL k f", "k={f: 7, g: x}", ""},
        {"HSET k f 7", "DEL k", "k={f: 7}", ""},
        {"HSET k n y", "HSET k n y", "k={f: 1, g: x, n: y}", ""},
        {"HSET k n y", "HINCRBY k f 2", "k={f: 3, g: x, n: y}", ""},
        {"HSET k n y", "HDEL k f", "k={g: x, n: y}", ""},
        {"HSET k n y", "DEL k", "k={n: y}", ""},
        {"HINCRBY k f 2", "HINCRBY k f 2", "k={f: 5, g: x}", ""},
        {"HINCRBY k f 2", "HDEL k f", "k={f: 2, g: x}", ""},
        {"HINCRBY k f 2", "DEL k", "k={f: 2}", ""},
        {"HDEL k f", "HDEL k f", "k={g: x}", ""},
        {"HDEL k f", "DEL k", "", ""},
        {"DEL k", "DEL k", "", ""},
    }};

const Table kSets = {
    "sets",
    "SADD k m; SADD k o",
    {"SADD k m", "SADD k n", "SREM k m", "DEL k", "RENAME k l"},
    {
        {"SADD k m", "SADD k m", "k=(m, o)", ""},
        {"SADD k m", "SADD k n", "k=(m, n, o)", ""},
        {"SADD k m", "SREM k m", "k=(m, o)", ""},
        {"SADD k m", "DEL k", "k=(m)", ""},
        {"SADD k m", "RENAME k l", "k=(m) l=(m, o)", ""},
        {"SADD k n", "SADD k n", "k=(m, n, o)", ""},
        {"SADD k n", "SREM k m", "k=(n, o)", ""},
        {"SADD k n", "DEL k", "k=(n)", ""},
        {"SADD k n", "RENAME k l", "k=(n) l=(m, o)", ""},
        {"SREM k m", "SREM k m", "k=(o)", ""},
        {"SREM k m", "DEL k", "", ""},
        {"SREM k m", "RENAME k l", "l=(m, o)", ""},
        {"DEL k", "DEL k", "", ""},
        {"DEL k", "RENAME k l", "l=(m, o)", ""},
        {"RENAME k l", "RENAME k l", "l=(m, o)", ""},
    }};

const Table kSortedSets = {
    "sorted sets",
    "ZADD k 1 m; ZADD k 5 o",
    {"ZADD k 7 m", "ZADD k 3 m", "ZADD k 2 n", "ZREM k m", "DEL k"},
    {
        {"ZADD k 7 m", "ZADD k 7 m", "k=(5 o, 7 m)", ""},
        {"ZADD k 7 m", "ZADD k 3 m", "k=(3 m, 5 o)", "k=(5 o, 7 m)"},
        {"ZADD k 7 m", "ZADD k 2 n", "k=(2 n, 5 o, 7 m)", ""},
        {"ZADD k 7 m", "ZREM k m", "k=(5 o, 7 m)", ""},
        {"ZADD k 7 m", "DEL k", "k=(7 m)", ""},
        {"ZADD k 3 m", "ZADD k 3 m", "k=(3 m, 5 o)", ""},
        {"ZADD k 3 m", "ZADD k 2 n", "k=(2 n, 3 m, 5 o)", ""},
        {"ZADD k 3 m", "ZREM k m", "k=(3 m, 5 o)", ""},
        {"ZADD k 3 m", "DEL k", "k=(3 m)", ""},
        {"ZADD k 2 n", "ZADD k 2 n", "k=(1 m, 2 n, 5 o)", ""},
        {"ZADD k 2 n", "ZREM k m", "k=(2 n, 5 o)", ""},
        {"ZADD k 2 n", "DEL k", "k=(2 n)", ""},
        {"ZREM k m", "ZREM k m", "k=(5 o)", ""},
        {"ZREM k m", "DEL k", "", ""},
        {"DEL k", "DEL k", "", ""},
    }};

const Table kLists = {
    "lists",
    "RPUSH k x y",
    {"RPUSH k a", "LPUSH k a", "LINSERT k AFTER 0 a", "LSET k 0 v", "LPOP k",
     "RPOP k", "DEL k"},
    {
        {"RPUSH k a", "RPUSH k a", "k=[x, y, a, a]", ""},
        {"RPUSH k a", "LPUSH k a", "k=[a, x, y, a]", ""},
        {"RPUSH k a", "LINSERT k AFTER 0 a", "k=[x, a, y, a]", ""},
        {"RPUSH k a", "LSET k 0 v", "k=[v, y, a]", ""},
        {"RPUSH k a", "LPOP k", "k=[y, a]", ""},
        {"RPUSH k a", "RPOP k", "k=[x, a]", ""},
        {"RPUSH k a", "DEL k", "k=[a]", ""},
        {"LPUSH k a", "LPUSH k a", "k=[a, a, x, y]", ""},
        {"LPUSH k a", "LINSERT k AFTER 0 a", "k=[a, x, a, y]", ""},
        {"LPUSH k a", "LSET k 0 v", "k=[a, v, y]", ""},
        {"LPUSH k a", "LPOP k", "k=[a, y]", ""},
        {"LPUSH k a", "RPOP k", "k=[a, x]", ""},
        {"LPUSH k a", "DEL k", "k=[a]", ""},
        {"LINSERT k AFTER 0 a", "LINSERT k AFTER 0 a", "k=[x, a, a, y]", ""},
        {"LINSERT k AFTER 0 a", "LSET k 0 v", "k=[v, a, y]", ""},
        {"LINSERT k AFTER 0 a", "LPOP k", "k=[a, y]", ""},
        {"LINSERT k AFTER 0 a", "RPOP k", "k=[x, a]", ""},
        {"LINSERT k AFTER 0 a", "DEL k", "k=[a]", ""},
        {"LSET k 0 v", "LSET k 0 v", "k=[v, y]", ""},
        // Popped anywhere is popped, also with another value.
        {"LSET k 0 v", "LPOP k", "k=[y]", ""},
        {"LSET k 0 v", "RPOP k", "k=[v]", ""},
        {"LSET k 0 v", "DEL k", "", ""},
        // The same element, and then one each.
        {"LPOP k", "LPOP k", "k=[y]", ""},
        {"LPOP k", "RPOP k", "", ""},
        {"LPOP k", "DEL k", "", ""},
        {"RPOP k", "RPOP k", "k=[x]", ""},
        {"RPOP k", "DEL k", "", ""},
        {"DEL k", "DEL k", "", ""},
    }};

const Table kStringDeadlines = {
    "deadlines of strings",
    "SET k x AT 500",
    {"SET k a", "SET k b AT 700", "EXPIREAT k 900", "PERSIST k", "DEL k"},
    {
        {"SET k a", "SET k a", "k=a", ""},
        {"SET k a", "SET k b AT 700", "k=b until 700", "k=a"},
        // A deadline belongs to the version that it was set on.
        {"SET k a", "EXPIREAT k 900", "k=a", ""},
        {"SET k a", "PERSIST k", "k=a", ""},
        {"SET k a", "DEL k", "k=a", ""},
        {"SET k b AT 700", "SET k b AT 700", "k=b until 700", ""},
        {"SET k b AT 700", "EXPIREAT k 900", "k=b until 700", ""},
        {"SET k b AT 700", "PERSIST k", "k=b until 700", ""},
        {"SET k b AT 700", "DEL k", "k=b until 700", ""},
        {"EXPIREAT k 900", "EXPIREAT k 900", "k=x until 900", ""},
        {"EXPIREAT k 900", "PERSIST k", "k=x", "k=x until 900"},
        {"EXPIREAT k 900", "DEL k", "", ""},
        {"PERSIST k", "PERSIST k", "k=x", ""},
        {"PERSIST k", "DEL k", "", ""},
        {"DEL k", "DEL k", "", ""},
    }};

const Table kHashDeadlines = {
    "deadlines of collections",
    "HSET k f x; EXPIREAT k 500",
    {"HSET k g y", "EXPIREAT k 900", "PERSIST k", "DEL k; HSET k h z", "DEL k"},
    {
        {"HSET k g y", "HSET k g y", "k={f: x, g: y} until 500", ""},
        // The refreshed one, whatever else was written.
        {"HSET k g y", "EXPIREAT k 900", "k={f: x, g: y} until 900", ""},
        {"HSET k g y", "PERSIST k", "k={f: x, g: y}", ""},
        // The key that was made anew has no deadline.
        {"HSET k g y", "DEL k; HSET k h z", "k={g: y, h: z}", ""},
        {"HSET k g y", "DEL k", "k={g: y}", ""},
        {"EXPIREAT k 900", "EXPIREAT k 900", "k={f: x} until 900", ""},
        {"EXPIREAT k 900", "PERSIST k", "k={f: x}", "k={f: x} until 900"},
        {"EXPIREAT k 900", "DEL k; HSET k h z", "k={h: z}", ""},
        {"EXPIREAT k 900", "DEL k", "", ""},
        {"PERSIST k", "PERSIST k", "k={f: x}", ""},
        {"PERSIST k", "DEL k; HSET k h z", "k={h: z}", ""},
        {"PERSIST k", "DEL k", "", ""},
        {"DEL k; HSET k h z", "DEL k; HSET k h z", "k={h: z}", ""},
        {"DEL k; HSET k h z", "DEL k", "k={h: z}", ""},
        {"DEL k", "DEL k", "", ""},
    }};

const Table kTypes = {
    "two types under one key, and whole databases",
    "SET other x",
    {"SET k a", "HSET k f v", "SADD k m", "RPUSH k v", "INCRBY k 1", "FLUSH"},
    {
        {"SET k a", "SET k a", "k=a other=x", ""},
        {"SET k a", "HSET k f v", "k={f: v} other=x", "k=a other=x"},
        {"SET k a", "SADD k m", "k=(m) other=x", "k=a other=x"},
        {"SET k a", "RPUSH k v", "k=[v] other=x", "k=a other=x"},
        {"SET k a", "INCRBY k 1", "k=a other=x", ""},
        {"SET k a", "FLUSH", "k=a", ""},
        {"HSET k f v", "HSET k f v", "k={f: v} other=x", ""},
        {"HSET k f v", "SADD k m", "k=(m) other=x", "k={f: v} other=x"},
        {"HSET k f v", "RPUSH k v", "k=[v] other=x", "k={f: v} other=x"},
        {"HSET k f v", "INCRBY k 1", "k=1 other=x", "k={f: v} other=x"},
        {"HSET k f v", "FLUSH", "k={f: v}", ""},
        {"SADD k m", "SADD k m", "k=(m) other=x", ""},
        {"SADD k m", "RPUSH k v", "k=[v] other=x", "k=(m) other=x"},
        {"SADD k m", "INCRBY k 1", "k=1 other=x", "k=(m) other=x"},
        {"SADD k m", "FLUSH", "k=(m)", ""},
        {"RPUSH k v", "RPUSH k v", "k=[v, v] other=x", ""},
        {"RPUSH k v", "INCRBY k 1", "k=1 other=x", "k=[v] other=x"},
        {"RPUSH k v", "FLUSH", "k=[v]", ""},
        {"INCRBY k 1", "INCRBY k 1", "k=2 other=x", ""},
        {"INCRBY k 1", "FLUSH", "k=1", ""},
        {"FLUSH", "FLUSH", "", ""},
    }};

std::string Shown(const Side& side) {
  std::string text;
  for (const char* key : {"k", "l", "other"}) {
    const std::string shown = side.Show(key);
    if (shown == "-") continue;
    text += (text.empty() ? "" : " ") + (key + ("=" + shown));
  }
  return text;
}

// What both sides show after a join, when the second of them came later.
// `first_life` of the two lives is that of the one that came first.
std::string After(const std::string& before, const std::string& first,
                  const std::string& second, bool first_is_a) {
  Side a(2);
  Side b(3);
  a.Run(before);
  b.Join(a);
  Side& early = first_is_a ? a : b;
  Side& late = first_is_a ? b : a;
  early.Run(first);
  late.Run(second);
  Side joined(4);
  joined.Join(a);
  joined.Join(b);
  a.Join(b);
  EXPECT_EQ(a.Versions(), joined.Versions());
  // Settling changes nothing that is shown.
  const std::string shown = Shown(a);
  a.Run("SETTLE k; SETTLE l");
  EXPECT_EQ(Shown(a), shown);
  b.Join(a);
  EXPECT_EQ(b.Versions(), a.Versions());
  return shown;
}

class ConcurrencyTest : public testing::TestWithParam<Table> {};

TEST_P(ConcurrencyTest, EveryPairIsShownAsTheTableSays) {
  const Table& table = GetParam();
  for (const Row& row : table.rows) {
    SCOPED_TRACE(table.name + ": " + row.a + " | " + row.b);
    EXPECT_EQ(After(table.before, row.a, row.b, true), row.b_later);
    EXPECT_EQ(After(table.before, row.b, row.a, false),
              row.a_later.empty() ? row.b_later : row.a_later);
  }
}

TEST_P(ConcurrencyTest, EveryPairHasARow) {
  const Table& table = GetParam();
  std::set<std::pair<std::string, std::string>> rows;
  for (const Row& row : table.rows) {
    EXPECT_TRUE(rows.insert(std::minmax(row.a, row.b)).second)
        << row.a << " | " << row.b;
  }
  size_t pairs = 0;
  for (size_t i = 0; i < table.operations.size(); ++i) {
    for (size_t j = i; j < table.operations.size(); ++j, ++pairs) {
      const auto& [a, b] =
          std::minmax(table.operations[i], table.operations[j]);
      EXPECT_EQ(rows.count({a, b}), 1u) << table.name << ": " << a << ", " << b;
    }
  }
  EXPECT_EQ(rows.size(), pairs);
}

INSTANTIATE_TEST_SUITE_P(Types, ConcurrencyTest,
                         testing::Values(kStrings, kIntegers, kNewIntegers,
                                         kHashes, kSets, kSortedSets, kLists,
                                         kStringDeadlines, kHashDeadlines,
                                         kTypes),
                         [](const auto& info) {
                           std::string name = info.param.name;
                           std::erase_if(name, [](char c) {
                             return c == ' ' || c == ',';
                           });
                           return name;
                         });

}  // namespace
}  // namespace muster::kv
