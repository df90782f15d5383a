#pragma once

#include <string>
#include <string_view>

namespace metaflow {

/// `text` with the capital letters of ASCII made small, whatever the locale.
inline std::string lower_case(std::string_view text) {
  std::string result(text);
  for (auto& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

}  // namespace metaflow
