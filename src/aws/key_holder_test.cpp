#include "aws/key_holder.hpp"

#include <latch>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <metaflow/error.hpp>

#include "base/files.hpp"
#include "base/random.hpp"

namespace metaflow::aws {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

struct HandClock : Clock {
  std::int64_t now_microseconds() override { return 1'000'000'000 + passed.count(); }
  std::int64_t steady_microseconds() override { return passed.count(); }
  std::int64_t now_s() { return now_microseconds() / 1'000'000; }
  std::chrono::microseconds passed{0};
};

/// A place whose keys a test changes.
class Keys : public testing::Test {
 protected:
  Keys() : path_(testing::TempDir() + "/keys" + random_name(8)) { replace_file(path_, "old"); }
  ~Keys() override { remove_file(path_); }

  FoundKeys find() {
    ++looks_;
    if (is_broken_) throw Error(ErrorCode::denied, "No keys");
    return next_;
  }
  void lasts(minutes time) { next_.expiry_s = clock_.now_s() + seconds(time).count(); }
  KeyWait wait(seconds limit) {
    return {.limit = limit,
            .sleep =
                [this](milliseconds time) {
                  clock_.passed += time;
                  on_sleep_();
                },
            .say = [this](const std::string& text) { said_.push_back(text); }};
  }
  void bring_new_keys() {
    next_.keys.key_id = "NEW";
    replace_file(path_, "new and longer");
  }

