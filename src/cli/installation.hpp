#pragma once

#include <filesystem>

namespace metaflow::cli {

/// Files that belong to the running program are found from where the program itself lies: below a prefix, in the build folder, or
/// in the Python package. So a tree that was moved still works.

/// What C++ flows are built with. The Python package brings none of it.
struct Installation {
  std::filesystem::path include_folder;  ///< holds metaflow/flow.hpp
  std::filesystem::path library_folder;  ///< holds libmetaflow.so
};

/// Throws Error(not_found) that says where was looked.
Installation find_installation();

/// The folder with the tutorials, one folder for each language. Throws Error(not_found) that says where was looked.
std::filesystem::path find_tutorials();

}  // namespace metaflow::cli
