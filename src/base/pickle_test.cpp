#include <metaflow/pickle.hpp>

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <metaflow/codec.hpp>
#include <metaflow/error.hpp>

#include "base/pickle_test_support.hpp"

namespace metaflow {
namespace {

using test::hex;
using test::pickle_error;
using test::unhex;

Value list(std::vector<Value> items) { return Value::list(std::move(items)); }
Value tuple(std::vector<Value> items) { return Value::tuple(std::move(items)); }

struct KnownAnswer {
  const char* name;
  Value value;
  const char* bytes;
};

/// What CPython's C pickler writes with protocol 4.
const KnownAnswer known_answers[] = {
    {"None", {}, "80044e2e"},
    {"True", true, "8004882e"},
    {"False", false, "8004892e"},
    {"EmptyList", list({}), "80045d942e"},
    {"Three", 3, "80044b032e"},
    {"ThreeHundred", 300, "80049504000000000000004d2c012e"},
    {"Real", 1.5, "8004950a00000000000000473ff80000000000002e"},
    {"Text", "start", "80049509000000000000008c057374617274942e"},
    {"OneTarget", tuple({list({"end"}), {}}), "8004950d000000000000005d948c03656e6494614e86942e"},
    {"TwoTargets", tuple({list({"a", "b"}), {}}), "80049510000000000000005d94288c0161948c016294654e86942e"},
    {"ListOfZero", list({0}), "80049506000000000000005d944b00612e"},
};

class KnownAnswers : public testing::TestWithParam<KnownAnswer> {};

TEST_P(KnownAnswers, AreWrittenByteForByte) { EXPECT_EQ(hex(pickle::encode(GetParam().value)), GetParam().bytes); }
TEST_P(KnownAnswers, AreReadBack) { EXPECT_EQ(pickle::decode(unhex(GetParam().bytes)), GetParam().value); }

INSTANTIATE_TEST_SUITE_P(Pickle, KnownAnswers, testing::ValuesIn(known_answers),
                         [](const auto& given) { return given.param.name; });

constexpr const char* foreach_frame =
    "8004953c000000000000005d948c085f5f6d61696e5f5f948c0c466f72656163684672616d65949394288c036d6964948c056974656d73944b"
    "034b008c0261619474948194612e";

TEST(Pickle, AForeachFrameIsWrittenByteForByte) {
  pickle::Writer writer;
  writer.begin_list(1);
  writer.begin_create();
  writer.global("__main__", "ForeachFrame");
  writer.begin_tuple(5);
  writer.text("mid");
  writer.text("items");
  writer.integer(std::int64_t{3});
  writer.integer(std::int64_t{0});
  writer.text("aa");
  EXPECT_EQ(hex(writer.finish()), foreach_frame);
}

TEST(Pickle, AForeachFrameIsReadAsAnObject) {
  const Value frames = pickle::decode(unhex(foreach_frame));
  const auto& frame = frames[0].as_object();
  EXPECT_EQ(frame.name, "ForeachFrame");
  EXPECT_EQ(frame.arguments, (std::vector<Value>{"mid", "items", 3, 0, "aa"}));
}

TEST(Pickle, AClassNamedAgainIsTakenFromTheMemo) {
  pickle::Writer writer;
  writer.begin_list(2);
  for (int i = 0; i < 2; ++i) {
    writer.begin_create();
    writer.global("__main__", "ForeachFrame");
    writer.begin_tuple(0);
  }
  EXPECT_THAT(hex(writer.finish()), testing::HasSubstr("68032981"));
}

TEST(Pickle, TypesAreNamedAsPythonPrintsThem) {
  EXPECT_EQ(pickle::encode(3).type, "<class 'int'>");
  EXPECT_EQ(pickle::encode(Value()).type, "<class 'NoneType'>");
  EXPECT_EQ(pickle::encode(list({1})).type, "<class 'list'>");
  EXPECT_EQ(pickle::encode(Value::object({.module = "metaflow.flowspec", .name = "ParallelUBF"})).type,
            "<class 'metaflow.flowspec.ParallelUBF'>");
}

TEST(Pickle, ObjectsKeepClassArgumentsAndState) {
  const Value value = Value::object({.module = "metaflow.exception",
                                     .name = "MetaflowExceptionWrapper",
                                     .arguments = {Value()},
                                     .state = Value::dict({{"exception", "boom"}, {"type", "ValueError"}})});
  EXPECT_EQ(test::copied(value), value);
}

TEST(Pickle, WhatIsReadIsWrittenAgainAsItWas) {
  const Value value = Value::dict({{"none", {}},
                                   {"numbers", list({-1, 1 << 20, std::uint64_t{1} << 63, -1.0, true})},
                                   {"nested", tuple({list({tuple({})}), Value::set({1, 2}), Value::frozenset({})})},
                                   {"text", "Größe \xf0\x9f\x98\x80"},
                                   {"bytes", Value::bytes(std::as_bytes(std::span("abc", 4)))}});
  EXPECT_EQ(test::copied(value), value);
}

TEST(Pickle, BatchesOfEveryLengthAreReadBack) {
  for (const int length : {0, 1, 2, 999, 1000, 1001, 2000, 5001}) {
    std::vector<Value> items;
    std::vector<Value::Pair> pairs;
    for (int i = 0; i < length; ++i) items.emplace_back(i), pairs.emplace_back(i, "x");
    EXPECT_EQ(test::copied(list(items)), list(items)) << length;
    EXPECT_EQ(test::copied(Value::set(items)), Value::set(items)) << length;
    EXPECT_EQ(test::copied(Value::dict(pairs)), Value::dict(pairs)) << length;
  }
}

TEST(Pickle, LargeTextAndBytesAreBorrowedNotCopied) {
  const std::string large(100'000, 'x');
  pickle::Writer writer;
  writer.text(large);
  const auto encoded = writer.finish();
  EXPECT_EQ(static_cast<const void*>(encoded.pickle.piece(1).data()), large.data());
  EXPECT_EQ(pickle::decode(test::joined(encoded)).as_text(), large);
}

TEST(Pickle, TextThatIsNoUtf8IsRefusedWithAdvice) {
  try {
    pickle::Writer().text("caf\xe9");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid);
    EXPECT_THAT(error.what(), testing::HasSubstr("store it as bytes"));
  }
}

struct Hostile {
  const char* name;
  const char* bytes;
  ErrorCode code;
  const char* words;
};

const Hostile hostile_pickles[] = {
    {"Empty", "", ErrorCode::corrupt, "byte 0: it ends before its STOP"},
    {"OnlyStop", "2e", ErrorCode::corrupt, "0 values are left"},
    {"NoStop", "80044e", ErrorCode::corrupt, "byte 3: it ends"},
    {"BytesAfterStop", "80044e2e00", ErrorCode::corrupt, "1 bytes follow"},
    {"UnknownOpcode", "8004ff2e", ErrorCode::corrupt, "byte 2: byte 255 is no opcode"},
    {"HugeText", "80048dffffffffffffff7f2e", ErrorCode::corrupt, "byte 2 (opcode BINUNICODE8)"},
    {"HugeInteger", "80048bffffffff2e", ErrorCode::corrupt, "opcode LONG4"},
    {"HugeFrame", "800495ffffffffffffffff2e", ErrorCode::corrupt, "opcode FRAME"},
    {"AppendToNothing", "80044e612e", ErrorCode::corrupt, "opcode APPEND"},
    {"AppendToNone", "80044e4e612e", ErrorCode::corrupt, "a NoneType cannot be added to"},
    {"NoMark", "80045d652e", ErrorCode::corrupt, "no MARK"},
    {"PopOfNothing", "8004302e", ErrorCode::corrupt, "empty stack"},
    {"UnknownMemo", "800468052e", ErrorCode::corrupt, "remembered as number 5"},
    {"OddPairs", "80047d284b01752e", ErrorCode::corrupt, "a key has no value"},
    {"BadUtf8", "80048c01ff2e", ErrorCode::corrupt, "not valid UTF-8"},
    {"Surrogate", "80048c03eda0802e", ErrorCode::invalid, "surrogate"},
    {"ListOfItself", "80045d946800612e", ErrorCode::invalid, "holds itself"},
    {"ListInItsItem", "80045d945d94680061612e", ErrorCode::invalid, "holds itself"},
    {"PersistentId", "80044e512e", ErrorCode::invalid, "persistent id"},
    {"ExtensionCode", "800482012e", ErrorCode::invalid, "extension code"},
    {"OutOfBandBuffer", "8005972e", ErrorCode::invalid, "outside the pickle"},
    {"NewProtocol", "80092e", ErrorCode::invalid, "protocol 9"},
    {"CallOfText", "80048c01615d85522e", ErrorCode::invalid, "not a class or function"},
};

class HostilePickles : public testing::TestWithParam<Hostile> {};

TEST_P(HostilePickles, AreRefusedByAnErrorThatNamesThePlace) {
  const auto error = pickle_error(GetParam().bytes);
  EXPECT_EQ(error.code(), GetParam().code) << error.what();
  EXPECT_THAT(error.what(), testing::HasSubstr(GetParam().words));
}

INSTANTIATE_TEST_SUITE_P(Pickle, HostilePickles, testing::ValuesIn(hostile_pickles),
                         [](const auto& given) { return given.param.name; });

TEST(Pickle, DeepNestingIsRefusedBeforeItFillsTheStack) {
  std::string deep = "8004";
  for (int i = 0; i < 100'000; ++i) deep += "5d";
  for (int i = 1; i < 100'000; ++i) deep += "61";
  EXPECT_THAT(pickle_error(deep + "2e").what(), testing::HasSubstr("more than 1000 levels"));
}

TEST(Pickle, ValuesThatGrowBySharingAreRefused) {
  std::string bomb = "80045d94";  // each list holds the one before ten times
  for (int level = 0; level < 30; ++level) {
    bomb += "5d9428";
    char get[8];
    std::snprintf(get, sizeof get, "68%02x", level);
    for (int i = 0; i < 10; ++i) bomb += get;
    bomb += "65";
  }
  const auto error = pickle_error(bomb + "2e");
  EXPECT_THAT(error.what(), testing::HasSubstr("shared so often"));
}

TEST(Pickle, MemoIndexesMayBeAnyNumber) {
  EXPECT_EQ(pickle::decode(unhex("80048c016172ffffffff306affffffff2e")).as_text(), "a");
}

TEST(Pickle, AnyCutOfAPickleIsRefused) {
  const std::string whole = hex(pickle::encode(Value::dict({{"a", list({1, 2.5, "x"})}, {"b", tuple({{}, true})}})));
  for (std::size_t length = 0; length < whole.size(); length += 2)
    EXPECT_EQ(pickle_error(whole.substr(0, length)).code(), ErrorCode::corrupt) << length;
}

}  // namespace
}  // namespace metaflow
