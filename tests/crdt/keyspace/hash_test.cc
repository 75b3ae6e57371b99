// Hashes and sets: fields and members, small and large.
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "side.h"

namespace muster::kv {
namespace {

std::vector<std::string> Names(const Side& side, const std::string& key,
                               std::optional<absl::string_view> after) {
  std::vector<std::string> names;
  side.state().Find({0, key}, Time()).Scan(after, [&](const Entry& entry) {
    names.emplace_back(entry.name);
    return names.size() < 3;
  });
  return names;
}

TEST(HashTest, AKeyGoesWithItsLastField) {
  Side a(1);
  a.Run("HSET h f 1; HSET h g 2; EXPIREAT h 900");
  EXPECT_EQ(a.Show("h"), "{f: 1, g: 2} until 900");
  a.Run("HDEL h f");
  EXPECT_EQ(a.Show("h"), "{g: 2} until 900");
  a.Run("HDEL h g");
  EXPECT_EQ(a.Versions(), "");
  EXPECT_FALSE(a.state().NextDeadline().IsSet());
  a.Run("HSET h f 3");
  EXPECT_EQ(a.Show("h"), "{f: 3}") << "the deadline went with the key";
}

TEST(HashTest, AFieldAndAMemberMayBeEmpty) {
  Side a(1);
  const Context base;
  Transaction tx(a.state(), {base, a.life(), Seq(1)}, Stamp(1), Time());
  tx.PutField({0, "h"}, "", "v");
  tx.AddMember({0, "s"}, "");
  tx.Commit();
  EXPECT_EQ(a.Show("h"), "{: v}");
  EXPECT_EQ(a.Show("s"), "()");
  EXPECT_EQ(a.state().Find({0, "s"}, Time()).size(), 1u);
}

TEST(HashTest, FieldsOfOneMutationNameItOnce) {
  Side a(1);
  a.Run("HSET h f0 12345678");
  const size_t one = a.Run("HSET g f0 12345678").size();
  const size_t two = a.Run("HSET i f0 12345678; HSET i f1 12345678").size();
  EXPECT_EQ(two - one, 1 + 3 + 9u) << "tag, field, value: the key is not said";
}

TEST(HashTest, AScanGoesOnBehindAName) {
  Side a(1);
  a.Run("HSET h b 1; HSET h a 1; HSET h d 1; HSET h c 1");
  EXPECT_EQ(Names(a, "h", std::nullopt),
            (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(Names(a, "h", "b"), (std::vector<std::string>{"c", "d"}));
  EXPECT_EQ(Names(a, "h", "bb"), (std::vector<std::string>{"c", "d"}));
  EXPECT_TRUE(Names(a, "h", "d").empty());
}

// A hash that grows far beyond its blob and shrinks again, against a map.
TEST(HashTest, ALargeHashIsAMap) {
  Side a(1);
  Side follower(1);
  std::mt19937_64 random(7);
  std::map<std::string, std::string> model;
  for (int step = 0; step < 6000; ++step) {
    const std::string field = absl::StrCat("field", random() % 1500);
    const bool waning = step > 4000;
    std::string mutation;
    if (random() % 10 < (waning ? 8 : 3)) {
      mutation = a.Run("HDEL h " + field);
      model.erase(field);
    } else {
      mutation = a.Run(absl::StrCat("HSET h ", field, " ", step));
      model[field] = absl::StrCat(step);
    }
    if (!mutation.empty()) follower.Follow(mutation, a);
  }
  const KeyView view = a.state().Find({0, "h"}, Time());
  ASSERT_EQ(view.size(), model.size());
  uint64_t index = 0;
  Entry entry;
  for (const auto& [field, value] : model) {
    view.Nth(index++, entry);
    ASSERT_EQ(entry.name, field);
    ASSERT_EQ(entry.value, value);
    ASSERT_TRUE(view.Get(field, entry));
    ASSERT_EQ(entry.value, value);
  }
  EXPECT_EQ(Names(a, "h", std::next(model.begin(), 99)->first).front(),
            std::next(model.begin(), 100)->first);
  EXPECT_EQ(follower.Versions(), a.Versions());
  EXPECT_EQ(a.state().Audit(), "");
  a.Run("DEL h");
  EXPECT_EQ(a.state().Audit(), "");
  EXPECT_EQ(a.state().digests().all(), 0u);
}

TEST(HashTest, ALargeSetIsJoinedMemberByMember) {
  Side a(1);
  Side b(2);
  for (int i = 0; i < 300; ++i) a.Run(absl::StrCat("SADD s m", i));
  b.Join(a);
  for (int i = 0; i < 100; ++i) {
    a.Run(absl::StrCat("SREM s m", i));
    b.Run(absl::StrCat("SADD s n", i));
  }
  b.Run("SADD s m5");  // Changed unseen: it stays.
  a.Join(b);
  b.Join(a);
  const KeyView view = a.state().Find({0, "s"}, Time());
  Entry entry;
  EXPECT_EQ(view.size(), 301u);
  EXPECT_TRUE(view.Get("m5", entry));
  EXPECT_FALSE(view.Get("m6", entry));
  EXPECT_EQ(a.Versions(), b.Versions());
  EXPECT_EQ(a.state().Audit(), "");
  EXPECT_NE(view.digest(), 0u);
  EXPECT_EQ(view.digest(), b.state().Find({0, "s"}, Time()).digest());
}

}  // namespace
}  // namespace muster::kv
