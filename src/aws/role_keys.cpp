#include <algorithm>

#include <metaflow/error.hpp>

#include "aws/key_sources.hpp"
#include "aws/sts.hpp"
#include "base/files.hpp"
#include "base/text.hpp"

namespace metaflow::aws {
namespace {

std::string default_session_name(const Search& search) { return "metaflow-" + std::to_string(search.now_s()); }

std::string text_of(const std::optional<ProfileValue>& value) { return value ? value->text : ""; }

Sts sts_for(const Search& search) {
  // As botocore does, also for the keys of a source profile: region and endpoint are those of the profile that was asked for.
  const auto& asked = search.led_here.empty() ? search.profile : search.led_here.front();
  return sts_of(search.around.environment, search.profiles, asked, search.around.http, search.around.clock);
}

bool has_static_keys(const Search& search) {
  return search.value("aws_access_key_id") || search.value("aws_secret_access_key");
}

bool has_role(const Search& search) { return search.value("role_arn") && !search.value("web_identity_token_file"); }

std::string loop_text(const Search& search, const std::string& next) {
  std::string text;
  for (const auto& name : search.led_here) text += "'" + name + "' -> ";
  return text + "'" + search.profile + "' -> '" + next + "'";
}

/// Keys of the profile that `source` names.
FoundKeys keys_of_source(const Search& search, const ProfileValue& source) {
  Search next = search;
  next.led_here.push_back(search.profile);
  next.profile = source.text;
  if (!search.profiles.has(source.text))
    throw Error(ErrorCode::invalid, source.place() + " names the profile '" + source.text +
                                        "', which does not exist; correct it, or add that profile");
  // A profile may name itself to say that its own keys take on its role.
  const bool is_own = source.text == search.profile;
  const bool was_there = is_own || std::ranges::find(search.led_here, source.text) != search.led_here.end();
  if (was_there && !(is_own && has_static_keys(next)))
    throw Error(ErrorCode::invalid, source.place() + " closes a circle of profiles (" + loop_text(search, source.text) +
                                        "); one of them needs keys of its own");
  auto looked = has_static_keys(next) || !has_role(next) ? look_at_profile(next) : look_at_role(next);
  if (looked.found) return std::move(*looked.found);
  throw Error(ErrorCode::denied, source.place() + " says that profile '" + source.text +
                                     "' has keys, and it has none; looked for " + looked.missing);
}

/// Keys of the place that `source` names.
FoundKeys keys_of_place(const Search& search, const ProfileValue& source) {
  Looked (*look)(const Search&) = source.text == "Environment"           ? look_at_environment
                                  : source.text == "EcsContainer"        ? look_at_container
                                  : source.text == "Ec2InstanceMetadata" ? look_at_machine
                                                                         : nullptr;
  if (!look)
    throw Error(ErrorCode::invalid, source.place() + " says credential_source = " + source.text +
                                        "; it has to be Environment, EcsContainer or Ec2InstanceMetadata");
  auto looked = look(search);
  if (looked.found) return std::move(*looked.found);
  throw Error(ErrorCode::denied, source.place() + " says that keys are in " + source.text +
                                     ", and there are none; looked for " + looked.missing);
}

FoundKeys source_keys(const Search& search, const ProfileValue& role) {
  const auto profile = search.value("source_profile"), place = search.value("credential_source");
  if (profile && place)
    throw Error(ErrorCode::invalid, "Profile '" + search.profile + "' has both source_profile (" + profile->place() +
                                        ") and credential_source (" + place->place() + "); remove one of them");
  if (profile) return keys_of_source(search, *profile);
  if (place) return keys_of_place(search, *place);
  throw Error(ErrorCode::invalid,
              role.place() + " names a role for profile '" + search.profile +
                  "', but not with whose keys to take it on; add source_profile or credential_source");
}

std::string duration_of(const Search& search) {
  const auto duration = search.value("duration_seconds");
  if (!duration) return "";
  if (duration->text.empty() || duration->text.find_first_not_of("0123456789") != std::string::npos)
    throw Error(ErrorCode::invalid, duration->place() + " says duration_seconds = " + duration->text +
                                        "; it has to be a number, such as 3600");
  return duration->text;
}

std::string code_for(const Search& search, const ProfileValue& serial) {
  if (search.around.ask_code) return search.around.ask_code(serial.text);
  throw Error(ErrorCode::denied, serial.place() + " says that the role of profile '" + search.profile +
                                     "' needs the code of the device " + serial.text +
                                     ", and there is no terminal to ask for it; start the program on one");
}

/// What STS gave, or why not, with whatever of it the user can change.
template <class Ask>
RoleKeys ask_for_role(const std::string& role_arn, const std::string& named_by, Ask ask) {
  try {
    return ask();
  } catch (const Error& error) {
    throw Error(error.code(),
                "The role " + role_arn + ", which " + named_by + " names, cannot be taken on: " + error.what());
  }
}

/// From the environment, but not for a profile that another role takes its keys from; else of the profile.
struct Named {
  std::string text, place;
};
std::optional<Named> named(const Search& search, const std::string& variable_name, const std::string& name) {
  if (search.led_here.empty())
    if (const auto text = search.environment(variable_name)) return Named{*text, variable_name};
  const auto value = search.value(name);
  if (!value || value->text.empty()) return std::nullopt;
  return Named{value->text, value->place()};
}

}  // namespace

Looked look_at_role(const Search& search) {
  if (!has_role(search)) return {.missing = "role_arn of profile '" + search.profile + "'"};
  const auto role = *search.value("role_arn");
  auto source = source_keys(search, role);
  RoleRequest request{.role_arn = role.text,
                      .session_name = text_of(search.value("role_session_name")),
                      .external_id = text_of(search.value("external_id")),
                      .duration_seconds = duration_of(search)};
  if (request.session_name.empty()) request.session_name = default_session_name(search);
  if (const auto serial = search.value("mfa_serial")) {
    request.serial = serial->text;
    request.code = code_for(search, *serial);
  }
  FixedKeys keys(source.keys);
  auto lent = ask_for_role(role.text, role.place(), [&] { return sts_for(search).assume_role(request, keys); });
  return {.found =
              FoundKeys{.keys = std::move(lent.keys),
                        .expiry_s = lent.expiry_s,
                        .origin = "the role " + role.text + " of " + role.place() + ", by keys from " + source.origin,
                        .renewal = source.renewal == Renewal::file ? Renewal::file : Renewal::service,
                        .watched_file = source.watched_file}};
}

Looked look_at_web_identity(const Search& search) {
  const auto file = named(search, "AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file");
  if (!file) return {.missing = "AWS_WEB_IDENTITY_TOKEN_FILE"};
  const auto role = named(search, "AWS_ROLE_ARN", "role_arn");
  if (!role)
    throw Error(ErrorCode::invalid, file->place + " names a token in '" + file->text +
                                        "', but not for which role; set AWS_ROLE_ARN, or role_arn of profile '" +
                                        search.profile + "'");
  const auto token = read_text_file(file->text);
  if (!token)
    throw Error(ErrorCode::not_found,
                "There is no file '" + file->text + "', which " + file->place + " names; it should hold a token");
  const auto session = named(search, "AWS_ROLE_SESSION_NAME", "role_session_name");
  const RoleRequest request{.role_arn = role->text,
                            .session_name = session ? session->text : default_session_name(search),
                            .web_identity_token = std::string(trimmed(*token))};
  auto lent =
      ask_for_role(role->text, role->place, [&] { return sts_for(search).assume_role_with_web_identity(request); });
  return {.found = FoundKeys{.keys = std::move(lent.keys),
                             .expiry_s = lent.expiry_s,
                             .origin = "the role " + role->text + " for the token in '" + file->text + "'",
                             .renewal = Renewal::file,
                             .watched_file = file->text}};
}

}  // namespace metaflow::aws
