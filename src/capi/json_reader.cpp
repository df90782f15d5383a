#include "capi/json_reader.hpp"

#include <algorithm>

#include <metaflow/error.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/json.hpp"

namespace metaflow::capi {
namespace {

Error mistake(std::string_view what, std::string_view place, std::string_view reason) {
  return {ErrorCode::invalid, fmt::format("{} has a mistake: {} {}.", what, place.empty() ? "it" : place, reason)};
}

}  // namespace

Json read_json(std::string_view text, std::string_view what) {
  constexpr int deepest = 100;  // far less than what would fill the stack of those who walk through it
  const auto is_shallow = [&](int depth, Json::parse_event_t, const Json&) {
    if (depth > deepest) throw mistake(what, {}, fmt::format("is nested more than {} levels deep", deepest));
    return true;
  };
  try {
    return Json::parse(text, is_shallow);
  } catch (const Json::parse_error& error) {
    throw mistake(what, {}, fmt::format("is no JSON from byte {} on", error.byte));
  } catch (const Json::exception&) {
    throw mistake(what, {}, "is no JSON: a number does not fit");
  }
}

std::string text_or_null(const std::optional<std::string>& text) {
  if (!text) return "null";
  std::string json;
  append_json_string(json, *text);
  return json;
}

void Member::refuse(std::string_view reason) const { throw mistake(what, place, reason); }

std::string Member::text() const {
  if (!json.is_string()) refuse("should be a text");
  return json.get<std::string>();
}

bool Member::flag() const {
  if (!json.is_boolean()) refuse("should be true or false");
  return json.get<bool>();
}

std::int64_t Member::integer(std::int64_t least, std::int64_t most) const {
  if (!json.is_number_integer()) refuse("should be an integer");
  const auto fits = !json.is_number_unsigned() || json.get<std::uint64_t>() <= static_cast<std::uint64_t>(most);
  if (!fits || json.get<std::int64_t>() < least || json.get<std::int64_t>() > most)
    refuse(fmt::format("should be between {} and {}", least, most));
  return json.get<std::int64_t>();
}

std::vector<Member> Member::items() const {
  if (!json.is_array()) refuse("should be a list");
  std::vector<Member> items;
  for (const auto& item : json) items.push_back({item, fmt::format("{}[{}]", place, items.size()), what});
  return items;
}

std::vector<std::string> Member::texts() const {
  std::vector<std::string> texts;
  for (const auto& item : items()) texts.push_back(item.text());
  return texts;
}

void Member::refuse_choice(const std::vector<std::string_view>& names) const {
  refuse(fmt::format("is '{}' and should be one of {}", text(), fmt::join(names, ", ")));
}

Object::Object(const Member& object) : object_(object) {
  if (!object_.json.is_object()) object_.refuse("should be an object");
}

std::string Object::place_of(std::string_view name) const {
  return object_.place.empty() ? std::string(name) : fmt::format("{}.{}", object_.place, name);
}

Member Object::at(std::string_view name) {
  if (auto member = find(name)) return *std::move(member);
  throw mistake(object_.what, place_of(name), "is missing");
}

std::optional<Member> Object::find(std::string_view name) {
  known_.emplace_back(name);
  const auto found = object_.json.find(std::string(name));
  if (found == object_.json.end()) return std::nullopt;
  return Member{*found, place_of(name), object_.what};
}

std::string Object::text_or(std::string_view name, std::string fallback) {
  const auto member = find(name);
  return member ? member->text() : std::move(fallback);
}

bool Object::flag_or(std::string_view name, bool fallback) {
  const auto member = find(name);
  return member ? member->flag() : fallback;
}

std::int64_t Object::integer_or(std::string_view name, std::int64_t fallback, std::int64_t least, std::int64_t most) {
  const auto member = find(name);
  return member ? member->integer(least, most) : fallback;
}

std::vector<std::string> Object::texts_or_none(std::string_view name) {
  const auto member = find(name);
  return member ? member->texts() : std::vector<std::string>();
}

std::optional<std::string> Object::optional_text(std::string_view name) {
  const auto member = find(name);
  if (!member || member->is_null()) return std::nullopt;
  return member->text();
}

std::vector<Member> Object::items_or_none(std::string_view name) {
  const auto member = find(name);
  return member ? member->items() : std::vector<Member>();
}

void Object::refuse_others() const {
  for (const auto& [name, value] : object_.json.items())
    if (std::ranges::find(known_, name) == known_.end())
      throw mistake(object_.what, place_of(name), fmt::format("is not known; {} are", fmt::join(known_, ", ")));
}

}  // namespace metaflow::capi
