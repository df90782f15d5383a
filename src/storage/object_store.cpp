#include "storage/object_store.hpp"

#include <algorithm>

#include <metaflow/error.hpp>

namespace metaflow::storage {

void check_key(std::string_view key) {
  for (std::size_t start = 0; start <= key.size();) {
    const auto end = std::min(key.find('/', start), key.size());
    const auto part = key.substr(start, end - start);
    if (part.empty() || part == "." || part == ".." || part.find('\0') != part.npos) {
      throw Error(ErrorCode::invalid, "'" + std::string(key) +
                                          "' is no key of a store: its parts, separated by '/', must not be empty, '.'"
                                          " or '..'");
    }
    start = end + 1;
  }
}

}  // namespace metaflow::storage
