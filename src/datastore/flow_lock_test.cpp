#include "datastore/flow_lock.hpp"

#include <filesystem>
#include <thread>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/random.hpp"

namespace metaflow::datastore {
namespace {

namespace fs = std::filesystem;

class FlowLockTest : public testing::Test {
 protected:
  ~FlowLockTest() override { fs::remove_all(root_); }

  FlowLock share(IfAbsent if_absent = IfAbsent::make) {
    return FlowLock::share(*store_, "Films", if_absent, [this] { on_wait_(); });
  }

  const fs::path root_ = fs::temp_directory_path() / ("lock_test_" + random_name(8));
  std::unique_ptr<storage::ObjectStore> store_ = storage::open_directory_store(root_);
  std::function<void()> on_wait_ = [] { FAIL() << "nobody holds it alone"; };
};

TEST_F(FlowLockTest, ManyHoldItTogetherAndNobodyAloneMeanwhile) {
  const auto first = share(), second = share();
  EXPECT_FALSE(FlowLock::take(root_, "Films"));
}

TEST_F(FlowLockTest, ItIsFreeWhenTheLastHolderIsGone) {
  { const auto held = share(); }
  EXPECT_TRUE(FlowLock::take(root_, "Films"));
}

TEST_F(FlowLockTest, WhoWantsToShareItWaitsForOneWhoHoldsItAlone) {
  auto alone = FlowLock::take(root_, "Films");
  int waits = 0;
  on_wait_ = [&] {
    ++waits;
    alone.reset();
  };
  const auto held = share();
  EXPECT_EQ(waits, 1);
  EXPECT_FALSE(FlowLock::take(root_, "Films"));
}

TEST_F(FlowLockTest, AFlowThatIsNotThereIsOnlyMadeWhenItBegins) {
  share(IfAbsent::pass);
  EXPECT_FALSE(fs::exists(root_));
  share(IfAbsent::make);
  EXPECT_TRUE(fs::exists(root_ / "Films/.lock"));
}

TEST_F(FlowLockTest, EverybodyMayLockWhateverTheUmask) {
  const auto before = ::umask(0077);
  share();
  ::umask(before);
  EXPECT_EQ(fs::status(root_ / "Films/.lock").permissions() & fs::perms(0666), fs::perms(0666));
}

TEST_F(FlowLockTest, AStoreThatIsNoFolderHasNoLock) {
  const auto memory = storage::make_memory_store();
  FlowLock::share(*memory, "Films", IfAbsent::make, on_wait_);
}

}  // namespace
}  // namespace metaflow::datastore
