#include "cli/installation.hpp"

#include <array>

#include <metaflow/error.hpp>

#include <fmt/format.h>

namespace metaflow::cli {
namespace {

namespace fs = std::filesystem;

bool is_complete(const Installation& installation) {
  std::error_code ignored;
  return fs::exists(installation.include_folder / "metaflow/error.hpp", ignored) &&
         fs::exists(installation.library_folder / "libmetaflow.so", ignored);
}

}  // namespace

Installation find_installation() {
  const auto program_folder = fs::read_symlink("/proc/self/exe").parent_path();
  const auto prefix = program_folder.parent_path();
  const std::array candidates = {
      Installation{prefix / "include", prefix / METAFLOW_LIBRARY_FOLDER, prefix / "share/metaflow/tutorials/cpp"},
      Installation{(prefix / METAFLOW_SOURCE_FROM_BUILD / "include").lexically_normal(), prefix,
                   (prefix / METAFLOW_SOURCE_FROM_BUILD / "examples/tutorials/cpp").lexically_normal()},
  };
  for (const auto& candidate : candidates)
    if (is_complete(candidate)) return candidate;
  throw Error(
      ErrorCode::not_found,
      fmt::format("The Metaflow library was not found below {}; install it again, with its headers.", prefix.string()),
      "Incomplete installation");
}

}  // namespace metaflow::cli
