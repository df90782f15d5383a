#include "base/base64.hpp"

#include <gtest/gtest.h>

namespace metaflow {
namespace {

TEST(Base64, IsReadWhateverThePaddingIs) {
  EXPECT_EQ(decode_base64(""), "");
  EXPECT_EQ(decode_base64("TQ=="), "M");
  EXPECT_EQ(decode_base64("TWE="), "Ma");
  EXPECT_EQ(decode_base64("TWFu"), "Man");
  EXPECT_EQ(decode_base64("gARLAS4="), std::string("\x80\x04K\x01.", 5));
  EXPECT_EQ(decode_base64("//8A"), std::string("\xff\xff\0", 3));
}

TEST(Base64, IsWrittenAsItIsRead) {
  for (const std::string bytes : {"", "M", "Ma", "Man", "Many", "\xff\xfe\xfd\xfc"})
    EXPECT_EQ(decode_base64(encode_base64(bytes)), bytes);
  EXPECT_EQ(encode_base64("Ma"), "TWE=");
  EXPECT_EQ(encode_base64("M"), "TQ==");
}

TEST(Base64, WhatIsNoneIsNotRead) {
  for (const auto* text : {"TQ", "TQ=", "T===", "TQ==TQ==", "T!==", "TWFu\n", "TR==", "TWF="})
    EXPECT_EQ(decode_base64(text), std::nullopt) << text;
}

}  // namespace
}  // namespace metaflow
