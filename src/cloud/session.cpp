#include "cloud/session.hpp"

#include <unistd.h>

#include <metaflow/error.hpp>

#include "cloud/ask_code.hpp"

namespace metaflow::cloud {
namespace {

/// Where systems keep the certificates to trust. What curl takes by itself is one of these, that of where it was built. Empty for none.
std::string system_certificates() {
  for (const auto* path : {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                           "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"})
    if (::access(path, R_OK) == 0) return path;
  return {};
}

network::HttpSettings connection_settings(const aws::Environment& environment, const aws::Profiles& profiles,
                                          const std::string& profile) {
  network::HttpSettings settings{.proxies = network::proxies_of(environment)};
  const auto bundle = profiles.value(profile, "ca_bundle");
  settings.ca_bundle =
      aws::variable(environment, "AWS_CA_BUNDLE").value_or(bundle ? bundle->text : system_certificates());
  return settings;
}

}  // namespace

Session::Session(aws::Environment environment, std::string home, Clock& clock)
    : environment_(std::move(environment)),
      home_(std::move(home)),
      clock_(clock),
      profiles_(environment_, home_),
      profile_(aws::choose_profile(environment_)),
      http_(connection_settings(environment_, profiles_, profile_.name)),
      keys_([this] { return find_keys(); }, clock_) {}

aws::FoundKeys Session::find_keys() {
  return aws::find_keys(
      {.environment = environment_, .home = home_, .http = http_, .clock = clock_, .ask_code = code_prompt()});
}

network::HttpSettings Session::http_settings() const {
  return connection_settings(environment_, profiles_, profile_.name);
}

std::optional<aws::RegionChoice> Session::region(const aws::RegionHints& hints) const {
  return aws::choose_region(environment_, profiles_, profile_.name, hints);
}

std::string Session::require_region(const aws::RegionHints& hints) const {
  const auto choice = region(hints);
  if (!choice) throw Error(ErrorCode::invalid, aws::no_region_sentence(profiles_, profile_.name));
  return choice->region;
}

std::string Session::endpoint(const std::string& variable, const std::string& name, const std::string& region,
                              const std::string& setting) const {
  const auto custom = aws::custom_endpoint(environment_, profiles_, profile_.name, variable, setting);
  return custom ? *custom : aws::aws_endpoint(environment_, name, region);
}

bool Session::has_custom_endpoint(const std::string& variable, const std::string& setting) const {
  return aws::custom_endpoint(environment_, profiles_, profile_.name, variable, setting).has_value();
}

aws::Sts Session::sts() { return aws::sts_of(environment_, profiles_, profile_.name, http_, clock_); }

aws::Environment process_environment() {
  aws::Environment variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

}  // namespace metaflow::cloud
