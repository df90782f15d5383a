#include "batch/job_request.hpp"

#include <algorithm>

#include <metaflow/error.hpp>

#include <fmt/format.h>

#include "base/hash.hpp"

namespace metaflow::batch {
namespace {

// To be raised when the same settings come to mean another definition.
constexpr int definition_scheme = 1;

std::string digest(std::string_view text) { return sha1_hex(std::as_bytes(std::span(text.data(), text.size()))); }

/// An image names a registry when what is before its first slash looks like a host.
bool names_registry(const std::string& image) {
  const auto slash = image.find('/');
  if (slash == image.npos) return false;
  const auto first = image.substr(0, slash);
  return first == "localhost" || first.find_first_of(".:") != first.npos;
}

JsonValue pairs(const TextPairs& variables) {
  auto list = JsonValue::array();
  for (const auto& [name, value] : variables) list.push_back({{"name", name}, {"value", value}});
  return list;
}

JsonValue object_of(const TextPairs& texts) {
  auto object = JsonValue::object();
  for (const auto& [name, value] : texts) object[name] = value;
  return object;
}

JsonValue requirement(const char* type, std::string value) { return {{"type", type}, {"value", std::move(value)}}; }

[[noreturn]] void refuse(const std::string& sentence) { throw Error(ErrorCode::invalid, sentence, "AWS Batch error"); }

void require(const std::string& value, const std::string& step, std::string_view what, std::string_view attribute,
             std::string_view variable) {
  if (value.empty())
    refuse(
        fmt::format("Step '{}' runs on AWS Batch, but no {} is set: give @batch the attribute {}, or set "
                    "METAFLOW_{} ('metaflow configure aws' asks for it).",
                    step, what, attribute, variable));
}

JsonValue device(const std::string& path, std::vector<std::string> permissions) {
  JsonValue json = {{"hostPath", path}};
  if (permissions.empty()) return json;
  json["containerPath"] = path;
  json["permissions"] = std::move(permissions);
  return json;
}

JsonValue linux_parameters(const model::BatchSettings& settings) {
  auto parameters = JsonValue::object();
  if (settings.shared_memory_mb) parameters["sharedMemorySize"] = *settings.shared_memory_mb;
  if (settings.swappiness) parameters["swappiness"] = *settings.swappiness;
  if (settings.max_swap_mb) parameters["maxSwap"] = *settings.max_swap_mb;
  auto devices = JsonValue::array();
  for (std::int64_t i = 0; i < settings.inferentia; ++i)
    devices.push_back(device(fmt::format("/dev/neuron{}", i), {"READ", "WRITE"}));
  if (settings.efa > 0) devices.push_back(device("/dev/infiniband/uverbs0", {}));
  if (!devices.empty()) parameters["devices"] = std::move(devices);
  if (settings.use_tmpfs || settings.tmpfs_size_mb) {
    const auto size = settings.tmpfs_size_mb.value_or(static_cast<std::int64_t>(settings.memory_mb) / 2);
    parameters["tmpfs"] =
        JsonValue::array({{{"containerPath", settings.tmpfs_path}, {"size", size}, {"mountOptions", {"defaults"}}}});
  }
  return parameters;
}

void add_volumes(const model::BatchSettings& settings, JsonValue& container) {
  auto volumes = JsonValue::array(), places = JsonValue::array();
  const auto add = [&](JsonValue volume, const std::string& name, const std::string& path) {
    volume["name"] = name;
    volumes.push_back(std::move(volume));
    places.push_back({{"sourceVolume", name}, {"containerPath", path}});
  };
  for (const auto& text : settings.host_volumes) {
    const auto host = text.substr(0, text.find(':'));
    auto name = host;
    std::ranges::replace_if(
        name, [](char c) { return c == '/' || c == '.'; }, '_');
    add({{"host", {{"sourcePath", host}}}}, name, host.size() < text.size() ? text.substr(host.size() + 1) : host);
  }
  for (const auto& text : settings.efs_volumes) {
    const auto id = text.substr(0, text.find(':'));
    add({{"efsVolumeConfiguration", {{"fileSystemId", id}, {"transitEncryption", "ENABLED"}}}}, "efs_" + id,
        id.size() < text.size() ? text.substr(id.size() + 1) : "/mnt/" + id);
  }
  if (volumes.empty()) return;
  container["volumes"] = std::move(volumes);
  container["mountPoints"] = std::move(places);
}

void add_fargate(const model::BatchSettings& settings, JsonValue& container) {
  if (settings.execution_role.empty())
    refuse(
        "The job queue starts containers on Fargate, which needs a role for that: give @batch the attribute "
        "execution_role, or set METAFLOW_ECS_FARGATE_EXECUTION_ROLE.");
  if (settings.use_tmpfs || settings.tmpfs_size_mb)
    refuse("The job queue starts containers on Fargate, which has no tmpfs: leave use_tmpfs and tmpfs_size out.");
  if (settings.inferentia > 0 || settings.efa > 0)
    refuse("The job queue starts containers on Fargate, which has no devices: leave inferentia and efa out.");
  container["executionRoleArn"] = settings.execution_role;
  container["networkConfiguration"] = {{"assignPublicIp", "ENABLED"}};
  if (settings.ephemeral_storage_gib) container["ephemeralStorage"] = {{"sizeInGiB", *settings.ephemeral_storage_gib}};
}

JsonValue container_properties(const model::BatchSettings& settings, Platform platform) {
  // Command and resources stand here as Batch wants some; each job brings its own.
  JsonValue container = {
      {"image", settings.image},
      {"jobRoleArn", settings.iam_role},
      {"command", {"echo", "hello world"}},
      {"resourceRequirements", JsonValue::array({requirement("VCPU", "1"), requirement("MEMORY", "4096")})}};
  if (settings.privileged) container["privileged"] = true;
  if (!settings.log_driver.empty()) container["logConfiguration"]["logDriver"] = settings.log_driver;
  if (!settings.log_options.empty()) container["logConfiguration"]["options"] = object_of(settings.log_options);
  if (platform == Platform::fargate) {
    add_fargate(settings, container);
  } else {
    if (settings.ephemeral_storage_gib)
      refuse("Only Fargate takes ephemeral_storage, but the job queue starts containers on EC2: leave it out.");
    container["linuxParameters"] = linux_parameters(settings);
  }
  add_volumes(settings, container);
  return container;
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/// A tag that is made of what users chose for other purposes.
void add_tag(JsonValue& tags, const std::string& name, std::string value) {
  constexpr std::size_t longest = 256;
  std::erase_if(value, [](char c) { return model::mistake_in_tag("x", std::string(1, c)).has_value(); });
  tags[name] = value.substr(0, longest);
}

TextPairs parameters_of(const TaskName& task) {
  return {{"metaflow.flow_name", task.flow}, {"metaflow.run_id", task.run},
          {"metaflow.step_name", task.step}, {"metaflow.task_id", task.task},
          {"metaflow.user", task.user},      {"metaflow.retry_count", std::to_string(task.attempt)},
          {"metaflow.version", task.version}};
}

JsonValue tags_of(const TaskName& task, const model::BatchSettings& settings, const Defaults& defaults) {
  auto tags = JsonValue::object();
  if (!defaults.emits_tags) return tags;
  tags["app"] = "metaflow";
  for (const auto& [name, value] : parameters_of(task))
    if (name != "metaflow.task_id" && name != "metaflow.retry_count") add_tag(tags, name, value);
  for (const auto& [name, value] : defaults.tags) tags[name] = value;
  for (const auto& [name, value] : settings.tags) tags[name] = value;
  return tags;
}

/// A job whose overrides are too long fails after it was submitted, so that is found here.
void require_room(const Work& work) {
  constexpr std::size_t most = 7'500;  // of the 8192 that Batch takes; what surrounds each text counts too
  auto sizes = std::vector<std::pair<std::size_t, std::string>>{{work.script.size(), "the command"}};
  for (const auto& argument : work.arguments) sizes.front().first += argument.size();
  for (const auto& [name, value] : work.environment) sizes.emplace_back(name.size() + value.size(), name);
  std::size_t total = 0;
  for (const auto& [size, name] : sizes) total += size;
  if (total <= most) return;
  std::ranges::sort(sizes, std::greater<>());
  refuse(
      fmt::format("Command and environment of the job have {} characters, and AWS Batch takes {}. The longest are {} "
                  "({}) and {} ({}): make the variables of @environment shorter.",
                  total, most, sizes[0].second, sizes[0].first, sizes[1].second, sizes[1].first));
}

}  // namespace

model::BatchSettings completed(model::BatchSettings settings, const Defaults& defaults, const std::string& step) {
  const auto fill = [](std::string& text, const std::string& otherwise) {
    if (text.empty()) text = otherwise;
  };
  fill(settings.queue, defaults.queue);
  fill(settings.image, defaults.image);
  fill(settings.iam_role, defaults.iam_role);
  fill(settings.execution_role, defaults.execution_role);
  require(settings.image, step, "image", "image", "BATCH_CONTAINER_IMAGE");
  require(settings.iam_role, step, "IAM role", "iam_role", "ECS_S3_ACCESS_IAM_ROLE");
  if (auto registry = defaults.registry; !registry.empty() && !names_registry(settings.image)) {
    while (registry.ends_with('/')) registry.pop_back();
    settings.image = registry + '/' + settings.image;
  }
  return settings;
}

JsonValue job_definition(const model::BatchSettings& settings, Platform platform) {
  JsonValue definition = {{"type", "container"},
                          {"propagateTags", true},
                          {"containerProperties", container_properties(settings, platform)}};
  if (platform == Platform::fargate) definition["platformCapabilities"] = {"FARGATE"};
  definition["jobDefinitionName"] =
      "metaflow_" + digest(fmt::format("{} {}", definition_scheme, dump_json(definition)));
  return definition;
}

std::string job_name(const TaskName& task) {
  constexpr std::size_t longest = 128, tail = 9;
  const auto whole =
      fmt::format("{}-{}-{}-{}-{}-{}", task.user, task.flow, task.run, task.step, task.task, task.attempt);
  auto name = whole;
  std::ranges::replace_if(
      name, [](char c) { return !is_name_character(c); }, '_');
  // The first has to be a letter or a digit.
  if (name.front() == '-' || name.front() == '_') name = 'u' + name;
  if (name.size() > longest) name = name.substr(0, longest - tail) + '-' + digest(whole).substr(0, tail - 1);
  return name;
}

JsonValue submission(const TaskName& task, const model::BatchSettings& settings, const Work& work,
                     const std::string& definition_arn, const Defaults& defaults) {
  require_room(work);
  constexpr std::int64_t least_s = 60;
  auto resources =
      JsonValue::array({requirement("VCPU", number_text(settings.cpu)),
                        requirement("MEMORY", std::to_string(static_cast<std::int64_t>(settings.memory_mb)))});
  if (settings.gpu > 0)
    resources.push_back(requirement("GPU", std::to_string(static_cast<std::int64_t>(settings.gpu))));
  auto command = JsonValue::array({"sh", "-c", work.script, "sh"});
  for (const auto& argument : work.arguments) command.push_back(argument);
  const auto limit = work.timeout ? std::chrono::ceil<std::chrono::seconds>(*work.timeout).count()
                                  : std::max(defaults.runtime_limit_s, least_s);
  JsonValue request = {{"jobName", job_name(task)},
                       {"jobQueue", settings.queue},
                       {"jobDefinition", definition_arn},
                       {"containerOverrides",
                        {{"command", std::move(command)},
                         {"resourceRequirements", std::move(resources)},
                         {"environment", pairs(work.environment)}}},
                       {"timeout", {{"attemptDurationSeconds", limit}}},
                       {"parameters", object_of(parameters_of(task))}};
  if (auto tags = tags_of(task, settings, defaults); !tags.empty()) request["tags"] = std::move(tags);
  return request;
}

std::string number_text(double number) { return fmt::format("{:g}", number); }

}  // namespace metaflow::batch
