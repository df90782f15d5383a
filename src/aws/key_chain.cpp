#include "aws/key_chain.hpp"

#include <array>

#include <metaflow/error.hpp>

#include "aws/key_sources.hpp"

namespace metaflow::aws {
namespace {

using Look = Looked (*)(const Search&);

constexpr std::array places = std::to_array<Look>({
    look_at_environment,
    look_at_role,
    look_at_web_identity,
    look_at_sso,
    look_at_credentials_file,
    look_at_login_session,
    look_at_process,
    look_at_config_file,
    look_at_container,
    look_at_machine,
});

void check_profile(const Search& search, const ProfileChoice& choice) {
  if (choice.is_default || search.profiles.has(choice.name)) return;
  throw Error(ErrorCode::not_found, "There is no profile '" + choice.name + "' in '" + search.profiles.config_path() +
                                        "' and '" + search.profiles.credentials_path() +
                                        "'; correct AWS_PROFILE, or unset it");
}

[[noreturn]] void fail(const std::string& looked_for) {
  throw Error(ErrorCode::denied, "No AWS keys were found; looked for " + looked_for +
                                     ". Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run 'aws configure'");
}

/// An answer of a service, or a text somebody wrote, may be older than it thinks.
void check_expiry(const FoundKeys& found, std::int64_t now_s) {
  if (!found.expiry_s || *found.expiry_s > now_s) return;
  throw Error(ErrorCode::denied, "The keys from " + found.origin + " have expired at " + moment_text(*found.expiry_s) +
                                     "; get new ones there" +
                                     (found.renewal == Renewal::none ? ", and start the program again" : ""));
}

}  // namespace

FoundKeys find_keys(const Surroundings& around) {
  const Profiles profiles(around.environment, around.home);
  const auto choice = choose_profile(around.environment);
  const Search search{.around = around, .profiles = profiles, .profile = choice.name};
  std::string looked_for;
  for (const auto look : places) {
    auto looked = look(search);
    if (looked.found) {
      check_expiry(*looked.found, search.now_s());
      return std::move(*looked.found);
    }
    if (!looked.missing.empty()) looked_for += (looked_for.empty() ? "" : ", ") + looked.missing;
    // Only keys in the environment are good without the profile that was asked for.
    if (look == places.front()) check_profile(search, choice);
  }
  fail(looked_for);
}

}  // namespace metaflow::aws
