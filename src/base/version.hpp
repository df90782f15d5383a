#pragma once

#include <string_view>

namespace metaflow {

/// Our own version.
inline constexpr std::string_view engine_version = "0.1.0";
/// The official Metaflow whose files and commands we are compatible with.
inline constexpr std::string_view compatible_version = "2.19.38";
/// What `metaflow version` and the `metaflow_version` tag say.
inline constexpr std::string_view version = "2.19.38+cpp.0.1.0";

}  // namespace metaflow
