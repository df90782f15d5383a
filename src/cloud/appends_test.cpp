#include "cloud/appends.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace metaflow::cloud {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto never = std::chrono::hours(1);

/// What was written, and what becomes of it.
class AppendsTest : public testing::Test {
 protected:
  void write(std::vector<Appends::Grown>& texts) {
    const std::scoped_lock lock(mutex_);
    if (!errors_.empty()) {
      const auto error = errors_.front();
      errors_.erase(errors_.begin());
      throw Error(error);
    }
    for (auto& text : texts) {
      if (text.is_new) text.before = std::exchange(before_, "");
      written_.push_back(text.key + ": " + text.before + text.text);
    }
    news_.notify_all();
  }
  void open(milliseconds wait) {
    appends_.emplace([this](std::vector<Appends::Grown>& texts) { write(texts); }, wait);
  }
  void wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(news_.wait_for(lock, std::chrono::seconds(60), [&] { return written_.size() >= count; }));
  }
  std::vector<std::string> written() {
    const std::scoped_lock lock(mutex_);
    return written_;
  }

  std::mutex mutex_;
  std::condition_variable news_;
  std::string before_;
  std::vector<Error> errors_;
  std::vector<std::string> written_;
  std::optional<Appends> appends_;
};

TEST_F(AppendsTest, ATextIsWrittenOnceForAllThatCameMeanwhile) {
  open(never);
  appends_->append("a", "1");
  appends_->append("a", "2");
  appends_->append("b", "3");
  EXPECT_THAT(written(), IsEmpty());
  appends_->settle("a");
  wait_for(1);
  EXPECT_THAT(written(), ElementsAre("a: 12"));
}

TEST_F(AppendsTest, ATextThatGrowsIsWrittenWholeAfterAWhile) {
  open(milliseconds(1));
  appends_->append("a", "1");
  wait_for(1);
  appends_->append("a", "2");
  wait_for(2);
  EXPECT_THAT(written(), ElementsAre("a: 1", "a: 12"));
}

TEST_F(AppendsTest, FlushingWaitsUntilItIsWritten) {
  open(never);
  appends_->append("a", "1");
  appends_->append("b", "2");
  appends_->flush("other");
  EXPECT_THAT(written(), IsEmpty());
  appends_->flush("a");
  EXPECT_THAT(written(), ElementsAre("a: 1"));
  appends_->flush_all();
  appends_->flush("a");
  EXPECT_THAT(written(), ElementsAre("a: 1", "b: 2"));
}

TEST_F(AppendsTest, WhatIsLeftIsWrittenAtTheEnd) {
  open(never);
  appends_->append("a", "1");
  appends_.reset();
  EXPECT_THAT(written(), ElementsAre("a: 1"));
}

TEST_F(AppendsTest, WhatWasThereBeforeStays) {
  before_ = "0";
  open(never);
  appends_->append("a", "1");
  appends_->flush("a");
  appends_->append("a", "2");
  appends_->flush("a");
  EXPECT_THAT(written(), ElementsAre("a: 01", "a: 012"));
}

TEST_F(AppendsTest, ASettledTextIsForgotten) {
  open(never);
  appends_->append("a", "1");
  appends_->settle("a");
  appends_->flush("a");
  appends_->append("a", "2");
  appends_->flush("a");
  EXPECT_THAT(written(), ElementsAre("a: 1", "a: 2"));
}

TEST_F(AppendsTest, WhatMayPassIsTriedAgainAndToldToWhoWaits) {
  errors_ = {Error(ErrorCode::unavailable, "not now")};
  open(never);
  appends_->append("a", "1");
  EXPECT_THROW(appends_->flush("a"), Error);
  appends_->append("a", "2");
  appends_->flush("a");
  EXPECT_THAT(written(), ElementsAre("a: 12"));
}

TEST_F(AppendsTest, WhatIsDeniedIsToldTheNextWriterOnce) {
  errors_ = {Error(ErrorCode::denied, "not for you")};
  open(never);
  appends_->append("a", "1");
  EXPECT_THROW(appends_->flush("a"), Error);
  EXPECT_THROW(appends_->append("a", "2"), Error);
  appends_->append("b", "3");
  appends_->flush_all();
  EXPECT_THAT(written(), ElementsAre("b: 3"));
}

}  // namespace
}  // namespace metaflow::cloud
