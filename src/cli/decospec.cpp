#include "cli/decospec.hpp"

#include <algorithm>
#include <cctype>
#include <span>
#include <utility>

#include <metaflow/error.hpp>

#include <fmt/format.h>

#include "base/json.hpp"
#include "cli/suggestion.hpp"
#include "model/step_settings.hpp"

namespace metaflow::cli {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// Whether `text` starts with `word=`.
bool starts_pair(std::string_view text) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_word);
  return end != text.begin() && end != text.end() && *end == '=';
}

std::vector<std::string> split_pairs(std::string_view text) {
  std::vector<std::string> pairs = {""};
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ',' && starts_pair(text.substr(i + 1)))
      pairs.emplace_back();
    else
      pairs.back() += text[i];
  }
  return pairs;
}

std::string without_escapes(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (!text.substr(i).starts_with("\\\"")) plain += text[i];
  return plain;
}

/// The value as JSON text.
std::string read_value(std::string_view text) {
  const auto plain = without_escapes(text);
  try {
    return dump_json(parse_json(plain, "value"));
  } catch (const Error&) {
    return dump_json(plain);
  }
}

model::Decorator find_decorator(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& known : model::known_decorators()) {
    if (known.name == name) return known;
    names.push_back(known.name);
  }
  throw Error(ErrorCode::invalid,
              fmt::format("Unknown step decorator '{}'.{} These are known: {}.", name, did_you_mean(name, names),
                          fmt::join(names, ", ")),
              "Unknown step decorator");
}

void set_attribute(model::Decorator& decorator, const std::string& pair) {
  const auto equals = pair.find('=');
  const auto name = pair.substr(0, equals);
  auto& attributes = decorator.attributes;
  const auto found = std::find_if(attributes.begin(), attributes.end(), [&](auto& each) { return each.first == name; });
  if (equals == std::string::npos || found == attributes.end()) {
    std::vector<std::string> names;
    for (const auto& each : attributes) names.push_back(each.first);
    throw Error(ErrorCode::invalid,
                fmt::format("Decorator '{}' does not have the attribute '{}'.{} It has these: {}.", decorator.name,
                            name, did_you_mean(name, names), fmt::join(names, ", ")),
                "Unknown decorator attribute");
  }
  found->second = read_value(std::string_view(pair).substr(equals + 1));
}

}  // namespace

model::Decorator parse_decospec(std::string_view spec) {
  const auto colon = spec.find(':');
  auto decorator = find_decorator(std::string(spec.substr(0, colon)));
  if (colon != std::string_view::npos && colon + 1 < spec.size())
    for (const auto& pair : split_pairs(spec.substr(colon + 1))) set_attribute(decorator, pair);
  decorator.statically_defined = false;
  model::Step nowhere;
  nowhere.decorators = {decorator};
  model::step_settings(nowhere);
  return decorator;
}

void apply_decospecs(model::Flow& flow, const std::vector<std::string>& specs) {
  for (const auto& spec : specs) {
    const auto decorator = parse_decospec(spec);
    for (auto& step : flow.steps) {
      const auto has_it = std::any_of(step.decorators.begin(), step.decorators.end(),
                                      [&](const auto& each) { return each.name == decorator.name; });
      if (!has_it) step.decorators.push_back(decorator);
    }
  }
}

}  // namespace metaflow::cli
