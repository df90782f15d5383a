#include <metaflow/codec.hpp>

#include <chrono>
#include <cmath>
#include <deque>
#include <limits>
#include <list>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include <gmock/gmock.h>
#include <complex>
#include <filesystem>

#include <gtest/gtest.h>

#include "base/pickle_test_support.hpp"

namespace codec_test {

enum class Colour { red, green };

struct Point {
  double x = 0, y = 0;
  static constexpr auto fields() { return metaflow::fields<&Point::x, &Point::y>(); }
  bool operator==(const Point&) const = default;
};

struct Shape {
  std::string name;
  std::vector<Point> corners;
  std::optional<Colour> colour;
  static constexpr auto fields() { return metaflow::fields<&Shape::name, &Shape::corners, &Shape::colour>(); }
  bool operator==(const Shape&) const = default;
};

struct Opaque {};

}  // namespace codec_test

namespace metaflow {
namespace {

using namespace codec_test;

template <class T>
T copied(const T& value) {
  return decode<T>(test::joined(encode(value)));
}

template <class T>
std::string repr(const T& value) {
  return to_value(value).repr();
}

template <class T>
std::string error_reading(const Value& value) {
  try {
    from_value<T>(value);
  } catch (const Error& error) {
    return error.code() == ErrorCode::invalid ? error.what() : "wrong code";
  }
  return "it was read";
}

TEST(Codec, TypesAreThoseAPythonProgrammerExpects) {
  EXPECT_EQ(repr(true), "True");
  EXPECT_EQ(repr(-5), "-5");
  EXPECT_EQ(repr(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(repr(0.1f * 10), "1.0");
  EXPECT_EQ(repr(std::string("it's")), "\"it's\"");
  EXPECT_EQ(repr(std::vector<std::byte>{std::byte{0}, std::byte{'a'}}), "b'\\x00a'");
  EXPECT_EQ(repr(Colour::green), "'green'");
  EXPECT_EQ(repr(std::optional<int>()), "None");
  EXPECT_EQ(repr(std::vector<bool>{true, false}), "[True, False]");
  EXPECT_EQ(repr(std::array<int, 2>{1, 2}), "[1, 2]");
  EXPECT_EQ(repr(std::set<int>{1}), "{1}");
  EXPECT_EQ(repr(std::map<std::string, double>{{"a", 1}}), "{'a': 1.0}");
  EXPECT_EQ(repr(std::pair(1, 'x')), "(1, 120)");
  EXPECT_EQ(repr(std::tuple<int>(1)), "(1,)");
  EXPECT_EQ(repr(std::tuple<>()), "()");
  EXPECT_EQ(repr(std::variant<int, std::string>("x")), "'x'");
  EXPECT_EQ(repr(std::filesystem::path("/tmp/x")), "'/tmp/x'");
  EXPECT_EQ(repr(std::chrono::milliseconds(1500)), "1.5");
  EXPECT_EQ(repr(Point{1, 2}), "{'x': 1.0, 'y': 2.0}");
}

TEST(Codec, EveryTypeIsReadBackAsItWas) {
  const auto returns = [](const auto& value) { return copied(value) == value; };
  EXPECT_TRUE(returns(std::numeric_limits<std::int64_t>::min()));
  EXPECT_TRUE(returns(std::numeric_limits<std::uint64_t>::max()));
  EXPECT_TRUE(returns(static_cast<detail::Int128>(-1) << 100));
  EXPECT_TRUE(returns(~static_cast<detail::UnsignedInt128>(0)));
  EXPECT_TRUE(returns(std::deque<std::string>{"a", "ü"}));
  EXPECT_TRUE(returns(std::list<std::vector<int>>{{1}, {}}));
  EXPECT_TRUE(returns(std::unordered_map<int, std::pair<bool, std::string>>{{7, {true, "x"}}}));
  EXPECT_TRUE(returns(std::unordered_set<std::string>{"a", "b"}));
  EXPECT_TRUE(returns(std::map<std::tuple<int, int>, std::optional<double>>{{{1, 2}, {}}, {{3, 4}, 0.5}}));
  EXPECT_TRUE(returns(std::variant<std::monostate, int, double>{2.0}));
  EXPECT_TRUE(returns(std::chrono::duration<double>(0.25)));
  EXPECT_TRUE(returns(Shape{"triangle", {{0, 0}, {1, 0}, {0, 1}}, Colour::red}));
}

TEST(Codec, SpecialFloatsKeepTheirBits) {
  EXPECT_TRUE(std::isnan(copied(std::nan(""))));
  EXPECT_EQ(copied(-HUGE_VAL), -HUGE_VAL);
  EXPECT_TRUE(std::signbit(copied(-0.0)));
}

TEST(Codec, OtherTypesAreNotStorable) {
  EXPECT_FALSE(Storable<Opaque>);
  EXPECT_FALSE(Storable<std::vector<Opaque>>);
  EXPECT_FALSE((Storable<std::tuple<int, Opaque>>));
  EXPECT_FALSE(Storable<int*>);
  EXPECT_FALSE(Storable<std::unique_ptr<int>>);
}

TEST(Codec, IntegersOutOfRangeAreRefusedNotCut) {
  EXPECT_EQ(error_reading<std::int8_t>(128), "the value is of type int (128), which cannot be read as int of 8 bits");
  EXPECT_THAT(error_reading<unsigned>(-1), testing::HasSubstr("int of 32 bits without sign"));
  EXPECT_EQ(from_value<std::int8_t>(-128), -128);
  EXPECT_EQ(from_value<std::uint8_t>(255), 255);
}

TEST(Codec, OnlyExactConversionsOfNumbersAreMade) {
  EXPECT_EQ(from_value<double>(3), 3.0);
  EXPECT_THAT(error_reading<int>(1.0), testing::HasSubstr("type float (1.0), which cannot be read as int"));
  EXPECT_THAT(error_reading<int>(true), testing::HasSubstr("type bool"));
  EXPECT_THAT(error_reading<std::string>(3), testing::HasSubstr("read as str"));
  EXPECT_THAT(error_reading<std::vector<int>>("abc"),
              testing::HasSubstr("type str ('abc'), which cannot be read as list"));
}

TEST(Codec, AVariantTakesTheAlternativeThatFitsBest) {
  using Number = std::variant<double, int>;
  EXPECT_EQ(from_value<Number>(3), Number(3));
  EXPECT_EQ((from_value<std::variant<std::string, double>>(3)), (std::variant<std::string, double>(3.0)));
  EXPECT_THAT(error_reading<Number>("x"), testing::HasSubstr("any alternative"));
}

TEST(Codec, AStructNeedsAllItsFieldsAndIgnoresOthers) {
  EXPECT_EQ(from_value<Point>(Value::dict({{"z", 0}, {"y", 2}, {"x", 1}})), (Point{1, 2}));
  EXPECT_THAT(error_reading<Point>(Value::dict({{"x", 1}})), testing::HasSubstr("no key 'y'"));
}

TEST(Codec, AnEnumSaysWhatItCouldBe) {
  EXPECT_EQ(error_reading<Colour>("blue"), "'blue' is none of: red, green");
  EXPECT_THROW(encode(static_cast<Colour>(9)), Error);
}

TEST(Codec, AForeachShowsItsItemAsPythonDoes) {
  EXPECT_EQ(foreach_value(std::string("aa")), "aa");
  EXPECT_EQ(foreach_value(0.5), "0.5");
  EXPECT_EQ(foreach_value(std::map<std::string, int>{{"k", 1}}), "{'k': 1}");
  EXPECT_EQ(foreach_value(std::string(40, 'x')), std::string(30, 'x'));
  EXPECT_EQ(foreach_value(std::string("ää") + std::string(40, 'x')), "ää" + std::string(28, 'x'));
  EXPECT_EQ(foreach_value(std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8}), "[1, 2, 3, 4, 5, 6, ...]");
}

TEST(Codec, OneItemOfAListIsReadAlone) {
  std::vector<std::string> texts;
  std::vector<Shape> shapes;
  for (int i = 0; i < 2500; ++i)
    texts.push_back("text " + std::to_string(i)), shapes.push_back({texts.back(), {{1, 2}}, {}});
  for (const std::size_t i : {0, 1, 999, 1000, 1001, 2499}) {
    EXPECT_EQ(decode_element<std::string>(test::joined(encode(texts)), i), texts[i]);
    EXPECT_EQ(decode_element<Shape>(test::joined(encode(shapes)), i), shapes[i]);
  }
  EXPECT_EQ(decode_element<int>(test::joined(encode(std::vector{7})), 0), 7);
  EXPECT_THROW(decode_element<std::string>(test::joined(encode(texts)), 2500), Error);
}

TEST(Codec, AnItemOfAListOfSeveralFramesIsFound) {
  std::vector<int> numbers;  // CPython and we close a frame at 64 KiB, so a later one may begin before any item
  for (int i = 0; i < 100'000; ++i) numbers.push_back(70'000 + i);
  const auto pickle = encode(numbers);
  for (std::size_t i = 0; i < numbers.size(); i += 499)
    EXPECT_EQ(decode_element<int>(test::joined(pickle), i), numbers[i]);
  for (std::size_t i = 13'000; i < 13'200; ++i)  // of 5 bytes each: the first boundary lies among these
    EXPECT_EQ(decode_element<int>(test::joined(pickle), i), numbers[i]);
}

TEST(Codec, AnItemMayReferToWhatLiesBeforeIt) {
  const auto item = [](std::size_t i) {  // [{'a': 1}, {'a': 2}, l, l] with l = [3], the keys being the same object
    return pickle::decode_item(test::unhex("80045d94287d948c0161944b01737d9468024b02735d944b03616804652e"), i).value;
  };
  EXPECT_EQ(item(1).repr(), "{'a': 2}");
  EXPECT_EQ(item(2).repr(), "[3]");
  EXPECT_EQ(item(3).repr(), "[3]");
}

TEST(Codec, AnItemMayReferToWhatLiesWithinIt) {
  const auto item = [](std::size_t i) {  // [(a, b, a, b), (b, a)] with a = 'abc', b = 'def', each the same object
    return pickle::decode_item(
               test::unhex("8004951e000000000000005d9428288c03616263948c0364656694680168027494680268018694652e"), i)
        .value;
  };
  EXPECT_EQ(item(0).repr(), "('abc', 'def', 'abc', 'def')");
  EXPECT_EQ(item(1).repr(), "('def', 'abc')");
}

TEST(Codec, AnItemMayBeATupleThatWasThereBefore) {
  // t = ('a', 1); [t, t]
  EXPECT_EQ(pickle::decode_item(test::unhex("8004950f000000000000005d94288c0161944b0186946802652e"), 1).value.repr(),
            "('a', 1)");
}

TEST(Codec, AnItemThatIsChangedThroughAReferenceIsReadWithTheOthers) {
  // The dict is put on the stack once more by DUP, and that one gets its item.
  EXPECT_EQ(pickle::decode_item(test::unhex("80045d94287d32948c0161944b0173652e"), 0).value.repr(), "{'a': 1}");
}

TEST(Codec, ItemsReadOneByOneAreThoseOfTheList) {
  std::vector<std::string> texts;
  for (int i = 0; i < 5'000; ++i) texts.push_back("item " + std::to_string(i % 70));  // repeated ones are remembered
  const pickle::Items items(test::joined(encode(texts)));
  for (std::size_t i = texts.size(); i-- > 0;) EXPECT_EQ(items.item(i).value.as_text(), texts[i]);
  EXPECT_THROW((void)items.item(texts.size()), Error);
}

TEST(Codec, AnItemIsCutOutTogetherWithWhatItRefersTo) {
  const auto cut = [](std::string_view pickle, std::size_t i) { return pickle::Items(test::unhex(pickle)).pickle(i); };
  const auto shown = [](const std::optional<std::string>& pickle) {
    return pickle ? pickle::decode(std::as_bytes(std::span(*pickle))).repr() : "not cut";
  };
  // [{'a': 1}, {'a': 2}, l, l] with l = [3], the keys being the same object
  const auto texts = "80045d94287d948c0161944b01737d9468024b02735d944b03616804652e";
  EXPECT_EQ(shown(cut(texts, 1)), "{'a': 2}");
  EXPECT_EQ(shown(cut(texts, 3)), "[3]");
  EXPECT_EQ(shown(cut(texts, 4)), "not cut");
  // l = [1]; l.append(l)
  EXPECT_EQ(shown(cut("80049509000000000000005d94284b016800652e", 1)), "not cut");
  // d = {'k': 1}; [d, (d, [d])]: what is one object stays one
  EXPECT_EQ(cut("80049517000000000000005d94287d948c016b944b017368015d946801618694652e", 1),
            std::string(test::unhex("80057d948c016b944b01735d9468006186942e").text()));
}

TEST(Codec, AnArrayReadFromSharedItemsIsACopy) {
  const std::vector<Array<double>> arrays = {Array<double>({2}, {1, 2})};
  const pickle::Items items(test::joined(encode(arrays)));
  EXPECT_FALSE(items.item(0).exclusive);
}

TEST(Codec, OneArrayOfSeveralIsDecodedAlone) {
  const std::vector<Array<double>> arrays = {Array<double>({2}, {1, 2}), Array<double>({0}), Array<double>({1}, {3})};
  for (std::size_t i = 0; i < arrays.size(); ++i)
    EXPECT_EQ(decode_element<Array<double>>(test::joined(encode(arrays)), i), arrays[i]);
}

TEST(ArrayCodec, NumbersComeBackInTheirShape) {
  Array<double> array({2, 3}, {1, 2, 3, 4, 5, 6});
  const auto copy = copied(array);
  EXPECT_THAT(copy.shape(), testing::ElementsAre(2, 3));
  EXPECT_EQ(copy(1, 0), 4);
  EXPECT_EQ(copy, array);
  EXPECT_EQ(encode(array).type, "<class 'numpy.ndarray'>");
}

TEST(ArrayCodec, LargeArraysAreBorrowedAndAligned) {
  const Array<float> array({100'000});
  for (int before = 0; before < 70; ++before) {
    const std::pair<std::string, Array<float>> pair{std::string(before, 'x'), array};
    const auto encoded = encode(pair);
    EXPECT_EQ(encoded.pickle.piece(0).size() % Buffer::alignment, 0u) << before;
    EXPECT_EQ(static_cast<const void*>(encoded.pickle.piece(1).data()), pair.second.data());
  }
}

TEST(ArrayCodec, LargeArraysAreUsedWhereTheyLie) {
  Buffer pickle = test::joined(encode(Array<double>({100, 1000})));
  const auto* first = pickle.data();
  const auto* last = first + pickle.size();
  const auto array = decode<Array<double>>(std::move(pickle));
  const auto* data = reinterpret_cast<const std::byte*>(array.data());
  EXPECT_TRUE(first < data && data < last);
}

TEST(ArrayCodec, SharedPartsBecomeArraysOfTheirOwn) {
  // [array, array]: the same object twice
  const Array<double> array({20'000});
  pickle::Writer writer;
  Codec<Array<double>>::write(writer, array);
  std::string bytes(test::joined(writer.finish()).text());
  bytes.insert(bytes.size() - 1, "2\x86");  // DUP TUPLE2
  auto pair = pickle::decode_document([&] {
    Buffer buffer(bytes.size());
    std::memcpy(buffer.data(), bytes.data(), bytes.size());
    return buffer;
  }());
  EXPECT_FALSE(pair.exclusive);
}

TEST(ArrayCodec, OnlyExactConversionsAreMade) {
  const Value integers = to_value(Array<int>({2}, {1, 300}));
  EXPECT_EQ(from_value<Array<double>>(integers)[1], 300);
  EXPECT_EQ(from_value<Array<short>>(integers)[1], 300);
  EXPECT_THAT(error_reading<Array<signed char>>(integers), testing::HasSubstr("out of range"));
  EXPECT_THAT(error_reading<Array<int>>(to_value(Array<double>({1}, {1.0}))), testing::HasSubstr("dtype <f8"));
}

TEST(ArrayCodec, ArraysOfOneAxisAreReadAsVectors) {
  EXPECT_THAT(from_value<std::vector<double>>(to_value(Array<float>({2}, {1, 2.5}))), testing::ElementsAre(1, 2.5));
}

TEST(ArrayCodec, EveryItemTypeComesBack) {
  const auto returns = []<class T>(T) {
    return copied(Array<T>({3}, {T(0), T(1), T(2)})) == Array<T>({3}, {T(0), T(1), T(2)});
  };
  EXPECT_TRUE(returns(bool()) && returns(char()) && returns(short()) && returns(0L) && returns(0UL));
  EXPECT_TRUE(returns(float()) && returns(double()) && returns(std::complex<float>()) &&
              returns(std::complex<double>()));
}

}  // namespace
}  // namespace metaflow
