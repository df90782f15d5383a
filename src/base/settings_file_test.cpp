#include "base/settings_file.hpp"

#include <cstdlib>
#include <filesystem>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <metaflow/error.hpp>

#include "base/configuration.hpp"
#include "base/files.hpp"
#include "base/known_settings.hpp"
#include "base/random.hpp"

namespace metaflow {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

std::string invalid(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid) << error.what();
    return error.what();
  }
  return "no error";
}

/// Runs in a folder of its own, where nothing is set.
class SettingsFile : public testing::Test {
 protected:
  void SetUp() override {
    for (const auto* name : {"METAFLOW_PROFILE", "METAFLOW_USER", "METAFLOW_S3_RETRY_COUNT"}) ::unsetenv(name);
    ::setenv("METAFLOW_HOME", path("home").c_str(), 1);
    fs::create_directories(folder_ / "project/below");
    fs::current_path(folder_ / "project/below");
  }
  void TearDown() override {
    fs::current_path("/");
    fs::remove_all(folder_);
  }
  std::string path(const std::string& name) const { return folder_ / name; }
  void configure(const std::string& text) const { replace_file(path("home/config.json"), text); }

  const fs::path folder_ = fs::temp_directory_path() / ("settings_file_test_" + random_name(8));
};

TEST_F(SettingsFile, WhatIsNoJsonIsNamedByLineAndColumn) {
  configure("{\n  \"METAFLOW_USER\": \"ann\"\n  \"METAFLOW_UI_URL\": 1\n}");
  EXPECT_THAT(invalid([&] { (void)read_settings(path("home/config.json")); }),
              HasSubstr("home/config.json' is damaged: it is no JSON at line 3, column 3"));
  configure("{");
  EXPECT_THAT(invalid([&] { (void)read_settings(path("home/config.json")); }), HasSubstr("line 1, column 2"));
  configure(R"({"a" "b\"c\\"})");
  EXPECT_THAT(invalid([&] { (void)read_settings(path("home/config.json")); }), HasSubstr("line 1, column 6"));
  configure("[1]");
  EXPECT_THAT(invalid([&] { (void)read_settings(path("home/config.json")); }), HasSubstr("one JSON object"));
}

