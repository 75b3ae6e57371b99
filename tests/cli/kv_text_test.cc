#include "node/cli/kv_text.h"

#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "node/cli/keyspace_text.h"

namespace muster::cli {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;

TEST(KvTextTest, ALineIsSplitAtSpaces) {
  EXPECT_THAT(SplitLine("SET  k\tv "), Optional(ElementsAre("SET", "k", "v")));
  EXPECT_THAT(SplitLine("   "), Optional(ElementsAre()));
}

TEST(KvTextTest, QuotesAreThoseOfRedisCli) {
  EXPECT_THAT(SplitLine(R"(SET "a b" '')"),
              Optional(ElementsAre("SET", "a b", "")));
  EXPECT_THAT(SplitLine(R"("\x00\xfF\n\r\t\b\a\"\\\q")"),
              Optional(ElementsAre("\0\xff\n\r\t\b\a\"\\q"s)));
  EXPECT_THAT(SplitLine(R"('it\'s \n')"), Optional(ElementsAre("it's \\n")));
  EXPECT_THAT(SplitLine(R"(a\b pre"fix")"),
              Optional(ElementsAre("a\\b", "prefix")));
  EXPECT_THAT(SplitLine(R"("\xg1")"), Optional(ElementsAre("xg1")));
}

TEST(KvTextTest, AnOpenQuoteOrOneThatIsFollowedAtOnceIsRefused) {
  for (const char* line :
       {R"("a)", R"('a)", R"("a\")", R"("a"b)", R"('a'b)", R"(GET "a""b")"}) {
    EXPECT_EQ(SplitLine(line), std::nullopt) << line;
  }
}

TEST(KvTextTest, ValuesArePrintedAsByRedisCli) {
  v1::KvValue value;
  v1::KvValue::Values* array = value.mutable_array();
  array->add_values()->set_bulk("a\"\n");
  array->add_values()->set_integer(-3);
  array->add_values()->set_nil(true);
  array->add_values()->mutable_array();
  EXPECT_EQ(ValueText(value),
            "1) \"a\\\"\\n\"\n2) (integer) -3\n3) (nil)\n4) (empty array)");
  value.set_error("ERR no such key");
  EXPECT_EQ(ValueText(value), "(error) ERR no such key");
}

TEST(KvTextTest, JsonHasAValueForEachKind) {
  v1::KvValue value;
  value.set_bulk("a\"b");
  EXPECT_EQ(ValueJson(value), R"("a\"b")");
  value.set_bulk("\xff");
  EXPECT_EQ(ValueJson(value), R"({"base64":"/w=="})");
  value.set_simple("OK");
  EXPECT_EQ(ValueJson(value), R"("OK")");
  value.set_error("ERR x");
  EXPECT_EQ(ValueJson(value), R"({"error":"ERR x"})");
  value.set_integer(-1);
  EXPECT_EQ(ValueJson(value), "-1");
  value.set_number(0.1);
  EXPECT_EQ(ValueJson(value), "0.10000000000000001");
  value.set_number(std::numeric_limits<double>::infinity());
  EXPECT_EQ(ValueJson(value), R"("inf")");
  value.set_nil(true);
  EXPECT_EQ(ValueJson(value), "null");
  value.mutable_map()->add_values()->set_bulk("f");
  value.mutable_map()->add_values()->set_bulk("v");
  EXPECT_EQ(ValueJson(value), R"(["f","v"])");
}

TEST(KeyspaceTextTest, AFollowerNamesItsLeader) {
  v1::KeyspaceStatus status;
  status.set_role(v1::KEYSPACE_ROLE_FOLLOWING);
  status.set_leader("a");
  status.set_term(3);
  status.set_seq(40);
  status.add_keys(2);
  status.add_keys(0);
  status.add_keys(7);
  std::ostringstream out;
  PrintKeyspace(status, out);
  EXPECT_THAT(out.str(), HasSubstr("keyspace           follows a\n"));
  EXPECT_THAT(out.str(), HasSubstr("position           term 3, write 40\n"));
  EXPECT_THAT(out.str(), HasSubstr("keys in databases  2 in 0, 7 in 2\n"));
  EXPECT_THAT(out.str(), Not(HasSubstr("FOLLOWER")));
}

TEST(KeyspaceTextTest, ALeaderListsItsFollowers) {
  v1::KeyspaceStatus status;
  status.set_role(v1::KEYSPACE_ROLE_LEADING);
  status.set_alone(true);
  v1::KeyspaceFollower* follower = status.add_followers();
  follower->set_node("b");
  follower->set_state(v1::KeyspaceFollower::STATE_EXCHANGING);
  follower->set_applied(12);
  follower->set_unapplied_bytes(2048);
  std::ostringstream out;
  PrintKeyspace(status, out);
  EXPECT_THAT(out.str(),
              HasSubstr("leads, alone: its writes are on no other node"));
  EXPECT_THAT(out.str(), HasSubstr("b         catches up       12    2.0 KiB"));
}

TEST(KeyspaceTextTest, ANodeWithoutKeysShowsNothing) {
  std::ostringstream out;
  PrintKeyspace({}, out);
  EXPECT_EQ(out.str(), "");
}

}  // namespace
}  // namespace muster::cli
