#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

/// Names of members and enumerators, had from the compiler's own text of a template's arguments: the one place that
/// knows how GCC and Clang write them. `names_test.cpp` holds what is promised here, for each compiler.
namespace metaflow::detail {

/// Points at one member of an object that need not exist; what structured bindings over an aggregate yield as a
/// template argument.
template <class T>
struct FieldPointer {
  const T* field;
};
template <class T>
FieldPointer(const T*) -> FieldPointer<T>;

template <auto Argument>
consteval std::string_view signature() {
  return __PRETTY_FUNCTION__;
}

/// The template argument in `… [with auto Argument = &Flow::step; std::string_view = …]` (GCC) or
/// `… [Argument = &Flow::step]` (Clang). It may have brackets and semicolons of its own: `f(T) [with T = int]::Flow`.
consteval std::string_view argument_of(std::string_view signature) {
  constexpr std::string_view before = "Argument = ";
  const auto text = signature.substr(signature.find(before) + before.size());
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\'') i = text.find('\'', i + (text[i + 1] == '\\' ? 3 : 2));
    if (depth == 0 && (c == ';' || c == ']')) return text.substr(0, i);
    depth += c == '[' || c == '(' || c == '{';
    depth -= c == ']' || c == ')' || c == '}';
  }
  return text;
}

/// `&Flow::step`, `{&phantom<Flow>.value.Flow::field}`: the identifier that stands last.
consteval std::string_view last_identifier(std::string_view text) {
  while (!text.empty() && (text.back() == ')' || text.back() == '}')) text.remove_suffix(1);
  return text.substr(text.find_last_of(":.>& )]") + 1);
}

/// `Flow` of `Flow<std::pair<int, int> >`.
consteval std::string_view without_arguments(std::string_view type) {
  if (!type.ends_with('>')) return type;
  int depth = 0;
  do {
    depth += type.back() == '>';
    depth -= type.back() == '<';
    type.remove_suffix(1);
  } while (depth > 0 && !type.empty());
  return type;
}

constexpr bool is_identifier(std::string_view text) {
  if (text.empty() || (text.front() >= '0' && text.front() <= '9')) return false;
  for (const char c : text)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')) return false;
  return true;
}

/// The plain name of a data member (`&Point::x`), a member function (`&Flow::start`), an enumerator (`Colour::red`) or
/// a FieldPointer: `x`, `start`, `red`. Overloaded members have to be cast to one of their types first.
template <auto Argument>
inline constexpr std::string_view name_of = last_identifier(argument_of(signature<Argument>()));

/// Enumerators are looked for from this value on.
inline constexpr int first_enumerator = -128;
inline constexpr int enumerator_count = 384;

template <class Enum>
consteval Enum enumerator_at(int value) {
  return __builtin_bit_cast(Enum, static_cast<std::underlying_type_t<Enum>>(value));
}

template <class Enum>
consteval int first_enumerator_of() {
  using Number = std::underlying_type_t<Enum>;
  return std::is_signed_v<Number> ? first_enumerator : 0;
}

template <class Enum>
consteval int enumerator_count_of() {
  using Number = std::underlying_type_t<Enum>;
  if constexpr (std::is_same_v<Number, bool>) return 2;
  constexpr int values = sizeof(Number) == 1 ? 256 : enumerator_count;
  return values;
}

template <auto... Argument>
consteval std::string_view signature_of_all() {
  return __PRETTY_FUNCTION__;
}

template <class Enum, std::size_t... I>
consteval std::string_view enumerator_signature(std::index_sequence<I...>) {
  return signature_of_all<enumerator_at<Enum>(first_enumerator_of<Enum>() + static_cast<int>(I))...>();
}

/// Where the first entry of a list ends: at a comma or closing bracket outside all brackets of its own.
constexpr std::size_t end_of_entry(std::string_view list) {
  int depth = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const char c = list[i];
    if (depth == 0 && (c == ',' || c == '>' || c == '}' || c == ']')) return i;
    depth += c == '<' || c == '(' || c == '{';
    depth -= c == '>' || c == ')' || c == '}';
  }
  return list.size();
}

/// One name for each value from first_enumerator_of on; empty where no enumerator has that value. The text is
/// `… Argument = {Colour::red, (Colour)1}…` (GCC) or `… Argument = <Colour::red, (Colour)1>…` (Clang).
template <class Enum>
consteval auto read_enumerators() {
  constexpr std::size_t count = enumerator_count_of<Enum>();
  std::array<std::string_view, count> names{};
  std::string_view text = enumerator_signature<Enum>(std::make_index_sequence<count>());
  text.remove_prefix(text.find("Argument = ") + std::string_view("Argument = ").size() + 1);
  for (auto& name : names) {
    const auto end = end_of_entry(text);
    const auto entry = text.substr(0, end);
    if (entry.front() != '(') name = entry.substr(entry.find_last_of(':') + 1);
    text.remove_prefix(end + (text[end] == ',' ? 2 : 0));
  }
  return names;
}

template <class Enum>
inline constexpr auto enumerators = read_enumerators<Enum>();

/// The enumerator's name; empty when none has this value, or its value lies outside -128…255.
template <class Enum>
constexpr std::string_view enumerator_name(Enum value) {
  const auto number = static_cast<std::underlying_type_t<Enum>>(value);
  if constexpr (std::is_signed_v<std::underlying_type_t<Enum>>) {
    if (number < first_enumerator) return {};
  }
  const auto index =
      static_cast<unsigned long long>(number) - static_cast<unsigned long long>(first_enumerator_of<Enum>());
  return index < enumerators<Enum>.size() ? enumerators<Enum>[index] : std::string_view{};
}

/// The reverse: whether `name` is an enumerator, and then which one.
template <class Enum>
constexpr bool find_enumerator(std::string_view name, Enum& value) {
  if (name.empty()) return false;
  for (std::size_t i = 0; i < enumerators<Enum>.size(); ++i) {
    if (enumerators<Enum>[i] != name) continue;
    value = static_cast<Enum>(first_enumerator_of<Enum>() + static_cast<int>(i));
    return true;
  }
  return false;
}

}  // namespace metaflow::detail
