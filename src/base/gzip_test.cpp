#include "base/gzip.hpp"

#include <cstdint>
#include <cstring>
#include <functional>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <metaflow/error.hpp>

namespace metaflow {
namespace {

using testing::HasSubstr;

std::string joined(const Pieces& pieces) {
  std::string text;
  for (std::size_t i = 0; i < pieces.count(); ++i) {
    text.append(reinterpret_cast<const char*>(pieces.piece(i).data()), pieces.piece(i).size());
  }
  return text;
}

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string packed(std::string_view text) {
  Pieces pieces;
  pieces.borrow(bytes(text));
  return joined(gzip_pack(pieces));
}

std::string unpacked(std::string_view file) { return std::string(gzip_unpack(bytes(file)).text()); }

std::string random_text(std::size_t size) {
  std::mt19937_64 random(7);
  std::string text(size, '\0');
  for (auto& c : text) c = static_cast<char>(random());
  return text;
}

std::string small_integers(std::size_t count) {
  std::mt19937_64 random(7);
  std::string text(count * 8, '\0');
  for (std::size_t i = 0; i < count; ++i) text[8 * i] = static_cast<char>(random() % 100);
  return text;
}

std::string error_of(std::string_view file) {
  try {
    gzip_unpack(bytes(file));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::corrupt);
    return error.what();
  }
  return "no error";
}

using namespace std::string_view_literals;

/// `hello hello hello\n` by gzip 1.12.
constexpr auto foreign_plain =
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x57\xc8\x40\x90\x5c\x00\x3b\x7c\x8a\xdf\x12\x00\x00\x00"sv;

TEST(Gzip, PacksAndUnpacksValuesOfAllSizes) {
  for (const std::size_t size : {0u, 1u, 100u, 2048u, 2049u, 65535u, 65536u, 1048575u, 1048576u, 1048577u, 5000000u}) {
    const auto noise = random_text(size);
    EXPECT_EQ(unpacked(packed(noise)), noise) << size;
    const std::string zeros(size, '\0');
    EXPECT_EQ(unpacked(packed(zeros)), zeros) << size;
  }
}

TEST(Gzip, PiecesAreOneValue) {
  const auto array = random_text(3'000'000);
  Pieces pieces;
  pieces.own("header");
  pieces.borrow(bytes(array));
  pieces.own("");
  pieces.own("end");
  EXPECT_EQ(unpacked(joined(gzip_pack(pieces))), "header" + array + "end");
}

TEST(Gzip, WhatShrinksIsMadeSmall) {
  const auto integers = small_integers(1'000'000);
  EXPECT_LT(packed(integers).size(), integers.size() / 4);
}

TEST(Gzip, WhatDoesNotShrinkGrowsByLessThanAThousandth) {
  const auto noise = random_text(10'000'000);
  EXPECT_LT(packed(noise).size(), noise.size() + noise.size() / 1000);
}

TEST(Gzip, LargeIncompressibleValuesAreNotCopied) {
  const auto noise = random_text(10'000'000);
  Pieces value;
  value.borrow(bytes(noise));
  const auto file = gzip_pack(value);
  std::size_t borrowed = 0;
  for (std::size_t i = 0; i < file.count(); ++i) {
    const auto* data = reinterpret_cast<const char*>(file.piece(i).data());
    if (data >= noise.data() && data < noise.data() + noise.size()) borrowed += file.piece(i).size();
  }
  EXPECT_EQ(borrowed, noise.size());
}

TEST(Gzip, TheSinkSeesAllBytesInOrder) {
  const auto integers = small_integers(1'000'000);
  std::string seen;
  gzip_unpack(bytes(packed(integers)), [&](std::span<const std::byte> part) {
    seen.append(reinterpret_cast<const char*>(part.data()), part.size());
  });
  EXPECT_EQ(seen, integers);
}

TEST(Gzip, ReadsWhatOthersWrote) { EXPECT_EQ(unpacked(foreign_plain), "hello hello hello\n"); }

TEST(Gzip, ReadsHeadersWithAllOptionalFields) {
  auto file = std::string(foreign_plain);
  file[3] = 0x1c;  // extra field, name and comment
  file.insert(10, std::string("\x05\x00"
                              "XY\x01\x00z"
                              "name\0"
                              "comment\0",
                              20));
  EXPECT_EQ(unpacked(file), "hello hello hello\n");
}

TEST(Gzip, ReadsMembersOfAnyKindOneAfterTheOther) {
  const auto large = small_integers(500'000);
  const auto file = std::string(foreign_plain) + packed(large) + packed("") + std::string(foreign_plain);
  EXPECT_EQ(unpacked(file), "hello hello hello\n" + large + "hello hello hello\n");
}

TEST(Gzip, ZerosAfterTheEndAreIgnored) {
  EXPECT_EQ(unpacked(std::string(foreign_plain) + std::string(100, '\0')), "hello hello hello\n");
}

TEST(Gzip, SomethingElseAfterTheEndIsDamage) {
  EXPECT_THAT(error_of(std::string(foreign_plain) + "garbage"), HasSubstr("something else follows"));
}

TEST(Gzip, EveryTruncationIsDamage) {
  const auto small = packed(small_integers(1000)), large = packed(small_integers(400'000));
  for (std::size_t size = 0; size < small.size(); ++size) EXPECT_NE(error_of(small.substr(0, size)), "no error");
  for (std::size_t size = 1; size < large.size(); size += 9973) {
    EXPECT_NE(error_of(large.substr(0, size)), "no error") << size;
  }
}

TEST(Gzip, EveryFlippedByteIsDamageOrHarmless) {
  const auto text = small_integers(400'000);
  const auto good = packed(text);
  for (std::size_t at = 0; at < good.size(); at += at < 64 ? 1 : 4999) {
    auto bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    try {
      EXPECT_EQ(unpacked(bad), text) << at;  // time, system and the like in the header
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::corrupt);
    }
  }
}

TEST(Gzip, AClaimOfFourGigabytesIsNotBelieved) {
  auto file = std::string(foreign_plain);
  file.replace(file.size() - 4, 4, "\xff\xff\xff\xff");
  EXPECT_NE(error_of(file), "no error");
}

TEST(Gzip, NoGzipAtAllIsDamage) { EXPECT_NE(error_of("certainly not packed by anybody"), "no error"); }

}  // namespace
}  // namespace metaflow
