#include "gateway/module.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <metaflow/error.hpp>

#include "base/files.hpp"
#include "base/random.hpp"

namespace metaflow::gateway {
namespace {

using testing::HasSubstr;

/// What opening fails with.
std::string problem_of(const std::vector<std::string>& places) {
  try {
    open_module(places);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unavailable);
    return error.what();
  }
  return "none";
}

TEST(Module, IsTheFirstFileThatExists) {
  EXPECT_NE(open_module({"/nowhere/libmetaflow_cloud.so", THROWING_MODULE, OLD_MODULE}), nullptr);
}

TEST(Module, AnErrorOfItArrivesAsWhatItIs) {
  const auto cloud = open_module({THROWING_MODULE});
  try {
    cloud->status();
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::denied);
    EXPECT_STREQ(error.what(), "The door is closed");
    EXPECT_EQ(error.headline(), "Closed");
  }
  EXPECT_EQ(std::uncaught_exceptions(), 0);
}

TEST(Module, OfAnotherVersionIsRefused) {
  EXPECT_THAT(problem_of({OLD_MODULE}), HasSubstr("' belongs to Metaflow 2.0.0+cpp.0.0.1, and this is 2."));
}

TEST(Module, ThatIsMissingIsNamedWithAllPlaces) {
  EXPECT_EQ(
      problem_of({"/nowhere/a.so", "/nowhere/b.so"}),
      "The part of Metaflow that talks to AWS is missing: there is no file '/nowhere/a.so', '/nowhere/b.so'; install "
      "Metaflow again");
}

TEST(Module, ThatIsSomethingElseIsRefused) {
  const auto path = testing::TempDir() + "/module" + random_name(8);
  replace_file(path, "no library");
  EXPECT_THAT(problem_of({path}), HasSubstr("cannot be loaded: " + path));
  remove_file(path);
}

TEST(Module, IsFoundFromTheTestProgramInTheBuildFolder) { EXPECT_NE(open_module(module_places()), nullptr); }

}  // namespace
}  // namespace metaflow::gateway
