#include "model/attributes.hpp"

#include <charconv>
#include <cmath>
#include <limits>

#include <metaflow/error.hpp>

#include <fmt/format.h>

#include "base/json.hpp"

namespace metaflow::model {
namespace {

double number_in(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

Value Attributes::value(std::string_view name) const {
  for (const auto& [known, json] : decorator_.attributes)
    if (known == name) return value_of(parse_json(json, "decorator " + decorator_.name));
  return {};
}

std::optional<double> Attributes::number(std::string_view name) const {
  const auto given = value(name);
  if (given.is_none()) return std::nullopt;
  auto number = std::numeric_limits<double>::quiet_NaN();
  if (given.kind() == ValueKind::integer || given.kind() == ValueKind::real) number = given.as_real();
  if (given.kind() == ValueKind::text) number = number_in(given.as_text());
  if (!std::isfinite(number)) refuse(name, "is not a number");
  return number;
}

double Attributes::number_from_zero(std::string_view name, double fallback) const {
  const auto found = number(name).value_or(fallback);
  if (found < 0) refuse(name, "is below 0");
  return found;
}

std::optional<double> Attributes::positive(std::string_view name) const {
  const auto found = number(name);
  if (found && *found <= 0) refuse(name, "is not more than 0");
  return found;
}

std::optional<std::int64_t> Attributes::whole(std::string_view name, std::int64_t least, std::int64_t most) const {
  const auto found = number(name);
  if (!found) return std::nullopt;
  if (*found != std::floor(*found) || *found < static_cast<double>(least) || *found > static_cast<double>(most))
    refuse(name, fmt::format("is not a whole number from {} to {}", least, most));
  return static_cast<std::int64_t>(*found);
}

bool Attributes::flag(std::string_view name, bool fallback) const {
  const auto given = value(name);
  if (given.is_none()) return fallback;
  if (given.kind() != ValueKind::boolean) refuse(name, "is neither true nor false");
  return given.as_boolean();
}

std::string Attributes::text(std::string_view name) const {
  const auto given = value(name);
  if (given.is_none()) return {};
  if (given.kind() != ValueKind::text) refuse(name, "is not text");
  return std::string(given.as_text());
}

std::vector<std::string> Attributes::texts(std::string_view name) const {
  const auto given = value(name);
  if (given.is_none()) return {};
  if (given.kind() == ValueKind::text) return {std::string(given.as_text())};
  if (given.kind() != ValueKind::list) refuse(name, "is neither text nor a list of texts");
  std::vector<std::string> texts;
  for (const auto& each : given.items()) {
    if (each.kind() != ValueKind::text) refuse(name, "is neither text nor a list of texts");
    texts.emplace_back(each.as_text());
  }
  return texts;
}

Variables Attributes::variables(const Value& value, std::string_view what) const {
  if (value.is_none()) return {};
  if (value.kind() != ValueKind::dict) refuse_all(fmt::format("{} {} is no dict of variables.", what, value.repr()));
  Variables variables;
  for (const auto& [name, content] : value.pairs()) {
    variables.emplace_back(name.str(), content.str());
    const auto& [key, text] = variables.back();
    if (key.empty() || key.find('=') != key.npos || key.find('\0') != key.npos || text.find('\0') != text.npos)
      refuse_all(fmt::format("'{}' cannot be an environment variable.", key));
  }
  return variables;
}

void Attributes::refuse(std::string_view name, std::string_view what) const {
  refuse_all(fmt::format("{}={} {}.", name, value(name).str(), what));
}

void Attributes::refuse_all(std::string_view what) const {
  const auto place = step_.name.empty() ? std::string() : "Step '" + step_.name + "': ";
  throw Error(ErrorCode::invalid, fmt::format("{}decorator '{}': {}", place, decorator_.name, what), "Flow failed");
}

}  // namespace metaflow::model
