#include "cli/moment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace metaflow::cli {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const client::Time now(milliseconds(1'795'443'041'790));

TEST(Moment, AnAgeIsCountedFromNow) {
  EXPECT_EQ(parse_period("30m", "since", now).first, now - minutes(30));
  EXPECT_EQ(parse_period("2h", "since", now).first, now - hours(2));
  EXPECT_EQ(parse_period("1w", "since", now).last, now - hours(7 * 24));
}

TEST(Moment, ADateIsAWholeDayAndATimeAWholeMinuteOrSecond) {
  const auto day = parse_period("2026-11-23", "since", now);
  EXPECT_EQ(day.last - day.first, hours(24) - milliseconds(1));
  const auto minute = parse_period("2026-11-23 14:10", "since", now);
  EXPECT_EQ(minute.first, day.first + hours(14) + minutes(10));
  EXPECT_EQ(minute.last - minute.first, minutes(1) - milliseconds(1));
  EXPECT_EQ(parse_period("2026-11-23T14:10:41", "since", now).first, minute.first + seconds(41));
}

TEST(Moment, AnythingElseIsRefusedWithTheForms) {
  for (const auto* text : {"", "yesterday", "2026-13-01", "2026-11-23x", "h", "-2h", "2y", "99999999999999999999m"}) {
    try {
      parse_period(text, "since", now);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage);
      EXPECT_THAT(error.what(), testing::HasSubstr("'--since'"));
    }
  }
}

TEST(Moment, SpansAreAsLongAsPeopleNeedThem) {
  const auto span = [](milliseconds length) { return span_text(now, now + length); };
  EXPECT_EQ(span(milliseconds(440)), "0.4 s");
  EXPECT_EQ(span(seconds(59)), "59 s");
  EXPECT_EQ(span(seconds(185)), "3 min 5 s");
  EXPECT_EQ(span(minutes(130)), "2 h 10 min");
  EXPECT_EQ(span(hours(99)), "4 d 3 h");
  EXPECT_EQ(span_text(now, std::nullopt), "");
  EXPECT_EQ(span_text(now, now - seconds(1)), "0.0 s");
}

}  // namespace
}  // namespace metaflow::cli
