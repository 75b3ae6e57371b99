#include "node/cli/json.h"

#include <gtest/gtest.h>

#include <string>

#include "muster/v1/cluster.pb.h"
#include "muster/v1/presence.pb.h"

namespace muster::cli {
namespace {

TEST(JsonTest, EveryFieldIsThereUnderItsNameInTheProto) {
  v1::Entry entry;
  entry.set_topic("room");
  entry.set_key("u1");
  entry.set_meta("{\"tab\":1}");
  EXPECT_EQ(ToJson(entry), R"({"topic":"room","key":"u1","meta":"{\"tab\":1}",)"
                           R"("ref":"","ref_prev":""})");
}

TEST(JsonTest, MetaThatIsNotUtf8IsBase64UnderAnotherName) {
  v1::Entry entry;
  entry.set_meta(std::string("\xff\x00", 2));
  EXPECT_EQ(ToJson(entry), R"({"topic":"","key":"","meta_base64":"/wA=",)"
                           R"("ref":"","ref_prev":""})");
}

TEST(JsonTest, NumbersOf64BitsAreNumbersAndEnumsAreNames) {
  v1::Member member;
  member.set_node("a");
  member.set_state(v1::MEMBER_STATE_DOWN);
  member.set_incarnation(1'700'000'000'000'000);
  member.set_self(true);
  EXPECT_EQ(ToJson(member),
            R"({"node":"a","address":"","state":"MEMBER_STATE_DOWN",)"
            R"("incarnation":1700000000000000,"life_id":"","self":true,)"
            R"("linked":false,"last_heartbeat_age_ms":0,"presence_seq":0,)"
            R"("entries":0,"keyspace_role":"KEYSPACE_ROLE_UNSPECIFIED",)"
            R"("keyspace_exchanging":false})");
}

TEST(JsonTest, ListsAndMessagesNestAndMapsAreInByteOrder) {
  v1::StatusResponse status;
  status.add_notes("alone");
  status.add_notes("insecure");
  status.add_streams()->set_node("a");
  (*status.mutable_counters())["z"] = 1;
  (*status.mutable_counters())["b"] = 2;
  const std::string json = ToJson(status);
  EXPECT_NE(json.find(R"("notes":["alone","insecure"])"), std::string::npos);
  EXPECT_NE(json.find(R"("streams":[{"node":"a",)"), std::string::npos);
  EXPECT_NE(json.find(R"("counters":{"b":2,"z":1})"), std::string::npos);
}

TEST(JsonTest, AnEventComesBeforeTheFields) {
  v1::TopicCount count;
  count.set_topic("room");
  count.set_entries(3);
  EXPECT_EQ(ToJson("event", "count", count),
            R"({"event":"count","topic":"room","entries":3,"keys":0})");
}

TEST(JsonTest, ControlCharactersAreEscaped) {
  EXPECT_EQ(JsonString("a\"b\\c\n\t\x01é"), R"("a\"b\\c\n\t\u0001é")");
}

}  // namespace
}  // namespace muster::cli
