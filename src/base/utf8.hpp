#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace metaflow {

/// The code point that starts at `text[position]` and moves `position` past it; nothing for bytes that are not UTF-8
/// (overlong forms, surrogates and values above U+10FFFF included), then `position` moves past what cannot be part of
/// any character. `position` must be inside the text.
std::optional<char32_t> decode_code_point(std::string_view text, std::size_t& position);

bool is_utf8(std::string_view text);

/// `text` with every piece that is not UTF-8 replaced by U+FFFD.
std::string sanitized_utf8(std::string_view text);

}  // namespace metaflow
