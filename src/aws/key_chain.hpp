#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "aws/found_keys.hpp"
#include "aws/profiles.hpp"
#include "base/clock.hpp"
#include "network/http_client.hpp"

/// Whom AWS takes us for: the places where botocore looks for keys, in its order.
namespace metaflow::aws {

/// What keys are looked for in, and with. All of it outlives whoever is given it.
struct Surroundings {
  const Environment& environment;
  std::string home;
  network::HttpClient& http;
  Clock& clock;
  /// Asks whoever sits there for the code that the device of this serial number shows; null when nobody does.
  std::function<std::string(const std::string& serial)> ask_code = {};
};

/// Looks once: the environment, then the profile that is chosen there (a role taken on, a web identity, SSO, keys in the credentials file, a
/// program, keys in the config file), then the container and the machine. Files are read anew. Error(denied) when there are none, which names
/// each place; Error for a place that is set up and does not work: the next one would be another user.
FoundKeys find_keys(const Surroundings& around);

}  // namespace metaflow::aws
