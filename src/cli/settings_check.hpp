#pragma once

#include <string>
#include <vector>

#include "base/configuration.hpp"
#include "cli/arguments.hpp"
#include "cli/console.hpp"

/// Whether what is configured can hold.
namespace metaflow::cli {

/// One line for each METAFLOW_ name that nothing knows and that is a slip in one that is known: what it is, where it is set, and
/// what may be meant.
std::vector<std::string> mistyped_settings(const Configuration& configuration);

/// At the start of a run: warns of those, and throws Error(invalid) for a setting of something that is not built, and for one whose text is
/// not of its kind. `top` are the options before the command: one that chooses another metadata or datastore settles it.
void check_settings(const Configuration& configuration, const Arguments& top, const Console& console);

}  // namespace metaflow::cli
