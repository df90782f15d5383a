#include "runtime/task_log.hpp"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/utf8.hpp"

namespace metaflow::runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> lines_of(const std::vector<std::string>& pieces) {
  std::vector<std::string> lines;
  const auto take = [&](std::string_view line) { lines.emplace_back(line); };
  LineSplitter splitter;
  for (const auto& piece : pieces) splitter.add(piece, take);
  splitter.finish(take);
  return lines;
}

TEST(LineSplitter, LinesMayBeCutAnywhere) {
  EXPECT_THAT(lines_of({"on", "e\ntwo", "\n", "\nthree"}), ElementsAre("one", "two", "", "three"));
}

TEST(LineSplitter, AnEndlessLineComesInPiecesOfBoundedSize) {
  const auto lines = lines_of({std::string(LineSplitter::longest_line * 2 + 5, 'x') + "\nnext\n"});
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0].size(), LineSplitter::longest_line);
  EXPECT_EQ(lines[2], "xxxxx");
  EXPECT_EQ(lines[3], "next");
}

TEST(LineSplitter, ALineOfExactlyTheLongestSizeIsOneLine) {
  const auto lines = lines_of({std::string(LineSplitter::longest_line, 'x'), "\nnext\n"});
  EXPECT_EQ(lines.size(), 2u);
}

TEST(LogStamper, StampsGrowThoughTheClockStandsStillOrGoesBack) {
  LogStamper stamper;
  const auto first = stamper.next(100), second = stamper.next(100), third = stamper.next(50);
  EXPECT_LT(first.microseconds, second.microseconds);
  EXPECT_LT(second.microseconds, third.microseconds);
  EXPECT_LT(second.id, third.id);
}

TEST(StoredLog, StampsEachLineWithTimeSourceAndId) {
  StoredLog log(1000);
  log.add_task_line("hello", {1'795'443'041'790'713, 7});
  EXPECT_EQ(log.take(), "[MFLOG|0|2026-11-23T14:10:41.790713Z|runtime|000000000007]hello\n");
  EXPECT_EQ(log.take(), "");
}

TEST(StoredLog, HoldsOnlyUtf8) {
  StoredLog log(1000);
  log.add_task_line("bad \xff byte", {0, 1});
  EXPECT_TRUE(is_utf8(log.take()));
}

TEST(StoredLog, SaysOnceThatItIsFullButTakesTheSchedulersLines) {
  constexpr std::size_t one_record = 64;  // 58 bytes of stamp, 5 of text, a newline
  StoredLog log(2 * one_record - 1);
  for (const auto* line : {"12345", "12345", "12345"}) log.add_task_line(line, {0, 1});
  log.add_own_line("Task failed.", {0, 2});
  const auto text = log.take();
  EXPECT_THAT(text, HasSubstr("]12345\n"));
  EXPECT_THAT(text, HasSubstr("][TRUNCATED - MAXIMUM LOG FILE SIZE REACHED]\n"));
  EXPECT_THAT(text, testing::EndsWith("]Task failed.\n"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
}

TEST(StoredLog, ReplacedBytesCountAsTheyAreStored) {
  constexpr std::size_t stamp_and_newline = 59;
  const std::string bad(10, '\xff');  // each becomes three bytes
  StoredLog roomy(stamp_and_newline + 30), narrow(stamp_and_newline + 29);
  roomy.add_task_line(bad, {0, 1});
  narrow.add_task_line(bad, {0, 1});
  EXPECT_EQ(roomy.take().size(), stamp_and_newline + 30);
  EXPECT_THAT(narrow.take(), HasSubstr("]" + std::string("[TRUNCATED")));
}

TEST(StoredLog, HoldsNoMoreThanItsLimitHoweverShortTheLines) {
  StoredLog log(6'400);
  for (std::uint64_t i = 0; i < 1000; ++i) log.add_task_line("12345", {0, i});
  const auto text = log.take();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 101);
}

TEST(StoredLog, AMarkedStructuredLineIsStoredAsItIs) {
  StoredLog log(1000);
  log.add_task_line("[![MFLOG|0|2026-11-23T14:10:41.790713Z|task|abc]from afar", {0, 1});
  EXPECT_EQ(log.take(), "[MFLOG|0|2026-11-23T14:10:41.790713Z|task|abc]from afar\n");
}

TEST(StoredLog, WhatOnlyLooksStructuredIsStoredAsText) {
  for (const auto* line :
       {"[MFLOG|0|soon|task|abc]x", "[!hello", "[![MFLOG|", "[MFLOG|0|2026-11-23T14:10:41.790713Z|task|a]x"}) {
    StoredLog log(1000);
    log.add_task_line(line, {0, 1});
    EXPECT_THAT(log.take(), HasSubstr(std::string("|runtime|000000000001]") + line + "\n"));
  }
}

TEST(StructuredLine, IsTakenApart) {
  const auto line = parse_structured_line("[MFLOG|0|2026-11-23T14:10:41.790713Z|task|abc] text ] more");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->microseconds, 1'795'443'041'790'713);
  EXPECT_EQ(line->message, " text ] more");
}

}  // namespace
}  // namespace metaflow::runtime
