#include "storage/object_store.hpp"

#include <algorithm>

#include <metaflow/error.hpp>

#include "base/parallel.hpp"

namespace metaflow::storage {
namespace {

/// Less than this is written, and fewer are read, before a thread would have started.
constexpr std::uint64_t worth_threads = 2 << 20;
constexpr std::size_t many = 16;

}  // namespace

std::vector<std::optional<Buffer>> ObjectStore::get_all(std::span<const std::string> keys) const {
  std::vector<std::optional<Buffer>> values(keys.size());
  const auto get_one = [&](std::size_t i) { values[i] = get(keys[i]); };
  if (keys.size() >= many)
    for_each_index(keys.size(), get_one);
  else
    for (std::size_t i = 0; i < keys.size(); ++i) get_one(i);
  return values;
}

void ObjectStore::keep(std::span<const Content> contents) {
  const auto keep_one = [&](std::size_t i) {
    if (!renew(contents[i].key)) put(contents[i].key, contents[i].value());
  };
  std::uint64_t size = 0;
  for (const auto& content : contents) size += content.size;
  if (size >= worth_threads) return for_each_index(contents.size(), keep_one);
  for (std::size_t i = 0; i < contents.size(); ++i) keep_one(i);
}

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
