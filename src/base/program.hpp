#pragma once

#include <string>
#include <vector>

/// The running program as files.
namespace metaflow {

/// Absolute path of its executable.
std::string program_path();

/// Paths of the shared libraries it has loaded, in the order in which they were.
std::vector<std::string> loaded_libraries();

}  // namespace metaflow