TEST_F(SettingsFile, AWrittenFileIsItsOwnersAloneAndSorted) {
  write_settings(path("home/config.json"), {{"B", "\u00e9"}, {"A", JsonValue::array()}});
  EXPECT_EQ(read_text_file(path("home/config.json")), "{\n    \"A\": [],\n    \"B\": \"\\u00e9\"\n}");
  EXPECT_EQ(fs::status(path("home/config.json")).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(SettingsFile, ALinkStaysAndItsFileIsReplaced) {
  replace_file(path("dotfiles/config.json"), "{}");
  fs::create_directories(path("home"));
  fs::create_symlink("../dotfiles/config.json", path("home/config.json"));
  write_settings(path("home/config.json"), {{"A", 1}});
  EXPECT_TRUE(fs::is_symlink(path("home/config.json")));
  EXPECT_THAT(*read_text_file(path("dotfiles/config.json")), HasSubstr("\"A\": 1"));
}

TEST_F(SettingsFile, AProfileIsAPartOfAFileName) {
  EXPECT_EQ(profile_file(""), path("home/config.json"));
  EXPECT_EQ(profile_file("work"), path("home/config_work.json"));
  EXPECT_THAT(invalid([] { (void)profile_file("../work"); }), HasSubstr("no '/' may be in it"));
}

TEST_F(SettingsFile, TheNearestSourceWinsAndTheOthersAreKnown) {
  EXPECT_EQ(Configuration::read().find("DEFAULT_DATASTORE")->origin, SettingOrigin::fallback);
  configure(R"({"METAFLOW_USER": "home"})");
  replace_file(path("project/.metaflow/config.json"), R"({"METAFLOW_USER": "project"})");
  ::setenv("METAFLOW_USER", "", 1);  // set, though to nothing
  const auto values = Configuration::read().all_values("USER");
  ASSERT_EQ(values.size(), 3u);
  EXPECT_EQ(values[0].text, "");
  EXPECT_EQ(values[0].described_place(), "in the environment");
  EXPECT_EQ(values[1].described_place(), path("project/.metaflow/config.json"));
  EXPECT_EQ(values[2].described_place(), path("home/config.json"));
  ::unsetenv("METAFLOW_USER");
}

TEST_F(SettingsFile, AProfileThatIsNamedMustBeThereUnlessItIsToBeMade) {
  ::setenv("METAFLOW_PROFILE", "work", 1);
  EXPECT_THAT(invalid([] { (void)Configuration::read(); }), HasSubstr("config_work.json"));
  EXPECT_EQ(Configuration::read_profile("work").text("USER"), std::nullopt);
}

TEST_F(SettingsFile, AValueIsReadAsItsDefaultIs) {
  configure(R"({"METAFLOW_S3_RETRY_COUNT": "9", "METAFLOW_SPIN_PERSIST": "False",
                "METAFLOW_SPIN_ALLOWED_DECORATORS": ["retry"], "METAFLOW_SPIN_DISALLOWED_DECORATORS": "[\"x\"]"})");
  const auto configuration = Configuration::read();
  EXPECT_EQ(configuration.integer("S3_RETRY_COUNT"), 9);
  EXPECT_EQ(configuration.integer("S3_WORKER_COUNT"), 64);
  EXPECT_FALSE(configuration.flag("SPIN_PERSIST"));
  EXPECT_TRUE(configuration.flag("INCLUDE_FOREACH_STACK"));
  EXPECT_THAT(configuration.list("SPIN_ALLOWED_DECORATORS"), ElementsAre("retry"));
  EXPECT_THAT(configuration.list("SPIN_DISALLOWED_DECORATORS"), ElementsAre("x"));
}

TEST_F(SettingsFile, AValueOfAnotherKindIsAnErrorThatNamesItsPlace) {
  configure(R"({"METAFLOW_S3_RETRY_COUNT": "many", "METAFLOW_SPIN_ALLOWED_DECORATORS": [1]})");
  const auto configuration = Configuration::read();
  EXPECT_THAT(
      invalid([&] { (void)configuration.integer("S3_RETRY_COUNT"); }),
      HasSubstr("METAFLOW_S3_RETRY_COUNT (" + path("home/config.json") + ") should be a whole number, not 'many'"));
  EXPECT_THAT(invalid([&] { (void)configuration.list("SPIN_ALLOWED_DECORATORS"); }), HasSubstr("list of strings"));
}

TEST(KnownSettings, AFlagIsFalseForNothingZeroAndFalse) {
  for (const auto* text : {"", "0", "false", "FALSE", "False"}) EXPECT_FALSE(flag_of(text)) << text;
  for (const auto* text : {"1", "true", "no", " "}) EXPECT_TRUE(flag_of(text)) << text;
}

TEST(KnownSettings, EachHasAMeaningAndADefaultOfItsKind) {
  for (const auto& known : known_settings()) {
    EXPECT_FALSE(known.meaning.empty()) << known.name;
    EXPECT_EQ(find_known_setting(known.name), &known);
    if (known.fallback.empty()) continue;
    EXPECT_EQ(mistake_in_value(known, std::string(known.fallback)), std::nullopt) << known.name;
  }
}

TEST(KnownSettings, SecretsAreKnownByNameOrByTheirLooks) {
  for (const auto* name : {"SERVICE_AUTH_KEY", "SERVICE_HEADERS", "AWS_SANDBOX_API_KEY", "MY_TOKEN"})
    EXPECT_TRUE(is_secret_setting(name)) << name;
  for (const auto* name : {"USER", "KUBERNETES_SECRETS", "BATCH_JOB_QUEUE"})
    EXPECT_FALSE(is_secret_setting(name)) << name;
}

}  // namespace
}  // namespace metaflow
