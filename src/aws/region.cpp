#include "aws/region.hpp"

#include "base/text.hpp"

namespace metaflow::aws {
namespace {

struct Saying {
  std::string origin, region;
};

/// `eu-west-1` of `arn:aws:batch:eu-west-1:1234:job-queue/x`.
std::string region_of_arn(std::string_view arn) {
  if (!arn.starts_with("arn:")) return {};
  for (int i = 0; i < 3; ++i) {
    const auto colon = arn.find(':');
    if (colon == std::string_view::npos) return {};
    arn.remove_prefix(colon + 1);
  }
  return std::string(arn.substr(0, arn.find(':')));
}

std::vector<Saying> sayings(const Environment& environment, const Profiles& profiles, const std::string& profile,
                            const RegionHints& hints) {
  std::vector<Saying> found;
  const auto add = [&](std::string origin, std::string region) {
    if (!region.empty()) found.push_back({std::move(origin), std::move(region)});
  };
  add("the region asked for", hints.wanted);
  add("AWS_REGION", variable(environment, "AWS_REGION").value_or(""));
  add("AWS_DEFAULT_REGION", variable(environment, "AWS_DEFAULT_REGION").value_or(""));
  if (const auto value = profiles.value(profile, "region")) add(value->place(), value->text);
  add("'" + hints.arn + "'", region_of_arn(hints.arn));
  return found;
}

bool is_true(const Environment& environment, const std::string& name) {
  return lower_case(variable(environment, name).value_or("")) == "true";
}

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

std::optional<std::string> service_endpoint(const Profiles& profiles, const std::string& profile,
                                            const std::string& service) {
  const auto services = profiles.value(profile, "services");
  if (!services) return std::nullopt;
  const auto block = profiles.section_value("services", services->text, lower_case(service));
  if (!block) return std::nullopt;
  const auto url = block->block.find("endpoint_url");
  if (url == block->block.end()) return std::nullopt;
  return url->second;
}

/// What a service is called in the URL of its FIPS endpoint: `NAME-fips`, with exceptions.
std::string fips_name(const std::string& name, const std::string& region) {
  const auto partition = partition_of(region);
  const bool has_one_for_all = name == "sts" || name == "batch" || name == "logs" || name == "ec2";
  if (partition == "aws-us-gov" && has_one_for_all) return name;
  return partition == "aws" && name == "batch" ? "fips.batch" : name + "-fips";
}

}  // namespace

std::optional<RegionChoice> choose_region(const Environment& environment, const Profiles& profiles,
                                          const std::string& profile, const RegionHints& hints) {
  const auto found = sayings(environment, profiles, profile, hints);
  if (found.empty()) return std::nullopt;
  const auto& first = found.front();
  RegionChoice choice{.region = first.region, .origin = first.origin};
  for (const auto& other : found) {
    if (other.region == first.region) continue;
    choice.warnings.push_back(first.origin + " says " + first.region + " and " + other.origin + " says " +
                              other.region + "; " + first.region + " is used");
  }
  return choice;
}

std::string no_region_sentence(const Profiles& profiles, const std::string& profile) {
  return "No AWS region is set: put 'region = ...' below the profile '" + profile + "' in '" + profiles.config_path() +
         "', or set AWS_REGION";
}

std::string partition_of(std::string_view region) {
  if (region.starts_with("cn-")) return "aws-cn";
  return region.starts_with("us-gov-") ? "aws-us-gov" : "aws";
}

std::optional<std::string> custom_endpoint(const Environment& environment, const Profiles& profiles,
                                           const std::string& profile, const std::string& service,
                                           const std::string& setting) {
  if (!setting.empty()) return without_slash(setting);
  if (is_true(environment, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")) return std::nullopt;
  for (const auto& name : {"AWS_ENDPOINT_URL_" + service, std::string("AWS_ENDPOINT_URL")})
    if (const auto url = variable(environment, name)) return without_slash(*url);
  if (const auto url = service_endpoint(profiles, profile, service)) return without_slash(*url);
  if (const auto url = profiles.value(profile, "endpoint_url"); url && !url->text.empty())
    return without_slash(url->text);
  return std::nullopt;
}

std::string aws_endpoint(const Environment& environment, const std::string& name, const std::string& region) {
  const bool china = partition_of(region) == "aws-cn";
  const bool dual = is_true(environment, "AWS_USE_DUALSTACK_ENDPOINT");
  const bool fips = is_true(environment, "AWS_USE_FIPS_ENDPOINT");
  const std::string domain = china ? ".amazonaws.com.cn" : ".amazonaws.com";
  // S3 has dual-stack endpoints from before there was a rule.
  if (dual && name == "s3") return "https://s3" + std::string(fips ? "-fips" : "") + ".dualstack." + region + domain;
  if (dual)
    return "https://" + name + (fips ? "-fips" : "") + "." + region +
           (china ? ".api.amazonwebservices.com.cn" : ".api.aws");
  return "https://" + (fips ? fips_name(name, region) : name) + "." + region + domain;
}

}  // namespace metaflow::aws
