#include <metaflow/error.hpp>

#include "aws/errors.hpp"
#include "aws/key_sources.hpp"
#include "aws/region.hpp"
#include "base/files.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"

namespace metaflow::aws {
namespace {

/// What a profile and its session say; the session is empty for the older form without one.
struct SignIn {
  std::string session, start_url, region, account, role;

  /// What to type to sign in anew.
  std::string command(const std::string& profile) const {
    return session.empty() ? "aws sso login --profile " + profile : "aws sso login --sso-session " + session;
  }
};

struct SsoSettings {
  const Search& search;
  std::optional<ProfileValue> session = search.value("sso_session");

  std::string text(const std::string& name) const {
    const auto own = search.value(name);
    const auto common =
        session ? search.profiles.section_value("sso-session", session->text, name) : std::optional<ProfileValue>();
    if (own && common && own->text != common->text)
      throw Error(ErrorCode::invalid,
                  own->place() + " and " + common->place() + " do not agree on " + name + "; remove the first one");
    if (!own && !common)
      throw Error(ErrorCode::invalid, "Profile '" + search.profile + "' is to sign in by SSO, but " + name +
                                          " is missing in " + where_to_add() + "; run 'aws configure sso'");
    return own ? own->text : common->text;
  }

  std::string where_to_add() const {
    return "'" + search.profiles.config_path() + "'" + (session ? ", in [sso-session " + session->text + "]" : "");
  }
};

SignIn read_sign_in(const Search& search) {
  const SsoSettings settings{search};
  return {.session = settings.session ? settings.session->text : "",
          .start_url = settings.text("sso_start_url"),
          .region = settings.text("sso_region"),
          .account = settings.text("sso_account_id"),
          .role = settings.text("sso_role_name")};
}

[[noreturn]] void ask_to_sign_in(const Search& search, const SignIn& sign_in, const std::string& why) {
  throw Error(ErrorCode::denied, "Profile '" + search.profile + "' signs in by SSO: " + why + "; run '" +
                                     sign_in.command(search.profile) + "'");
}

/// That `aws sso login` has left in `file`.
std::string read_access_token(const Search& search, const SignIn& sign_in, const std::string& file) {
  const auto text = read_text_file(file);
  if (!text) ask_to_sign_in(search, sign_in, "nobody has signed in yet, as there is no '" + file + "'");
  const auto json = parse_json(*text, file);
  const auto expires = json_member<std::string>(json, "expiresAt", file);
  const auto expiry = read_moment(expires);
  if (!expiry || *expiry <= search.now_s())
    ask_to_sign_in(search, sign_in,
                   "the sign-in in '" + file + "' has ended" + (expiry ? " at " + moment_text(*expiry) : ""));
  return json_member<std::string>(json, "accessToken", file);
}

std::string portal_of(const Search& search, const std::string& region) {
  const auto custom = custom_endpoint(search.around.environment, search.profiles, search.profile, "SSO");
  return custom ? *custom : aws_endpoint(search.around.environment, "portal.sso", region);
}

network::Request request_for(const Search& search, const SignIn& sign_in, std::string token, const std::string& file) {
  network::Request request;
  request.url = portal_of(search, sign_in.region) + "/federation/credentials?" +
                encode_query({{"role_name", sign_in.role}, {"account_id", sign_in.account}});
  request.headers = {{"x-amz-sso_bearer_token", header_value(std::move(token), file)}};
  return request;
}

FoundKeys read_answer(const network::Response& response, const std::string& from) {
  const auto json = parse_json(response.body.text(), from);
  const auto keys = json_member<JsonValue>(json, "roleCredentials", from);
  return {.keys = {json_member<std::string>(keys, "accessKeyId", from),
                   json_member<std::string>(keys, "secretAccessKey", from),
                   json_member<std::string>(keys, "sessionToken", from)},
          .expiry_s = json_member<std::int64_t>(keys, "expiration", from) / 1000};
}

}  // namespace

Looked look_at_sso(const Search& search) {
  if (!search.value("sso_account_id") && !search.value("sso_role_name"))
    return {.missing = "sso_account_id of profile '" + search.profile + "'"};
  const auto sign_in = read_sign_in(search);
  const auto name = sign_in.session.empty() ? sign_in.start_url : sign_in.session;
  const auto file = search.around.home + "/.aws/sso/cache/" + sha1_hex(std::as_bytes(std::span(name))) + ".json";
  auto request = request_for(search, sign_in, read_access_token(search, sign_in, file), file);
  const auto portal = "the SSO portal at " + portal_of(search, sign_in.region);
  const auto response = fetch(search, std::move(request), {.tries = 3, .limit = std::chrono::seconds(10)});
  if (response.status == 401) ask_to_sign_in(search, sign_in, "the sign-in in '" + file + "' is no longer accepted");
  if (response.problem != network::Problem::none)
    throw Error(ErrorCode::unavailable, "No answer from " + portal + ": " + problem_of(response) +
                                            "; check the network, and sso_region in '" + search.profiles.config_path() +
                                            "'");
  if (response.status != 200)
    throw Error(ErrorCode::denied, "No keys for the role " + sign_in.role + " of account " + sign_in.account +
                                       " from " + portal + ": " + read_error(response).sentence());
  auto found = read_answer(response, "the answer of " + portal);
  found.origin = "the SSO role " + sign_in.role + " of account " + sign_in.account;
  found.renewal = Renewal::file;
  found.watched_file = file;
  return {.found = std::move(found)};
}

}  // namespace metaflow::aws
