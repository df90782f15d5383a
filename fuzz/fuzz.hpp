#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <metaflow/error.hpp>

/// What the fuzzers share. Each says one thing more of its parser than that it does not crash.
namespace fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// What does not hold is a finding: it ends the fuzzer, which keeps the input. (Clang 14 has no std::source_location.)
inline void require(bool holds, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if (holds) return;
  std::fprintf(stderr, "%s:%d: a property does not hold\n", file, line);
  std::abort();
}

/// What `read` returns, nothing when it refuses its input in one of the `expected` ways. Whatever else it throws is a
/// finding, and so is an Error that says nothing.
template <class Read>
auto accepted(std::initializer_list<metaflow::ErrorCode> expected, Read read) -> std::optional<decltype(read())> {
  try {
    return read();
  } catch (const metaflow::Error& error) {
    require(error.what()[0] != '\0');
    if (std::find(expected.begin(), expected.end(), error.code()) == expected.end()) throw;
    return std::nullopt;
  }
}

/// Parts of a text between separators, of which there are one fewer.
inline std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (auto end = text.find(separator); end != text.npos; end = text.find(separator)) {
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  parts.emplace_back(text);
  return parts;
}

}  // namespace fuzz
