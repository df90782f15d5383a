#include <algorithm>

#include <metaflow/codec.hpp>

#include "base/unicode.hpp"

// The short repr that a foreach shows: as Python's reprlib prints it, with its usual limits.
namespace metaflow::detail {
namespace {

constexpr std::size_t most_characters = 30, most_items = 6, most_pairs = 4;
constexpr int most_levels = 6;

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string_view without_first(std::string_view text, std::size_t count) {
  return text.substr(first_code_points(text, count).size());
}

/// The middle is left out of what is longer than `most` characters.
std::string shortened(const std::string& text, std::size_t most) {
  const std::size_t length = code_points(text);
  if (length <= most) return text;
  const std::size_t front = (most - 3) / 2, back = most - 3 - front;
  return std::string(first_code_points(text, front)) + "..." + std::string(without_first(text, length - back));
}

std::string short_repr(const Value& value, int levels);

std::string short_items(std::span<const Value> items, std::string_view open, std::string_view close, int levels) {
  std::string text(open);
  if (levels <= 0 && !items.empty()) return text + "..." + std::string(close);
  for (std::size_t i = 0; i < items.size() && i < most_items; ++i)
    text += (i > 0 ? ", " : "") + short_repr(items[i], levels - 1);
  if (items.size() > most_items) text += ", ...";
  if (items.size() == 1 && open == "(") text += ',';
  return text + std::string(close);
}

std::string short_pairs(std::span<const Value::Pair> pairs, int levels) {
  if (pairs.empty()) return "{}";
  if (levels <= 0) return "{...}";
  std::vector<const Value::Pair*> sorted;
  for (const auto& pair : pairs) sorted.push_back(&pair);
  const auto is_text = [](const auto* pair) { return pair->first.kind() == ValueKind::text; };
  if (std::all_of(sorted.begin(), sorted.end(), is_text))
    std::sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return a->first.as_text() < b->first.as_text(); });
  std::string text = "{";
  for (std::size_t i = 0; i < sorted.size() && i < most_pairs; ++i)
    text += (i > 0 ? ", " : "") + short_repr(sorted[i]->first, levels - 1) + ": " +
            short_repr(sorted[i]->second, levels - 1);
  return text + (sorted.size() > most_pairs ? ", ...}" : "}");
}

std::string short_repr(const Value& value, int levels) {
  switch (value.kind()) {
    case ValueKind::list:
      return short_items(value.items(), "[", "]", levels);
    case ValueKind::tuple:
      return short_items(value.items(), "(", ")", levels);
    case ValueKind::set:
      return value.size() == 0 ? "set()" : short_items(value.items(), "{", "}", levels);
    case ValueKind::frozenset:
      return value.size() == 0 ? "frozenset()" : short_items(value.items(), "frozenset({", "})", levels);
    case ValueKind::dict:
      return short_pairs(value.pairs(), levels);
    case ValueKind::integer:
    case ValueKind::big_integer:
      return shortened(value.repr(), 40);
    case ValueKind::text:
      return shortened(Value(first_code_points(value.as_text(), most_characters)).repr() +
                           (code_points(value.as_text()) > most_characters ? value.repr() : ""),
                       most_characters);
    default:
      return shortened(value.repr(), most_characters);
  }
}

bool is_shown_whole(ValueKind kind) {
  return kind == ValueKind::text || kind == ValueKind::boolean || kind == ValueKind::integer ||
         kind == ValueKind::big_integer || kind == ValueKind::real;
}

}  // namespace

std::string short_text(const Value& value) {
  const std::string text = is_shown_whole(value.kind()) ? value.str() : short_repr(value, most_levels);
  return std::string(first_code_points(text, most_characters));
}

}  // namespace metaflow::detail
