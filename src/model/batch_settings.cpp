#include "model/batch_settings.hpp"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "base/text.hpp"
#include "model/step_settings.hpp"

namespace metaflow::model {
namespace {

constexpr std::int64_t many = std::numeric_limits<std::int32_t>::max();

/// Of what is asked for in two places the larger.
double larger(std::optional<double> own, std::optional<double> other, double fallback) {
  if (own && other) return std::max(*own, *other);
  return own ? *own : other.value_or(fallback);
}

bool is_tag_character(char c) {
  constexpr std::string_view marks = " +-=._:/@";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || marks.find(c) != marks.npos;
}

Variables tags_of(const Attributes& attributes) {
  const auto value = attributes.value("aws_batch_tags");
  if (!value.is_none() && value.kind() != ValueKind::dict)
    attributes.refuse("aws_batch_tags", "is no dict of names and values");
  Variables tags;
  if (value.is_none()) return tags;
  for (const auto& [name, content] : value.pairs()) {
    if (name.kind() != ValueKind::text || content.kind() != ValueKind::text)
      attributes.refuse("aws_batch_tags", "has a name or a value that is not text");
    tags.emplace_back(name.as_text(), content.as_text());
    if (const auto mistake = mistake_in_tag(name.as_text(), content.as_text()))
      attributes.refuse_all(fmt::format("the tag '{}' {}.", name.as_text(), *mistake));
  }
  return tags;
}

Variables log_options_of(const Attributes& attributes) {
  Variables options;
  for (const auto& option : attributes.texts("log_options")) {
    const auto colon = option.find(':');
    if (colon == option.npos || colon == 0)
      attributes.refuse_all(fmt::format("the log option '{}' has not the form name:value.", option));
    options.emplace_back(option.substr(0, colon), option.substr(colon + 1));
  }
  return options;
}

/// Official has two names for the same.
std::int64_t neuron_devices(const Attributes& attributes) {
  const auto inferentia = attributes.whole("inferentia", 0, 64), trainium = attributes.whole("trainium", 0, 64);
  if (inferentia && trainium) attributes.refuse_all("give either inferentia or trainium; they mean the same devices.");
  return inferentia ? *inferentia : trainium.value_or(0);
}

}  // namespace

std::optional<std::string> mistake_in_tag(std::string_view name, std::string_view value) {
  constexpr std::size_t longest_name = 128, longest_value = 256;
  if (name.empty() || name.size() > longest_name) return "has a name that is empty, or longer than 128 characters";
  if (value.size() > longest_value) return "has a value that is longer than 256 characters";
  if (lower_case(name).starts_with("aws:") || lower_case(value).starts_with("aws:"))
    return "begins with 'aws:', which AWS keeps for itself";
  for (const auto text : {name, value})
    if (!std::ranges::all_of(text, is_tag_character))
      return "has other characters than letters, digits, blanks and +-=._:/@";
  return std::nullopt;
}

BatchSettings batch_settings(const Attributes& attributes, const ResourceSettings* resources) {
  BatchSettings batch;
  const auto asked = [&](auto member) -> std::optional<double> {
    return resources ? std::optional<double>(resources->*member) : std::nullopt;
  };
  const auto shared = attributes.whole("shared_memory", 1, many);
  const auto other_shared = resources ? resources->shared_memory_mb : std::nullopt;
  const auto own_gpu = attributes.number("gpu") ? std::optional(attributes.number_from_zero("gpu", 0)) : std::nullopt;
  batch.cpu = larger(attributes.positive("cpu"), asked(&ResourceSettings::cpu), batch.cpu);
  batch.memory_mb = larger(attributes.positive("memory"), asked(&ResourceSettings::memory_mb), batch.memory_mb);
  batch.gpu = larger(own_gpu, resources ? resources->gpu : std::nullopt, batch.gpu);
  if (shared || other_shared) batch.shared_memory_mb = static_cast<std::int64_t>(larger(shared, other_shared, 0));
  batch.image = attributes.text("image");
  batch.queue = attributes.text("queue");
  batch.iam_role = attributes.text("iam_role");
  batch.execution_role = attributes.text("execution_role");
  batch.max_swap_mb = attributes.whole("max_swap", 0, many);
  batch.swappiness = attributes.whole("swappiness", 0, 99);
  batch.inferentia = neuron_devices(attributes);
  batch.efa = attributes.whole("efa", 0, 64).value_or(0);
  batch.host_volumes = attributes.texts("host_volumes");
  batch.efs_volumes = attributes.texts("efs_volumes");
  batch.use_tmpfs = attributes.flag("use_tmpfs", false);
  batch.tmpfs_tempdir = attributes.flag("tmpfs_tempdir", true);
  batch.tmpfs_size_mb = attributes.whole("tmpfs_size", 1, many);
  if (const auto path = attributes.text("tmpfs_path"); !path.empty()) batch.tmpfs_path = path;
  if (!batch.tmpfs_path.starts_with('/')) attributes.refuse("tmpfs_path", "is no absolute path");
  batch.tags = tags_of(attributes);
  batch.ephemeral_storage_gib = attributes.whole("ephemeral_storage", 21, 200);
  batch.log_driver = attributes.text("log_driver");
  batch.log_options = log_options_of(attributes);
  batch.executable = attributes.text("executable");
  batch.privileged = attributes.flag("privileged", false);
  return batch;
}

Decorator batch_decorator() {
  Decorator decorator{.name = "batch", .attributes = {}};
  const auto add = [&](std::initializer_list<const char*> names, const char* json) {
    for (const auto* name : names) decorator.attributes.emplace_back(name, json);
  };
  add({"cpu", "gpu", "memory", "image", "queue", "iam_role", "execution_role", "shared_memory", "max_swap",
       "swappiness", "inferentia", "trainium", "efa", "host_volumes", "efs_volumes"},
      "null");
  add({"use_tmpfs"}, "false");
  add({"tmpfs_tempdir"}, "true");
  add({"tmpfs_size"}, "null");
  add({"tmpfs_path"}, R"("/metaflow_temp")");
  add({"aws_batch_tags", "ephemeral_storage", "log_driver", "log_options", "executable"}, "null");
  add({"privileged"}, "false");
  return decorator;
}

}  // namespace metaflow::model
