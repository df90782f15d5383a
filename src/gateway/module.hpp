#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gateway/cloud.hpp"

/// How library and module find each other.
namespace metaflow::gateway {

/// What the module hands over. Read by library and module of any version, so its first member stays as it is.
struct Module {
  const char* version;  ///< that of base/version.hpp which it was built with
  std::unique_ptr<Cloud> (*open)();
};

/// The one symbol that the module shows: `const Module* metaflow_cloud_module()`.
inline constexpr const char* module_symbol = "metaflow_cloud_module";
inline constexpr const char* module_file = "libmetaflow_cloud.so";

/// Where the module may be, seen from the library or program that this code is in: beside it (library, Python package), a folder higher (a
/// program in a build folder or the Python package), or in the library's folder of the same prefix.
std::vector<std::string> module_places();

/// Loads the first file of `places` that exists, for good. Error(unavailable) when there is none, it cannot be loaded, or is of another version.
std::unique_ptr<Cloud> open_module(const std::vector<std::string>& places);

}  // namespace metaflow::gateway
