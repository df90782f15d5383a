#pragma once

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
Looked look_at_credentials_file(const Search& search);
/// Not supported: only tells what to do about it.
Looked look_at_login_session(const Search& search);
Looked look_at_config_file(const Search& search);

}  // namespace metaflow::aws
