#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>

#include <metaflow/error.hpp>

#include "storage/object_store.hpp"

namespace metaflow::storage {
namespace {

std::string joined(const Pieces& value) {
  std::string bytes;
  bytes.reserve(value.size());
  for (std::size_t i = 0; i < value.count(); ++i) {
    const auto piece = value.piece(i);
    bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  return bytes;
}

class MemoryStore final : public ObjectStore {
 public:
  std::optional<Buffer> get(std::string_view key) const override {
    check_key(key);
    const std::scoped_lock lock(mutex_);
    const auto found = objects_.find(key);
    if (found == objects_.end()) return std::nullopt;
    Buffer bytes(found->second.size());
    if (bytes.size() > 0) std::memcpy(bytes.data(), found->second.data(), bytes.size());
    return bytes;
  }

  std::optional<std::uint64_t> size(std::string_view key) const override {
    check_key(key);
    const std::scoped_lock lock(mutex_);
    const auto found = objects_.find(key);
    if (found == objects_.end()) return std::nullopt;
    return found->second.size();
  }

  void put(std::string_view key, const Pieces& value, Visibility) override {
    check_key(key);
    auto bytes = joined(value);
    const std::scoped_lock lock(mutex_);
    objects_.insert_or_assign(std::string(key), std::move(bytes));
  }

  bool create(std::string_view key, const Pieces& value) override {
    check_key(key);
    auto bytes = joined(value);
    const std::scoped_lock lock(mutex_);
    return objects_.try_emplace(std::string(key), std::move(bytes)).second;
  }

  void append(std::string_view key, std::string_view bytes) override {
    check_key(key);
    const std::scoped_lock lock(mutex_);
    objects_[std::string(key)] += bytes;
  }

  std::vector<std::string> list(std::string_view prefix) const override {
    if (!prefix.empty()) check_key(prefix);
    const auto folder = prefix.empty() ? std::string() : std::string(prefix) + '/';
    const std::scoped_lock lock(mutex_);
    std::vector<std::string> names;
    for (auto i = objects_.lower_bound(folder); i != objects_.end() && i->first.starts_with(folder); ++i) {
      const auto rest = i->first.substr(folder.size());
      names.push_back(rest.substr(0, rest.find('/')));
    }
    // 'a/x' and 'a-b' sort differently as keys than their first parts do.
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
  }

  void remove(std::string_view key) override {
    check_key(key);
    const std::scoped_lock lock(mutex_);
    if (const auto found = objects_.find(key); found != objects_.end()) objects_.erase(found);
  }

  const std::string& root() const override { return root_; }
  std::string_view type() const override { return "memory"; }

 private:
  const std::string root_ = "/memory";
  mutable std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> objects_;  // guarded by mutex_
};

}  // namespace

std::unique_ptr<ObjectStore> make_memory_store() { return std::make_unique<MemoryStore>(); }

}  // namespace metaflow::storage
