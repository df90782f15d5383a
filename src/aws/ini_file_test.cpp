#include "aws/ini_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <metaflow/error.hpp>

namespace metaflow::aws {
namespace {

std::string error_of(std::string_view text) {
  try {
    parse_ini(text, "/home/ada/.aws/config");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(IniFile, HasSectionsOfSettings) {
  const auto file =
      parse_ini("[default]\nRegion = eu-west-1\nkey:a=b # no comment\n\n[profile x]\nregion=\n", "config");
  EXPECT_EQ(file.at("default").values.at("region").text, "eu-west-1");
  EXPECT_EQ(file.at("default").values.at("key").text, "a=b # no comment");
  EXPECT_EQ(file.at("profile x").line, 5);
  EXPECT_EQ(file.at("profile x").values.at("region").text, "");
  EXPECT_EQ(file.at("profile x").values.at("region").line, 6);
}

TEST(IniFile, CommentsAndTheLineEndsOfWindowsMeanNothing) {
  const auto file = parse_ini("\xef\xbb\xbf# one\r\n[a]\r\n; two\r\nx = 1\r\n  # three\r\ny = 2\r\n", "config");
  EXPECT_EQ(file.at("a").values.at("x").text, "1");
  EXPECT_EQ(file.at("a").values.at("y").text, "2");
}

TEST(IniFile, AnIndentedBlockBelongsToTheNameAboveIt) {
  const auto file = parse_ini("[a]\ns3 =\n  max = 1\n  endpoint_url = http://x:1\nregion = r\n", "config");
  EXPECT_EQ(file.at("a").values.at("s3").block.at("endpoint_url"), "http://x:1");
  EXPECT_EQ(file.at("a").values.at("s3").block.size(), 2U);
  EXPECT_EQ(file.at("a").values.at("region").text, "r");
}

TEST(IniFile, AnIndentedLineGoesOnWithAValue) {
  EXPECT_EQ(parse_ini("[a]\nx = 1\n  2\n", "config").at("a").values.at("x").text, "1\n2");
}

TEST(IniFile, AWholeSectionMayBeIndented) {
  const auto file = parse_ini("[a]\n  x = 1\n  y = 2\n    3\n  [b]\n  x = 4\n", "config");
  EXPECT_EQ(file.at("a").values.at("x").text, "1");
  EXPECT_EQ(file.at("a").values.at("y").text, "2\n3");
  EXPECT_EQ(file.at("b").values.at("x").text, "4");
}

TEST(IniFile, MistakesAreNamedWithFileAndLine) {
  EXPECT_EQ(
      error_of("[a]\nx\n"),
      "'/home/ada/.aws/config' cannot be used: line 2 is neither a section nor 'name = value'; correct that line");
  EXPECT_THAT(error_of("x = 1\n"), testing::HasSubstr("line 1 comes before any [section]"));
  EXPECT_THAT(error_of("[a]\n[b\n"), testing::HasSubstr("line 2 begins a section without ']'"));
  EXPECT_THAT(error_of("[a]\n\n[a]\n"), testing::HasSubstr("line 3 begins section [a] again, which began in line 1"));
  EXPECT_THAT(error_of("[a]\nx=1\nX=2\n"), testing::HasSubstr("line 3 sets 'x' again, which line 2 has set"));
  EXPECT_THAT(error_of("[a]\n= 1\n"), testing::HasSubstr("line 2 has no name before '='"));
}

}  // namespace
}  // namespace metaflow::aws
