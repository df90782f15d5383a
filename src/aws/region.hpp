#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aws/profiles.hpp"

namespace metaflow::aws {

struct RegionChoice {
  std::string region;
  std::string origin;  ///< in words: `AWS_REGION`, or a file and line
  /// Where another place says something else.
  std::vector<std::string> warnings = {};
};

struct RegionHints {
  std::string wanted = {};  ///< by an argument or setting
  std::string arn = {};     ///< of something that is in a region, as a job queue
};

/// What was asked for, AWS_REGION, AWS_DEFAULT_REGION, `region` of the profile, the region of an ARN; nothing when nobody says.
std::optional<RegionChoice> choose_region(const Environment& environment, const Profiles& profiles,
                                          const std::string& profile, const RegionHints& hints = {});

/// The error for a program that cannot go on without.
std::string no_region_sentence(const Profiles& profiles, const std::string& profile);

/// `aws`, `aws-cn` or `aws-us-gov`.
std::string partition_of(std::string_view region);

/// Services by the names of variables: `S3`, `BATCH`, `STS`, `CLOUDWATCH_LOGS`.
/// The URL without `/` at its end that somebody has set instead of AWS' own: `setting` (Metaflow's own, may be empty),
/// AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, the `[services]` of the profile, its `endpoint_url`. Nothing when nobody has, and, but for
/// `setting`, when AWS_IGNORE_CONFIGURED_ENDPOINT_URLS says so.
std::optional<std::string> custom_endpoint(const Environment& environment, const Profiles& profiles,
                                           const std::string& profile, const std::string& service,
                                           const std::string& setting = {});

/// AWS' own URL for a service that every region has (none for all, as IAM), whose name in URLs is given (`s3`, `batch`, `sts`, `logs`); FIPS and dual-stack by AWS_USE_FIPS_ENDPOINT
/// and AWS_USE_DUALSTACK_ENDPOINT.
std::string aws_endpoint(const Environment& environment, const std::string& name, const std::string& region);

}  // namespace metaflow::aws
