#include <algorithm>
#include <mutex>
#include <set>

#include "storage/object_store.hpp"

namespace metaflow::storage {
namespace {

class OverlayStore final : public ObjectStore {
 public:
  explicit OverlayStore(const ObjectStore& below) : below_(below) {}

  std::optional<Buffer> get(std::string_view key) const override {
    const std::scoped_lock lock(mutex_);
    if (auto bytes = above_->get(key)) return bytes;
    return is_removed(key) ? std::nullopt : below_.get(key);
  }

  std::optional<std::uint64_t> size(std::string_view key) const override {
    const std::scoped_lock lock(mutex_);
    return size_of(key);
  }

  void put(std::string_view key, const Pieces& value, Visibility visibility) override {
    const std::scoped_lock lock(mutex_);
    above_->put(key, value, visibility);
  }

  bool create(std::string_view key, const Pieces& value) override {
    const std::scoped_lock lock(mutex_);
    return !size_of(key) && above_->create(key, value);
  }

  void append(std::string_view key, std::string_view bytes) override {
    const std::scoped_lock lock(mutex_);
    if (!above_->has(key) && !is_removed(key))
      if (const auto before = below_.get(key)) above_->append(key, before->text());
    above_->append(key, bytes);
  }

  std::vector<std::string> list(std::string_view prefix) const override {
    const std::scoped_lock lock(mutex_);
    auto names = above_->list(prefix);
    for (auto& name : below_.list(prefix))
      if (!is_removed(prefix.empty() ? name : std::string(prefix) + '/' + name)) names.push_back(std::move(name));
    std::ranges::sort(names);
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
  }

  void remove(std::string_view key) override {
    const std::scoped_lock lock(mutex_);
    above_->remove(key);
    removed_.emplace(key);
  }

  const std::string& root() const override { return below_.root(); }
  std::string_view type() const override { return below_.type(); }

 private:
  bool is_removed(std::string_view key) const { return removed_.contains(key); }
  std::optional<std::uint64_t> size_of(std::string_view key) const {
    if (const auto size = above_->size(key)) return size;
    return is_removed(key) ? std::nullopt : below_.size(key);
  }

  const ObjectStore& below_;
  mutable std::mutex mutex_;
  const std::unique_ptr<ObjectStore> above_ = make_memory_store();
  std::set<std::string, std::less<>> removed_;  // guarded by mutex_, of what lies below
};

}  // namespace

std::unique_ptr<ObjectStore> make_overlay_store(const ObjectStore& below) {
  return std::make_unique<OverlayStore>(below);
}

}  // namespace metaflow::storage
