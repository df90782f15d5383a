#include <functional>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <metaflow/error.hpp>

#include "base/clock.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"

namespace metaflow {
namespace {

using testing::HasSubstr;

TEST(Text, IsTrimmedAndMadeSmallByAsciiAlone) {
  EXPECT_EQ(trimmed(" \t\n\v\f\r a b \r\n"), "a b");
  EXPECT_EQ(trimmed(" \n"), "");
  EXPECT_EQ(lower_case("S\xc3\x84 Z-9"), "s\xc3\x84 z-9");
}

TEST(Utf8, AcceptsWhatIsTextAndNothingElse) {
  for (const auto* text : {"", "plain", "caf\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
  for (const auto* text :
       {"\xff", "caf\xe9", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80"}) {
    EXPECT_FALSE(is_utf8(text)) << testing::PrintToString(text);
  }
}

TEST(Utf8, SanitizingReplacesOnlyWhatIsNoText) {
  EXPECT_EQ(sanitized_utf8("long enough to run \xc3\xa9\xff end"), "long enough to run \xc3\xa9\xef\xbf\xbd end");
  EXPECT_EQ(sanitized_utf8("\xe2\x82"), "\xef\xbf\xbd");
  EXPECT_EQ(sanitized_utf8("\xe2"
                           "a"),
            "\xef\xbf\xbd"
            "a");
  EXPECT_TRUE(is_utf8(sanitized_utf8("\xf0\x9f\x98 \xed\xa0\x80 \xc0\x80")));
}

TEST(JsonText, IsWrittenAsPythonDoes) {
  const auto value = JsonValue::parse(R"({"a":[1,2.5,true,null],"b":{"c":"d"}})");
  EXPECT_EQ(dump_json(value), R"({"a": [1, 2.5, true, null], "b": {"c": "d"}})");
  EXPECT_EQ(dump_json(JsonValue::array()), "[]");
}

TEST(JsonText, IsPureAscii) {
  std::string out;
  append_json_string(out, "\"\\\n\t\x01\x7f\xc3\xa9\xf0\x9f\x98\x80\xff");
  EXPECT_EQ(out, R"("\"\\\n\t\u0001\u007f\u00e9\ud83d\ude00\ufffd")");
}

TEST(JsonText, PlainTextStaysBetweenWhatIsEscaped) {
  std::string out;
  append_json_string(out, "plain \"quoted\"\xc3\xa9 end");
  EXPECT_EQ(out, R"("plain \"quoted\"\u00e9 end")");
}

TEST(JsonText, ObjectsAreBuiltMemberByMember) {
  EXPECT_EQ(JsonObject().text("a\"", "x").number("b", -5).raw("c", "[]").take(), R"({"a\"": "x", "b": -5, "c": []})");
  EXPECT_EQ(JsonObject().take(), "{}");
}

TEST(JsonText, DamageIsAnErrorThatNamesTheFile) {
  try {
    parse_json("{\"a\": ", "/data/x.json");
    FAIL() << "parsed";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::corrupt);
    EXPECT_THAT(error.what(), HasSubstr("'/data/x.json' is damaged"));
  }
}

TEST(JsonText, NestingIsReadAsDeepAsAValueMayBe) {
  const auto nested = [](std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); };
  const auto deepest = parse_json(nested(Value::max_depth), "x.json");
  EXPECT_EQ(dump_json(deepest), nested(Value::max_depth));
  EXPECT_NO_THROW(value_of(deepest));
  for (const auto levels : {std::size_t{Value::max_depth} + 1, std::size_t{100'000}}) {
    try {
      parse_json(nested(levels), "x.json");
      FAIL() << "parsed";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::corrupt);
      EXPECT_THAT(error.what(), HasSubstr("'x.json' is damaged: it is nested more than 1000 levels deep"));
    }
  }
  EXPECT_NO_THROW(parse_json('"' + std::string(5000, '[') + "\\\"[\"", "brackets.json"));
}

TEST(JsonText, AMemberOfAnotherTypeIsNotMadeToFit) {
  for (const auto* value : {"true", "1.5", "1e300", "-1e300", "9223372036854775808", "\"1\"", "null"}) {
    const auto object = parse_json(R"({"n": )" + std::string(value) + "}", "x.json");
    EXPECT_THROW(json_member<std::int64_t>(object, "n", "x.json"), Error) << value;
  }
  const auto object = parse_json(R"({"low": -9223372036854775808, "high": 9223372036854775807})", "x.json");
  EXPECT_EQ(json_member<std::int64_t>(object, "low", "x.json"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(json_member<std::int64_t>(object, "high", "x.json"), std::numeric_limits<std::int64_t>::max());
}

TEST(Sha1, IsHexInLowercase) {
  const std::string text = "abc";
  EXPECT_EQ(sha1_hex(std::as_bytes(std::span(text))), "a9993e364706816aba3e25717850c26c9cd0d89d");
  Pieces pieces;
  pieces.own("a");
  pieces.own("");
  pieces.own("bc");
  EXPECT_EQ(sha1_hex(pieces), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST(Timestamps, HaveFixedLength) {
  EXPECT_EQ(utc_timestamp(1795443041790713), "2026-11-23T14:10:41.790713Z");
  EXPECT_EQ(utc_timestamp(1795443041000005), "2026-11-23T14:10:41.000005Z");
  EXPECT_EQ(utc_timestamp(-1), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(local_timestamp(1795443041790713).size(), std::string("2026-11-23 14:10:41.790").size());
}

TEST(Timestamps, AreReadAsTheyWereWritten) {
  for (const std::int64_t moment : {1795443041790713L, 1709251199000005L, 0L, -1L, 253402300799999999L})
    EXPECT_EQ(read_utc_timestamp(utc_timestamp(moment)), moment);
}

TEST(Timestamps, AreReadInNoOtherForm) {
  for (const auto* text : {"", "2026-11-23T14:10:41.790713", "2026-11-23 14:10:41.790713Z",
                           "2026-11-23T14:10:41.79071Z", "2026-02-29T14:10:41.790713Z", "2026-11-23T24:10:41.790713Z",
                           "2026-11-23T14:60:41.790713Z", "2026-11-23T14:10:60.790713Z", "2026-13-23T14:10:41.790713Z",
                           " 026-11-23T14:10:41.790713Z", "+026-11-23T14:10:41.790713Z", "2026-11-23T14:10:41.-90713Z"})
    EXPECT_EQ(read_utc_timestamp(text), std::nullopt) << text;
}

}  // namespace
}  // namespace metaflow
