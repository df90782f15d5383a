#include "network/retry.hpp"

#include <gtest/gtest.h>

namespace metaflow::network {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class HandClock final : public Clock {
 public:
  std::int64_t now_microseconds() override { return now; }
  std::int64_t steady_microseconds() override { return now; }
  void pass(milliseconds time) { now += time.count() * 1000; }
  std::int64_t now = 0;
};

double nearly_one() { return 0.999999; }

TEST(Retry, WaitsTwiceAsLongEachTimeUpToALimit) {
  HandClock clock;
  Retry retry({}, clock, [] { return 0.5; });
  for (const int expected : {50, 100, 200, 400, 800, 1600, 3200, 6400, 10'000, 10'000})
    EXPECT_EQ(retry.next(), milliseconds(expected));
  EXPECT_EQ(retry.retries(), 10);
}

TEST(Retry, EndsWhenTheBudgetDoesNotLastTillTheNextAttempt) {
  HandClock clock;
  Retry retry({.budget = seconds(1)}, clock, nearly_one);
  EXPECT_TRUE(retry.next());
  clock.pass(milliseconds(700));
  EXPECT_TRUE(retry.next());
  EXPECT_FALSE(retry.next());
  EXPECT_EQ(retry.retries(), 2);
}

TEST(Retry, WaitsAtLeastAsLongAsTheServerAsks) {
  HandClock clock;
  Retry retry({}, clock, nearly_one);
  EXPECT_EQ(retry.next(seconds(7)), seconds(7));
  EXPECT_FALSE(retry.next(seconds(301)));
}

TEST(RetryAfter, IsSecondsOrADate) {
  EXPECT_EQ(read_retry_after("120", 0), seconds(120));
  EXPECT_EQ(read_retry_after("Thu, 01 Jan 1970 00:01:40 GMT", 40), seconds(60));
  EXPECT_EQ(read_retry_after("Thu, 01 Jan 1970 00:01:40 GMT", 500), seconds(0));
  EXPECT_EQ(read_retry_after("-3", 0), seconds(0));
  EXPECT_EQ(read_retry_after("soon", 0), std::nullopt);
}

TEST(RandomFractions, AreFromZeroToBelowOne) {
  const auto random = random_fractions();
  for (int i = 0; i < 100; ++i) {
    const auto number = random();
    EXPECT_GE(number, 0.0);
    EXPECT_LT(number, 1.0);
  }
}

}  // namespace
}  // namespace metaflow::network
