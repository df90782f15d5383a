#include "base/program.hpp"

#include <filesystem>

#include <link.h>

namespace metaflow {

std::string program_path() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

std::vector<std::string> loaded_libraries() {
  std::vector<std::string> paths;
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* found) {
        // The program itself has no name here, and what the kernel maps in has no path.
        if (info->dlpi_name != nullptr && info->dlpi_name[0] == '/')
          static_cast<std::vector<std::string>*>(found)->emplace_back(info->dlpi_name);
        return 0;
      },
      &paths);
  return paths;
}

}  // namespace metaflow
