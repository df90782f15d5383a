#include "compute/remote_task.hpp"

#include <csignal>
#include <cstdio>

#include <gmock/gmock.h>

#include <unistd.h>

#include "compute/launchers.hpp"
#include "storage/object_store.hpp"

namespace metaflow::compute {
namespace {

using datastore::LogSource;
using datastore::LogStream;
using testing::ContainsRegex;
using testing::HasSubstr;

class RemoteTaskTest : public testing::Test {
 protected:
  /// Runs a task of this body.
  int run(const std::function<bool()>& body) {
    const auto launcher = make_fork_launcher([&](const runtime::TaskRequest&, const runtime::AwaitNodes&) {
      return runtime::TaskOutcome{.succeeded = body()};
    });
    return run_remote_task({.request = {.step = "work", .run = "12", .task = "3", .attempt = 1}}, *launcher, logs_,
                           system_clock());
  }
  std::string log(LogStream stream) const { return logs_.read_log({"12", "work", "3"}, 1, LogSource::task, stream); }

  std::unique_ptr<storage::ObjectStore> store_ = storage::make_memory_store();
  datastore::TaskStore logs_{*store_, "Films"};
};

TEST_F(RemoteTaskTest, WhatIsPrintedIsStoredLineByLine) {
  EXPECT_EQ(run([] {
              std::puts("one\ntwo");
              std::fputs("half", stderr);
              return true;
            }),
            0);
  EXPECT_THAT(log(LogStream::out), ContainsRegex(R"(^\[MFLOG\|0\|[^|]*Z\|task\|[0-9]*\]one
\[MFLOG\|0\|[^|]*Z\|task\|[0-9]*\]two
$)"));
  EXPECT_THAT(log(LogStream::err), HasSubstr("]half\n"));
}
TEST_F(RemoteTaskTest, AFailureIsTheExitCode) {
  EXPECT_EQ(run([] { return false; }), 1);
}
TEST_F(RemoteTaskTest, ASignalIsToldAndItsNumberIsInTheExitCode) {
  EXPECT_EQ(run([] { return ::raise(SIGKILL) == 0; }), 128 + SIGKILL);
  EXPECT_THAT(log(LogStream::err), HasSubstr("ended by signal 9 (Killed)"));
}
TEST_F(RemoteTaskTest, WhoEndsTheJobEndsTheTask) {
  EXPECT_EQ(run([parent = ::getpid()] {
              ::kill(parent, SIGTERM);
              while (true) ::pause();
              return true;
            }),
            128 + SIGTERM);
}
TEST(LogInterval, GrowsFromAQuarterOfASecondToHalfAMinute) {
  using std::chrono::milliseconds, std::chrono::seconds;
  EXPECT_LT(log_interval(seconds(0)), milliseconds(300));
  EXPECT_NEAR(static_cast<double>(log_interval(seconds(900)).count()), 15'250, 50);
  EXPECT_GT(log_interval(seconds(7'200)), seconds(30));
}

}  // namespace
}  // namespace metaflow::compute
