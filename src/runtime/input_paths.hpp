#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace metaflow::runtime {

/// The value of `--input-paths`: `run/step/task` paths in one text. The longest common prefix is written once, and what
/// is longer than 500 characters is packed.
///
///     text   = packed | plain
///     plain  = [ prefix ":" ] suffix { "," suffix }
///     packed = "!" base64(zlib(zlib(plain)))
std::string encode_input_paths(std::span<const std::string> paths);
/// Throws Error(usage) for a text of no such form.
std::vector<std::string> decode_input_paths(std::string_view text);

}  // namespace metaflow::runtime
