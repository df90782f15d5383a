#include <metaflow/error.hpp>

#include "aws/key_sources.hpp"

namespace metaflow::aws {
namespace {

/// Keys of this kind are never good alone.
void check_token(const std::string& key_id, const std::string& token, const std::string& place,
                 const std::string& token_name) {
  if (token.empty() && key_id.starts_with("ASIA"))
    throw Error(ErrorCode::invalid, place + ": the temporary key " + key_id + " needs " + token_name +
                                        " too; add it there, or get all three anew");
}

using FileValue = std::optional<ProfileValue> (Profiles::*)(const std::string&, const std::string&) const;

Looked look_at_file(const Search& search, const std::string& path, FileValue value_of) {
  const auto value = [&](const char* name) { return (search.profiles.*value_of)(search.profile, name); };
  const auto key_id = value("aws_access_key_id");
  if (!key_id) return {.missing = "keys of profile '" + search.profile + "' in '" + path + "'"};
  const auto secret = value("aws_secret_access_key");
  if (key_id->text.empty() || !secret || secret->text.empty())
    throw Error(ErrorCode::invalid, key_id->place() + " begins the keys of profile '" + search.profile + "', but " +
                                        (key_id->text.empty() ? "aws_access_key_id" : "aws_secret_access_key") +
                                        " has no value there; add it, or remove the keys");
  auto token = value("aws_session_token");
  if (!token) token = value("aws_security_token");
  check_token(key_id->text, token ? token->text : "", key_id->place(), "aws_session_token");
  return {.found = FoundKeys{.keys = {key_id->text, secret->text, token ? token->text : ""},
                             .origin = key_id->place(),
                             .renewal = Renewal::file,
                             .watched_file = path}};
}

std::optional<std::int64_t> expiry_in_environment(const Search& search) {
  const auto text = search.environment("AWS_CREDENTIAL_EXPIRATION");
  if (!text) return std::nullopt;
  const auto expiry = read_moment(*text);
  if (!expiry)
    throw Error(ErrorCode::invalid, "AWS_CREDENTIAL_EXPIRATION is '" + *text +
                                        "', which is no moment like 2026-11-24T15:04:05Z; correct it, or unset it");
  return expiry;
}

}  // namespace

Looked look_at_environment(const Search& search) {
  const auto key_id = search.environment("AWS_ACCESS_KEY_ID");
  if (!key_id) return {.missing = "AWS_ACCESS_KEY_ID in the environment"};
  const auto secret = search.environment("AWS_SECRET_ACCESS_KEY");
  if (!secret)
    throw Error(ErrorCode::invalid,
                "AWS_ACCESS_KEY_ID is set in the environment and AWS_SECRET_ACCESS_KEY is not; set both or none");
  auto token = search.environment("AWS_SECURITY_TOKEN");
  if (const auto usual = search.environment("AWS_SESSION_TOKEN")) token = usual;
  check_token(*key_id, token.value_or(""), "The environment", "AWS_SESSION_TOKEN");
  return {.found = FoundKeys{.keys = {*key_id, *secret, token.value_or("")},
                             .expiry_s = expiry_in_environment(search),
                             .origin = "the environment",
                             .renewal = Renewal::none}};
}

Looked look_at_credentials_file(const Search& search) {
  return look_at_file(search, search.profiles.credentials_path(), &Profiles::credentials_value);
}

Looked look_at_login_session(const Search& search) {
  if (const auto login = search.value("login_session"))
    throw Error(ErrorCode::denied,
                login->place() + " says that profile '" + search.profile +
                    "' was signed in by 'aws login', which cannot be used here; set keys in the environment: "
                    "eval \"$(aws configure export-credentials --profile " +
                    search.profile + " --format env)\"");
  return {};
}

Looked look_at_config_file(const Search& search) {
  return look_at_file(search, search.profiles.config_path(), &Profiles::config_value);
}

}  // namespace metaflow::aws
