#include "aws/key_chain.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <metaflow/error.hpp>

#include "base/files.hpp"
#include "base/random.hpp"

namespace metaflow::aws {
namespace {

using testing::HasSubstr;
using testing::Not;

class KeyChain : public testing::Test {
 protected:
  KeyChain() : home_(testing::TempDir() + "/chain" + random_name(8)) {}
  ~KeyChain() override { remove_tree(home_); }

  void config(const std::string& text) const { replace_file(home_ + "/.aws/config", text); }
  void credentials(const std::string& text) const { replace_file(home_ + "/.aws/credentials", text); }
  FoundKeys find() {
    return find_keys({.environment = environment_, .home = home_, .http = http_, .clock = system_clock()});
  }
  std::string problem() {
    try {
      return "keys from " + find().origin;
    } catch (const Error& error) {
      code_ = error.code();
      return error.what();
    }
  }

  std::string home_;
  Environment environment_{{"AWS_EC2_METADATA_DISABLED", "true"}};
  network::HttpClient http_;
  ErrorCode code_ = ErrorCode::internal;
};

TEST_F(KeyChain, TakesTheEnvironmentFirst) {
  credentials("[default]\naws_access_key_id = FILE\naws_secret_access_key = s\n");
  environment_ = {{"AWS_ACCESS_KEY_ID", "ENV"}, {"AWS_SECRET_ACCESS_KEY", "s"}, {"AWS_SECURITY_TOKEN", "old"}};
  const auto found = find();
  EXPECT_EQ(found.keys.key_id, "ENV");
  EXPECT_EQ(found.keys.token, "old");
  EXPECT_EQ(found.renewal, Renewal::none);
  environment_["AWS_SESSION_TOKEN"] = "new";
  EXPECT_EQ(find().keys.token, "new");
  environment_["AWS_PROFILE"] = "nobody";
  EXPECT_EQ(find().keys.key_id, "ENV");
}

TEST_F(KeyChain, TakesTheCredentialsFileBeforeTheConfigFile) {
  config("[default]\naws_access_key_id = CONFIG\naws_secret_access_key = s\n");
  EXPECT_EQ(find().keys.key_id, "CONFIG");
  credentials("# mine\n[default]\naws_access_key_id = FILE\naws_secret_access_key = s\naws_session_token = t\n");
  const auto found = find();
  EXPECT_EQ(found.keys.key_id, "FILE");
  EXPECT_EQ(found.keys.token, "t");
  EXPECT_EQ(found.origin, "'" + home_ + "/.aws/credentials' line 3");
  EXPECT_EQ(found.watched_file, home_ + "/.aws/credentials");
  EXPECT_EQ(found.renewal, Renewal::file);
}

TEST_F(KeyChain, TakesTheProfileAskedFor) {
  credentials(
      "[default]\naws_access_key_id = ONE\naws_secret_access_key = s\n"
      "[other]\naws_access_key_id = TWO\naws_secret_access_key = s\n");
  environment_["AWS_PROFILE"] = "other";
  EXPECT_EQ(find().keys.key_id, "TWO");
  environment_["AWS_PROFILE"] = "third";
  EXPECT_EQ(problem(), "There is no profile 'third' in '" + home_ + "/.aws/config' and '" + home_ +
                           "/.aws/credentials'; correct AWS_PROFILE, or unset it");
}

TEST_F(KeyChain, RefusesHalfAKeyWithItsPlace) {
  credentials("[default]\n\naws_access_key_id = ONE\n");
  EXPECT_EQ(problem(), "'" + home_ +
                           "/.aws/credentials' line 3 begins the keys of profile 'default', but aws_secret_access_key "
                           "has no value there; add it, or remove the keys");
  EXPECT_EQ(code_, ErrorCode::invalid);
  environment_["AWS_ACCESS_KEY_ID"] = "ENV";
  EXPECT_THAT(problem(), HasSubstr("AWS_SECRET_ACCESS_KEY is not; set both or none"));
}

TEST_F(KeyChain, RefusesATemporaryKeyWithoutItsToken) {
  credentials("[default]\naws_access_key_id = ASIA1\naws_secret_access_key = s\n");
  EXPECT_THAT(problem(), HasSubstr("line 2: the temporary key ASIA1 needs aws_session_token too"));
  environment_["AWS_ACCESS_KEY_ID"] = "ASIA2";
  environment_["AWS_SECRET_ACCESS_KEY"] = "s";
  EXPECT_THAT(problem(), HasSubstr("The environment: the temporary key ASIA2 needs AWS_SESSION_TOKEN too"));
}

TEST_F(KeyChain, KnowsWhenKeysOfTheEnvironmentEnd) {
  environment_ = {{"AWS_ACCESS_KEY_ID", "ENV"},
                  {"AWS_SECRET_ACCESS_KEY", "s"},
                  {"AWS_SESSION_TOKEN", "t"},
                  {"AWS_CREDENTIAL_EXPIRATION", "2999-01-01T00:00:00+00:00"}};
  EXPECT_EQ(find().expiry_s, read_moment("2999-01-01T00:00:00Z"));
  environment_["AWS_CREDENTIAL_EXPIRATION"] = "2001-01-01T00:00:00Z";
  EXPECT_EQ(problem(),
            "The keys from the environment have expired at 2001-01-01 00:00:00 UTC; get new ones there, and start "
            "the program again");
  environment_["AWS_CREDENTIAL_EXPIRATION"] = "tomorrow";
  EXPECT_THAT(problem(), HasSubstr("AWS_CREDENTIAL_EXPIRATION is 'tomorrow'"));
}

TEST_F(KeyChain, SaysWhatToDoAboutAwsLogin) {
  config("[default]\nlogin_session = arn:aws:iam::123456789012:user/ada\n");
  EXPECT_THAT(problem(), HasSubstr("aws configure export-credentials --profile default --format env"));
  credentials("[default]\naws_access_key_id = FILE\naws_secret_access_key = s\n");
  EXPECT_EQ(find().keys.key_id, "FILE");
}

TEST_F(KeyChain, NamesAllPlacesWhenThereAreNoKeys) {
  const auto said = problem();
  EXPECT_EQ(code_, ErrorCode::denied);
  for (const auto& place : {std::string("AWS_ACCESS_KEY_ID in the environment"),
                            "keys of profile 'default' in '" + home_ + "/.aws/credentials'",
                            "keys of profile 'default' in '" + home_ + "/.aws/config'"})
    EXPECT_THAT(said, HasSubstr(place));
  EXPECT_THAT(said, HasSubstr("or run 'aws configure'"));
}

}  // namespace
}  // namespace metaflow::aws
