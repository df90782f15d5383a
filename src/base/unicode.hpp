#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace metaflow {

/// Length of the longest part of `text`, from its start, that is valid UTF-8: `text.size()` when all of it is.
std::size_t valid_utf8_length(std::string_view text);

/// Whether the bytes at `offset` encode half of a surrogate pair, which Python's str may hold and UTF-8 may not.
bool is_encoded_surrogate(std::string_view text, std::size_t offset);

/// The code point at `offset` of valid UTF-8; moves `offset` behind it.
char32_t next_code_point(std::string_view text, std::size_t& offset);
void append_utf8(std::string& text, char32_t code_point);

/// As Python's str.isprintable, but for code points that are not assigned.
bool is_printable(char32_t code_point);

/// The first `count` code points of valid UTF-8.
std::string_view first_code_points(std::string_view text, std::size_t count);

}  // namespace metaflow
