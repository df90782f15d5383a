#include "model/step_settings.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include <metaflow/error.hpp>

#include <fmt/format.h>

#include "model/attributes.hpp"

namespace metaflow::model {
namespace {

std::chrono::milliseconds milliseconds(double seconds) {
  // Far beyond any run, and far below what overflows.
  constexpr double longest_seconds = 1e9;
  return std::chrono::milliseconds(std::llround(std::min(seconds, longest_seconds) * 1000));
}

/// Attempts are numbered 0 to 5, and the last is for the engine itself.
void read_retry(const Attributes& attributes, StepSettings& settings) {
  constexpr double default_times = 3, most_times = 4, default_minutes = 2;
  const auto times = attributes.number("times").value_or(default_times);
  if (times < 0 || times > most_times || times != std::floor(times))
    attributes.refuse("times", fmt::format("is not a whole number from 0 to {}", most_times));
  settings.retries = static_cast<int>(times);
  settings.retry_delay = milliseconds(60 * attributes.number_from_zero("minutes_between_retries", default_minutes));
}

void read_timeout(const Attributes& attributes, StepSettings& settings) {
  const auto seconds = attributes.number_from_zero("seconds", 0) + 60 * attributes.number_from_zero("minutes", 0) +
                       3600 * attributes.number_from_zero("hours", 0);
  const auto limit = milliseconds(seconds);
  if (limit.count() == 0) attributes.refuse_all("give it a limit of more than 0, as seconds, minutes or hours.");
  settings.timeout = limit;
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_artifact_name(std::string_view name) {
  return !is_digit(name.front()) && std::ranges::all_of(name, [](char c) { return is_letter(c) || is_digit(c); });
}

void read_catch(const Attributes& attributes, const Step& step, StepSettings& settings) {
  // Without the body there is nothing that says how many tasks, or which step, would follow.
  if (step.transition == Transition::foreach)
    attributes.refuse_all("a step that goes on with a foreach cannot have it.");
  if (step.transition == Transition::parallel)
    attributes.refuse_all("a step that goes on with num_parallel cannot have it.");
  if (step.transition == Transition::switch_on)
    attributes.refuse_all("a step that goes on with a switch cannot have it.");
  const auto var = attributes.text("var");
  if (!var.empty() && !is_artifact_name(var)) attributes.refuse("var", "cannot name an artifact");
  settings.caught = {var, attributes.flag("print_exception", true)};
}

void read_resources(const Attributes& attributes, StepSettings& settings) {
  ResourceSettings resources;
  resources.cpu = attributes.positive("cpu").value_or(resources.cpu);
  resources.memory_mb = attributes.positive("memory").value_or(resources.memory_mb);
  if (!attributes.value("gpu").is_none()) resources.gpu = attributes.number_from_zero("gpu", 0);
  resources.disk_mb = attributes.positive("disk");
  resources.shared_memory_mb = attributes.positive("shared_memory");
  settings.resources = resources;
}

bool is_secret_name(std::string_view name) {
  return !name.empty() && is_letter(name[0]) &&
         std::ranges::all_of(name, [](char c) { return is_letter(c) || is_digit(c); }) &&
         !name.starts_with("METAFLOW_");
}

/// `backend.id`, or a dict of type, id and options.
SecretSource secret_source(const Attributes& attributes, const Value& source) {
  const bool is_text = source.kind() == ValueKind::text;
  if (!is_text && source.kind() != ValueKind::dict)
    attributes.refuse_all(fmt::format("the source {} is neither text nor a dict.", source.repr()));
  const auto member = [&](std::string_view name) {
    const auto* found = is_text ? nullptr : source.find(name);
    return found == nullptr ? Value() : *found;
  };
  const auto text = is_text ? std::string(source.as_text()) : std::string();
  const auto dot = std::min(text.find('.'), text.size());
  const auto backend = is_text ? text.substr(0, dot) : member("type").str();
  if (backend != "inline")
    attributes.refuse_all(
        fmt::format("the source {} needs the backend '{}', which is not available in this version; only 'inline' is.",
                    source.repr(), backend));
  SecretSource result{is_text ? text.substr(std::min(dot + 1, text.size())) : member("id").str(), {}};
  const auto options = member("options");
  const auto* variables = options.kind() == ValueKind::dict ? options.find("env_vars") : nullptr;
  if (variables != nullptr) result.variables = attributes.variables(*variables, "env_vars");
  for (const auto& [name, content] : result.variables)
    if (!is_secret_name(name))
      attributes.refuse_all(fmt::format(
          "a secret cannot be called '{}': letters, digits and '_', and neither a digit nor METAFLOW_ in front.",
          name));
  return result;
}

void read_secrets(const Attributes& attributes, StepSettings& settings) {
  settings.secrets_override = attributes.flag("allow_override", false);
  const auto sources = attributes.value("sources");
  if (sources.is_none()) return;
  if (sources.kind() != ValueKind::list) attributes.refuse("sources", "is no list");
  std::set<std::string> names;
  for (const auto& each : sources.items()) {
    settings.secrets.push_back(secret_source(attributes, each));
    for (const auto& [name, content] : settings.secrets.back().variables)
      if (!names.insert(name).second) attributes.refuse_all(fmt::format("two sources hold a secret '{}'.", name));
  }
}

void read_batch(const Attributes& attributes, StepSettings& settings) {
  constexpr std::chrono::seconds least_timeout{60};
  if (settings.timeout && *settings.timeout < least_timeout)
    attributes.refuse_all("AWS Batch needs a timeout of at least 60 seconds; raise that of @timeout.");
  settings.batch = batch_settings(attributes, settings.resources ? &*settings.resources : nullptr);
}

bool is_known(const std::string& decorator) {
  const auto& known = known_decorators();
  return std::any_of(known.begin(), known.end(), [&](const auto& each) { return each.name == decorator; });
}

void read(const Attributes& attributes, const Step& step, const std::string& decorator, StepSettings& settings) {
  if (decorator == "retry") read_retry(attributes, settings);
  if (decorator == "timeout") read_timeout(attributes, settings);
  if (decorator == "catch") read_catch(attributes, step, settings);
  if (decorator == "environment") settings.environment = attributes.variables(attributes.value("vars"), "vars");
  if (decorator == "resources") read_resources(attributes, settings);
  if (decorator == "secrets") read_secrets(attributes, settings);
  if (decorator == "parallel") settings.parallel = true;
}

}  // namespace

StepSettings step_settings(const Step& step) {
  StepSettings settings;
  std::set<std::string> seen;
  const Decorator* batch = nullptr;
  for (const auto& decorator : step.decorators) {
    if (!is_known(decorator.name)) continue;
    if (!seen.insert(decorator.name).second)
      throw Error(ErrorCode::invalid, fmt::format("Step '{}' has the decorator '{}' twice.", step.name, decorator.name),
                  "Duplicate decorators");
    read(Attributes(step, decorator), step, decorator.name, settings);
    if (decorator.name == "batch") batch = &decorator;
  }
  // It depends on what the others say.
  if (batch != nullptr) read_batch(Attributes(step, *batch), settings);
  return settings;
}

const std::vector<Decorator>& known_decorators() {
  static const std::vector<Decorator> known = {
      {"retry", {{"times", "\"3\""}, {"minutes_between_retries", "\"2\""}}},
      {"timeout", {{"seconds", "0"}, {"minutes", "0"}, {"hours", "0"}}},
      {"catch", {{"var", "null"}, {"print_exception", "true"}}},
      {"environment", {{"vars", "{}"}}},
      {"resources",
       {{"cpu", "\"1\""}, {"gpu", "null"}, {"disk", "null"}, {"memory", "\"4096\""}, {"shared_memory", "null"}}},
      {"secrets", {{"sources", "[]"}, {"role", "null"}, {"allow_override", "false"}}},
      {"parallel", {}},
      batch_decorator(),
  };
  return known;
}

}  // namespace metaflow::model
