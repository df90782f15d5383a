#pragma once

#include <span>
#include <string>
#include <string_view>

namespace metaflow::cli {

/// ` Did you mean 'show'?` for the known word that is nearest to what was typed; empty when none is near. Words that
/// begin with what was typed are near.
std::string did_you_mean(std::string_view typed, std::span<const std::string> known);

/// The known word of which `typed` seems to be a slip of the pen, by fewer changes than did_you_mean() allows; empty when there is
/// none.
std::string slip_in(std::string_view typed, std::span<const std::string> known);

}  // namespace metaflow::cli
