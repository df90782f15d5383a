#include <metaflow/detail/names.hpp>

#include <gtest/gtest.h>

namespace names_test {

enum class Colour { red, green, deep_blue = 7, below = -3 };
enum Plain { one = 1, two };
enum class Small : unsigned char { first, last = 255 };
enum class Far : long { here = 1, away = 100'000 };

struct Flow {
  int total;
  double x;
  void start() {}
  void end(const int&) const {}
  enum class Inner { a, b };
};

template <class T>
struct Box {
  T value;
  void run() {}
  enum class Side { left, right };
};

template <class T>
struct Holder {
  T value;
};
#ifdef __clang__
#pragma clang diagnostic ignored "-Wundefined-var-template"
#endif
template <class T>
extern const Holder<T> phantom;

}  // namespace names_test

namespace metaflow::detail {
namespace {

using namespace names_test;

TEST(Names, OfDataMembersAreAsWritten) {
  EXPECT_EQ(name_of<&Flow::total>, "total");
  EXPECT_EQ(name_of<&Flow::x>, "x");
  EXPECT_EQ(name_of<&Box<int>::value>, "value");
}

TEST(Names, OfMemberFunctionsAreAsWritten) {
  EXPECT_EQ(name_of<&Flow::start>, "start");
  EXPECT_EQ(name_of<&Flow::end>, "end");
  EXPECT_EQ(name_of<&Box<Flow>::run>, "run");
}

TEST(Names, OfEnumeratorsAreAsWritten) {
  EXPECT_EQ(name_of<Colour::deep_blue>, "deep_blue");
  EXPECT_EQ(name_of<two>, "two");
}

TEST(Names, OfFieldsReachedThroughAnObjectThatDoesNotExist) {
  EXPECT_EQ(name_of<FieldPointer{&phantom<Flow>.value.total}>, "total");
  EXPECT_EQ(name_of<FieldPointer{&phantom<Flow>.value.x}>, "x");
}

TEST(Names, OfEnumeratorsAreFoundByValue) {
  EXPECT_EQ(enumerator_name(Colour::red), "red");
  EXPECT_EQ(enumerator_name(Colour::below), "below");
  EXPECT_EQ(enumerator_name(two), "two");
  EXPECT_EQ(enumerator_name(Small::last), "last");
  EXPECT_EQ(enumerator_name(Flow::Inner::b), "b");
  EXPECT_EQ(enumerator_name(Box<int>::Side::right), "right");
}

TEST(Names, OfValuesWithoutAnEnumeratorAreEmpty) {
  EXPECT_EQ(enumerator_name(static_cast<Colour>(5)), "");
  EXPECT_EQ(enumerator_name(static_cast<Colour>(5'000)), "");
  EXPECT_EQ(enumerator_name(Far::away), "");
}

TEST(Names, LeadBackToTheirEnumerators) {
  Colour colour{};
  ASSERT_TRUE(find_enumerator("deep_blue", colour));
  EXPECT_EQ(colour, Colour::deep_blue);
  EXPECT_FALSE(find_enumerator("blue", colour));
  EXPECT_FALSE(find_enumerator("", colour));
}

}  // namespace
}  // namespace metaflow::detail
