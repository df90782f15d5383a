#include "cli/aws_status.hpp"

#include <algorithm>
#include <array>

#include <metaflow/error.hpp>

#include <fmt/format.h>

namespace metaflow::cli {
namespace {

bool uses_aws(const Configuration& configuration) {
  constexpr std::array roots = {"DATASTORE_SYSROOT_S3", "BATCH_JOB_QUEUE"};
  return configuration.text("DEFAULT_DATASTORE") == "s3" ||
         std::ranges::any_of(roots, [&](const char* name) { return !configuration.text(name).value_or("").empty(); });
}

/// What `shown` makes of an answer, or why there is none.
template <class T, class Shown>
std::string line(const char* title, const gateway::Answer<T>& answer, Shown shown) {
  const auto* value = std::get_if<T>(&answer);
  return fmt::format("{:10}{}\n", title, value ? shown(*value) : std::get<gateway::NoAnswer>(answer).sentence);
}

}  // namespace

std::string aws_lines(const gateway::AwsStatus& status) {
  auto lines = fmt::format("AWS:\n\n{:10}{}\n", "profile", status.profile);
  lines += line("region", status.region,
                [](const gateway::Region& region) { return fmt::format("{}, from {}", region.name, region.origin); });
  lines += line("keys", status.keys,
                [](const gateway::KeyFacts& keys) { return fmt::format("{}, {}", keys.key_id, keys.description); });
  lines += line("identity", status.identity, [](const gateway::Identity& identity) {
    return fmt::format("{}, of account {}", identity.arn, identity.account);
  });
  for (const auto& warning : status.warnings) lines += fmt::format("{:10}{}\n", "warning", warning);
  return lines;
}

std::string aws_status(const Configuration& configuration) {
  if (!uses_aws(configuration)) return {};
  try {
    return aws_lines(gateway::cloud().status());
  } catch (const Error& error) {
    // All else that there is to say is worth it.
    return fmt::format("AWS:\n\n{}\n", error.what());
  }
}

}  // namespace metaflow::cli
