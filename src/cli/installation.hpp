#pragma once

#include <filesystem>
#include <optional>

namespace metaflow::cli {

/// Where the files are that belong to the running program, found from where the program itself lies: below a prefix, or
/// in the build folder. So a tree that was moved still works.
struct Installation {
  std::filesystem::path include_folder;    ///< holds metaflow/flow.hpp
  std::filesystem::path library_folder;    ///< holds libmetaflow.so
  std::filesystem::path tutorials_folder;  ///< one folder per episode
};

/// Throws Error(not_found) that says where was looked.
Installation find_installation();

}  // namespace metaflow::cli
