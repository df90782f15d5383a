#pragma once

#include <string>
#include <string_view>

/// What the standard library lacks for short texts; ASCII alone counts, whatever the locale.
namespace metaflow {

/// `text` with its capital letters made small.
inline std::string lower_case(std::string_view text) {
  std::string result(text);
  for (auto& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

/// `text` without white space at its beginning and its end; a part of it, so it has to live on.
inline std::string_view trimmed(std::string_view text) {
  constexpr std::string_view white_space = " \t\n\v\f\r";
  const auto first = text.find_first_not_of(white_space);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(white_space) - first + 1);
}

}  // namespace metaflow
