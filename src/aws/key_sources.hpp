#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "aws/key_chain.hpp"

/// The places where keys may be; used by key_chain.cpp alone.
namespace metaflow::aws {

struct Search {
  const Surroundings& around;
  const Profiles& profiles;
  std::string profile;
  /// Profiles whose role led here, the first one first.
  std::vector<std::string> led_here = {};

  std::optional<ProfileValue> value(const std::string& name) const { return profiles.value(profile, name); }
  std::optional<std::string> environment(const std::string& name) const { return variable(around.environment, name); }
  std::int64_t now_s() const { return around.clock.now_microseconds() / 1'000'000; }
};

/// What came of looking at one place.
struct Looked {
  std::optional<FoundKeys> found = {};
  /// When nothing was found: what would have had to be there.
  std::string missing = {};
};

Looked look_at_environment(const Search& search);
/// Takes on the role of the profile with keys of another profile, or of a place that it names.
Looked look_at_role(const Search& search);
Looked look_at_web_identity(const Search& search);
Looked look_at_sso(const Search& search);
Looked look_at_credentials_file(const Search& search);
/// Not supported: only tells what to do about it.
Looked look_at_login_session(const Search& search);
/// Runs a program of the user's.
Looked look_at_process(const Search& search);
Looked look_at_config_file(const Search& search);
Looked look_at_container(const Search& search);
Looked look_at_machine(const Search& search);

/// The places that belong to a profile, tried in order, with neither the environment nor its own role: where a role takes its keys from.
Looked look_at_profile(const Search& search);

/// Keys as JSON that programs and local services hand out; `token` is what its member is called. Error(corrupt) that names `from`
/// when something is missing.
FoundKeys read_json_keys(std::string_view json, const char* token, const std::string& from);

/// How often something nearby is asked, and how patiently.
struct FetchRule {
  int tries = 1;
  std::chrono::milliseconds pause{1000}, limit{1000};
};
/// Asks until the answer is a success, or for the last time.
network::Response fetch(const Search& search, network::Request request, const FetchRule& rule);
/// What was wrong with an answer: `status 404`, `connection refused`.
std::string problem_of(const network::Response& response);

/// `value` as a header may hold it, without line ends at its end. Error(invalid) that names `from` if it has others.
std::string header_value(std::string value, const std::string& from);

}  // namespace metaflow::aws
