#include "cli/batch_check.hpp"

#include <algorithm>

#include <metaflow/error.hpp>

#include <fmt/format.h>

#include "base/known_settings.hpp"

namespace metaflow::cli {
namespace {

constexpr const char* headline = "AWS Batch error";
/// Has a shell, tar, gzip, curl and certificates, and the C library of Debian 12, for which programs are usually built.
constexpr const char* default_image = "public.ecr.aws/docker/library/buildpack-deps:bookworm-curl";

/// The first of the settings that says something.
std::string first_of(const Configuration& configuration, std::initializer_list<std::string_view> names) {
  for (const auto name : names)
    if (auto text = configuration.text(name); text && !text->empty()) return *text;
  return {};
}

batch::TextPairs default_tags(const Configuration& configuration) {
  const auto text = configuration.text("BATCH_DEFAULT_TAGS").value_or("{}");
  batch::TextPairs tags;
  const auto json = parse_json(text, setting_key("BATCH_DEFAULT_TAGS"));
  for (const auto& [name, value] : json.items()) {
    const auto mistake = value.is_string() ? model::mistake_in_tag(name, value.get<std::string>())
                                           : std::optional<std::string>("has a value that is not text");
    if (mistake)
      throw Error(ErrorCode::invalid, fmt::format("The tag '{}' in METAFLOW_BATCH_DEFAULT_TAGS {}.", name, *mistake),
                  headline);
    tags.emplace_back(name, value.get<std::string>());
  }
  return tags;
}

}  // namespace

bool has_batch(const model::Flow& flow) {
  return std::ranges::any_of(flow.steps, [](const model::Step& step) {
    return std::ranges::find(step.decorators, "batch", &model::Decorator::name) != step.decorators.end();
  });
}

batch::Defaults batch_defaults(const Configuration& configuration) {
  auto image = first_of(configuration, {"BATCH_CONTAINER_IMAGE", "DEFAULT_CONTAINER_IMAGE"});
  return {.queue = first_of(configuration, {"BATCH_JOB_QUEUE"}),
          .image = image.empty() ? default_image : std::move(image),
          .registry = first_of(configuration, {"BATCH_CONTAINER_REGISTRY", "DEFAULT_CONTAINER_REGISTRY"}),
          .iam_role = first_of(configuration, {"ECS_S3_ACCESS_IAM_ROLE"}),
          .execution_role = first_of(configuration, {"ECS_FARGATE_EXECUTION_ROLE"}),
          .emits_tags = configuration.flag("BATCH_EMIT_TAGS"),
          .tags = default_tags(configuration),
          .runtime_limit_s = configuration.integer("DEFAULT_RUNTIME_LIMIT")};
}

void check_batch(const model::Flow& flow, std::string_view datastore, const batch::Defaults& defaults) {
  for (const auto& step : flow.steps) {
    const auto settings = model::step_settings(step);
    if (!settings.batch) continue;
    if (datastore != "s3")
      throw Error(
          ErrorCode::invalid,
          fmt::format("The @batch decorator requires --datastore=s3: a task of step '{}' runs on another machine, "
                      "which cannot reach the datastore '{}' of this one.",
                      step.name, datastore),
          headline);
    if (settings.parallel)
      throw Error(
          ErrorCode::invalid,
          fmt::format("Step '{}' is run as a gang, which AWS Batch cannot have in this version: leave @batch or "
                      "num_parallel out.",
                      step.name),
          headline);
    batch::completed(*settings.batch, defaults, step.name);
  }
}

}  // namespace metaflow::cli
