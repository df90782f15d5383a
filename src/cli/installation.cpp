#include "cli/installation.hpp"

#include <algorithm>
#include <array>

#include <metaflow/error.hpp>

#include <fmt/format.h>

namespace metaflow::cli {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// The folder that holds bin/metaflow.
fs::path find_prefix() { return fs::read_symlink("/proc/self/exe").parent_path().parent_path(); }

fs::path source_folder(const fs::path& prefix) { return (prefix / METAFLOW_SOURCE_FROM_BUILD).lexically_normal(); }

bool is_complete(const Installation& installation) {
  return is_there(installation.include_folder / "metaflow/error.hpp") &&
         is_there(installation.library_folder / "libmetaflow.so");
}

}  // namespace

Installation find_installation() {
  const auto prefix = find_prefix();
  const std::array candidates = {
      Installation{prefix / "include", prefix / METAFLOW_LIBRARY_FOLDER},
      Installation{source_folder(prefix) / "include", prefix},
  };
  for (const auto& candidate : candidates)
    if (is_complete(candidate)) return candidate;
  if (is_there(prefix / "__init__.py"))
    throw Error(
        ErrorCode::not_found,
        "This program belongs to the Python package, which has no headers; to build C++ flows, install Metaflow "
        "from its source: ./dev install PREFIX",
        "No C++ here");
  throw Error(
      ErrorCode::not_found,
      fmt::format("The Metaflow library was not found below {}; install it again, with its headers.", prefix.string()),
      "Incomplete installation");
}

fs::path find_tutorials() {
  const auto prefix = find_prefix();
  const std::array candidates = {
      prefix / "share/metaflow/tutorials",
      prefix / "tutorials",  // of the Python package
      source_folder(prefix) / "examples/tutorials",
  };
  const auto found = std::ranges::find_if(candidates, is_there);
  if (found != candidates.end()) return *found;
  throw Error(ErrorCode::not_found, fmt::format("There are no tutorials below {}.", prefix.string()), "No tutorials");
}

}  // namespace metaflow::cli
