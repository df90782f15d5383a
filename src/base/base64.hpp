#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace metaflow {

/// RFC 4648, padded, without line breaks.
std::string encode_base64(std::string_view bytes);
/// The bytes that `text` stands for; nothing when it is no base64.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace metaflow
