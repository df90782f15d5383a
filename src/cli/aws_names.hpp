#pragma once

#include <optional>
#include <string>
#include <string_view>

/// The form of what names things on AWS, as far as it can be judged without asking anybody. A mistake is a sentence without
/// its subject: `should begin with s3://`.
namespace metaflow::cli {

/// arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE; region and account may be empty.
struct Arn {
  std::string partition, service, region, account, resource;
};
std::optional<Arn> parse_arn(std::string_view text);

/// s3://bucket or s3://bucket/prefix, by the rules for names of buckets.
std::optional<std::string> mistake_in_s3_url(std::string_view url);
/// Name or ARN of a queue of AWS Batch.
std::optional<std::string> mistake_in_queue(std::string_view queue);
/// Name or ARN of a role.
std::optional<std::string> mistake_in_role(std::string_view role);
/// What `docker pull` takes.
std::optional<std::string> mistake_in_image(std::string_view image);

}  // namespace metaflow::cli
