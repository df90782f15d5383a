#pragma once

#include <filesystem>
#include <string>

namespace metaflow::cli {

/// Makes `parent/NAME` with a flow, a CMake file and a README that build. Error(usage) for a name that is no name,
/// Error(conflict) when there is such a file or folder.
void make_project(const std::filesystem::path& parent, const std::string& name);

}  // namespace metaflow::cli
