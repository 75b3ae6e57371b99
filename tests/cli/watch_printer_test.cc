#include "node/cli/watch_printer.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

namespace muster::cli {
namespace {

// What is printed of the messages of a watch.
class Printed {
 public:
  explicit Printed(WatchPrinter::Form form) : printer_(form, &out_) {}

  std::string Of(const std::string& text) {
    v1::WatchResponse message;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message));
    const auto changes = roll_.Apply(message);
    if (!changes.empty()) printer_.OnChanges(changes);
    std::vector<client::KeyChange> keys;
    if (keys_.Apply(message, changes, &keys)) printer_.OnKeys(keys);
    const std::string printed = out_.str();
    out_.str("");
    return printed;
  }

 private:
  std::ostringstream out_;
  WatchPrinter printer_;
  client::Roll roll_;
  client::KeyRoll keys_;
};

constexpr char kAnn[] =
    "reset: true state_complete: true version: 'v1' state { topic: 'r' "
    "entries { key: 'ann' ref: '1' meta: '1' } }";
constexpr char kAnnAgain[] =
    "version: 'v2' diffs { topic: 'r' joins { key: 'ann' ref: '2' meta: '2' } "
    "leaves { key: 'ann' ref: '1' meta: '1' } }";

TEST(WatchPrinterTest, AKeyThatIsTrackedAgainInOneBatchIsAnUpdate) {
  Printed text(WatchPrinter::Form::kKeys);
  EXPECT_EQ(text.Of(kAnn), "= r  ann  1\n");
  EXPECT_EQ(text.Of(kAnnAgain), "~ r  ann  2\n");
}

TEST(WatchPrinterTest, ByEntryBothChangesAreShown) {
  Printed text(WatchPrinter::Form::kEntries);
  EXPECT_EQ(text.Of(kAnn), "= r  ann  1\n");
  EXPECT_EQ(text.Of(kAnnAgain), "+ r  ann  2\n- r  ann  1\n");
}

TEST(WatchPrinterTest, TheNumberOfEntriesIsShownWhereTheSignDoesNotSayIt) {
  Printed text(WatchPrinter::Form::kKeys);
  text.Of(kAnn);
  EXPECT_EQ(text.Of("version: 'a' diffs { topic: 'r' joins "
                    "{ key: 'ann' ref: '2' meta: '2' } joins { key: 'bob' "
                    "ref: '3' } }"),
            "+ r  ann  2  (2)\n+ r  bob\n");
  EXPECT_EQ(text.Of("version: 'b' diffs { topic: 'r' updates "
                    "{ key: 'ann' ref: '4' ref_prev: '1' meta: '4' } }"),
            "~ r  ann  4  (2)\n");
  EXPECT_EQ(text.Of("version: 'c' diffs { topic: 'r' leaves "
                    "{ key: 'ann' ref: '2' meta: '2' } }"),
            "- r  ann  2  (1 left)\n");
  EXPECT_EQ(text.Of("version: 'd' diffs { topic: 'r' leaves "
                    "{ key: 'ann' ref: '4' meta: '4' } leaves { key: 'bob' "
                    "ref: '3' } }"),
            "- r  ann  4\n- r  bob\n");
}

TEST(WatchPrinterTest, ADiffInPartsIsOneBatch) {
  Printed text(WatchPrinter::Form::kKeys);
  text.Of(kAnn);
  EXPECT_EQ(text.Of("diffs { topic: 'r' leaves { key: 'ann' ref: '1' } }"), "");
  EXPECT_EQ(text.Of("version: 'v2' diffs { topic: 'r' joins "
                    "{ key: 'ann' ref: '1' meta: '1' } }"),
            "~ r  ann  1\n");
}

TEST(WatchPrinterTest, CountsAreShownAsTheyCome) {
  Printed text(WatchPrinter::Form::kKeys);
  EXPECT_EQ(text.Of("reset: true state_complete: true counts { topic: 'r' "
                    "entries: 3 keys: 2 }"),
            "# r  3 entries  2 keys\n");
}

TEST(WatchPrinterTest, JsonHasTheEntriesOfTodayAndWhatTheyDoToTheKey) {
  Printed json(WatchPrinter::Form::kJson);
  EXPECT_EQ(json.Of(kAnn),
            "{\"event\":\"state\",\"topic\":\"r\",\"key\":\"ann\","
            "\"meta\":\"1\",\"ref\":\"1\",\"ref_prev\":\"\"}\n"
            "{\"event\":\"state_complete\"}\n");
  EXPECT_EQ(json.Of(kAnnAgain),
            "{\"event\":\"join\",\"topic\":\"r\",\"key\":\"ann\","
            "\"meta\":\"2\",\"ref\":\"2\",\"ref_prev\":\"\",\"entries\":1,"
            "\"first_in\":false,\"last_out\":false}\n"
            "{\"event\":\"leave\",\"topic\":\"r\",\"key\":\"ann\","
            "\"meta\":\"1\",\"ref\":\"1\",\"ref_prev\":\"\",\"entries\":1,"
            "\"first_in\":false,\"last_out\":false}\n");
}

TEST(WatchPrinterTest, JsonSaysOnceThatAKeyCameInOrLeft) {
  Printed json(WatchPrinter::Form::kJson);
  json.Of(kAnn);
  const std::string printed = json.Of(
      "version: 'v2' diffs { topic: 'r' joins { key: 'bob' ref: '2' } "
      "updates { key: 'bob' ref: '3' ref_prev: '2' } "
      "leaves { key: 'ann' ref: '1' } }");
  EXPECT_EQ(printed,
            "{\"event\":\"join\",\"topic\":\"r\",\"key\":\"bob\","
            "\"meta\":\"\",\"ref\":\"2\",\"ref_prev\":\"\",\"entries\":1,"
            "\"first_in\":false,\"last_out\":false}\n"
            "{\"event\":\"update\",\"topic\":\"r\",\"key\":\"bob\","
            "\"meta\":\"\",\"ref\":\"3\",\"ref_prev\":\"2\",\"entries\":1,"
            "\"first_in\":true,\"last_out\":false}\n"
            "{\"event\":\"leave\",\"topic\":\"r\",\"key\":\"ann\","
            "\"meta\":\"\",\"ref\":\"1\",\"ref_prev\":\"\",\"entries\":0,"
            "\"first_in\":false,\"last_out\":true}\n");
}

TEST(WatchPrinterTest, JsonKeepsTheOrderOfAStateThatCorrectsHalfOfAnother) {
  Printed json(WatchPrinter::Form::kJson);
  json.Of("reset: true state { topic: 'r' entries { key: 'ann' ref: '1' } }");
  const std::string printed = json.Of(
      "reset: true state_complete: true version: 'v1' state { topic: 'r' "
      "entries { key: 'bob' ref: '2' } }");
  const size_t leave = printed.find("\"leave\"");
  const size_t join = printed.find("\"join\"");
  const size_t complete = printed.find("\"state_complete\"");
  EXPECT_LT(leave, join);
  EXPECT_LT(join, complete);
  EXPECT_NE(complete, std::string::npos);
}

}  // namespace
}  // namespace muster::cli