  HandClock clock_;
  std::string path_;
  FoundKeys next_{.keys = {"OLD", "secret"}, .origin = "a file", .renewal = Renewal::file, .watched_file = path_};
  int looks_ = 0;
  bool is_broken_ = false;
  std::function<void()> on_sleep_ = [] {};
  std::vector<std::string> said_;
  KeyHolder holder_{[this] { return find(); }, clock_};
};

TEST_F(Keys, AreLookedForOnceWhenTheyDoNotEnd) {
  EXPECT_EQ(holder_.keys().key_id, "OLD");
  clock_.passed += std::chrono::hours(1000);
  EXPECT_EQ(holder_.keys().key_id, "OLD");
  EXPECT_EQ(looks_, 1);
}

TEST_F(Keys, AreLookedForAgainAQuarterOfAnHourBeforeTheyEnd) {
  lasts(minutes(60));
  holder_.keys();
  clock_.passed += minutes(44);
  next_.keys.key_id = "NEW";
  EXPECT_EQ(holder_.keys().key_id, "OLD");
  clock_.passed += minutes(1);
  EXPECT_EQ(holder_.keys().key_id, "NEW");
  EXPECT_EQ(looks_, 2);
}

TEST_F(Keys, ThatAreStillGoodStayWhenTheirPlaceFails) {
  lasts(minutes(20));
  holder_.keys();
  is_broken_ = true;
  clock_.passed += minutes(19);
  EXPECT_EQ(holder_.keys().key_id, "OLD");
  clock_.passed += minutes(1);
  EXPECT_THROW(holder_.keys(), Error);
}

TEST_F(Keys, OfAPlaceThatGivesThemUntilTheirEndAreAskedForOnceAMinute) {
  lasts(minutes(5));
  for (int i = 0; i < 100; ++i) holder_.keys();
  EXPECT_EQ(looks_, 1);
  clock_.passed += minutes(1);
  for (int i = 0; i < 100; ++i) holder_.keys();
  EXPECT_EQ(looks_, 2);
}

TEST_F(Keys, ThatAreStillGoodAreGivenWhileAnotherThreadLooks) {
  lasts(minutes(14));
  std::latch is_looking(1), may_end(1);
  KeyHolder holder(
      [&] {
        const auto found = find();
        if (looks_ == 2) {
          is_looking.count_down();
          may_end.wait();
        }
        return found;
      },
      clock_);
  holder.keys();
  clock_.passed += minutes(2);
  next_.keys.key_id = "NEW";
  std::jthread other([&] { EXPECT_EQ(holder.keys().key_id, "NEW"); });
  is_looking.wait();
  EXPECT_EQ(holder.keys().key_id, "OLD");
  may_end.count_down();
  other.join();
  EXPECT_EQ(holder.keys().key_id, "NEW");
  EXPECT_EQ(looks_, 2);
}

TEST_F(Keys, AreReplacedWhenOthersAreThere) {
  const auto refused = holder_.keys();
  EXPECT_FALSE(holder_.replace(refused));
  bring_new_keys();
  EXPECT_TRUE(holder_.replace(refused));
  EXPECT_EQ(holder_.keys().key_id, "NEW");
  EXPECT_TRUE(holder_.replace(refused)) << "of another thread, later";
  EXPECT_EQ(looks_, 3);
}

TEST_F(Keys, AreNotReplacedByNone) {
  const auto refused = holder_.keys();
  is_broken_ = true;
  EXPECT_FALSE(holder_.replace(refused));
  EXPECT_EQ(holder_.keys().key_id, "OLD");
}

TEST_F(Keys, AreWaitedForUntilTheirFileIsWritten) {
  const auto refused = holder_.keys();
  on_sleep_ = [&] {
    if (clock_.passed == seconds(95)) bring_new_keys();
  };
  EXPECT_TRUE(wait_for_fresh_keys(holder_, refused, clock_, wait(minutes(30))));
  EXPECT_EQ(clock_.passed, seconds(95));
  EXPECT_EQ(looks_, 4) << "at first, once at once, once after a minute, and when the file was written";
  EXPECT_EQ(said_.size(), 2U);
  EXPECT_THAT(said_.front(), HasSubstr("Put new ones into '" + path_ + "'"));
}

TEST_F(Keys, AreWaitedForNoLongerThanTheLimit) {
  const auto refused = holder_.keys();
  EXPECT_FALSE(wait_for_fresh_keys(holder_, refused, clock_, wait(seconds(123))));
  EXPECT_EQ(clock_.passed, seconds(123));
  EXPECT_EQ(said_.size(), 3U);
}

TEST_F(Keys, ThatHaveEndedAreWaitedForWhilePlacesHaveNone) {
  lasts(minutes(20));
  const auto refused = holder_.keys();
  is_broken_ = true;
  clock_.passed += minutes(21);
  const auto start = clock_.passed;
  on_sleep_ = [&] {
    if (clock_.passed - start != seconds(10)) return;
    is_broken_ = false;
    lasts(minutes(20));
    bring_new_keys();
  };
  EXPECT_TRUE(wait_for_fresh_keys(holder_, refused, clock_, wait(minutes(30))));
  EXPECT_EQ(clock_.passed - start, seconds(10));
  EXPECT_EQ(holder_.keys().key_id, "NEW");
}

TEST_F(Keys, OfTheEnvironmentAreNotWaitedFor) {
  next_.renewal = Renewal::none;
  next_.watched_file = "";
  EXPECT_FALSE(wait_for_fresh_keys(holder_, holder_.keys(), clock_, wait(minutes(30))));
  EXPECT_EQ(clock_.passed, seconds(0));
}

TEST(Moment, IsReadInEachFormThatIsInUse) {
  for (const auto* text : {"2026-11-24T15:04:05Z", "2026-11-24T15:04:05.123Z", "2026-11-24T15:04:05UTC",
                           "2026-11-24T16:34:05+01:30", "2026-11-24T10:04:05-0500"})
    EXPECT_EQ(read_moment(text), 1'795'532'645) << text;
  for (const auto* text : {"", "soon", "2026-11-24", "2026-11-24T15:04:05", "2026-11-24T15:04:05Zulu",
                           "2026-11-24T15:04:05+1", "2026-11-24T15:04:05.Z1"})
    EXPECT_EQ(read_moment(text), std::nullopt) << text;
  EXPECT_EQ(moment_text(1'795'532'645), "2026-11-24 15:04:05 UTC");
}

TEST(Description, SaysHowLongKeysAreGood) {
  FoundKeys found{.keys = {"A", "s"}, .origin = "the environment"};
  EXPECT_EQ(description(found), "keys from the environment");
  found.keys.token = "t";
  EXPECT_EQ(description(found), "temporary keys from the environment, expiry unknown");
  found.expiry_s = 1'795'532'645;
  EXPECT_EQ(description(found), "temporary keys from the environment, good until 2026-11-24 15:04:05 UTC");
}

}  // namespace
}  // namespace metaflow::aws
