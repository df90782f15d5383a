#include <metaflow/error.hpp>

#include "base/configuration.hpp"
#include "base/files.hpp"
#include "storage/object_store.hpp"

namespace metaflow::storage {
namespace {

class DirectoryStore final : public ObjectStore {
 public:
  explicit DirectoryStore(std::string root)
      : root_(std::move(root)), type_(root_.ends_with('/' + std::string(spin_folder_name)) ? "spin" : "local") {}

  std::optional<Buffer> get(std::string_view key) const override { return read_file(path(key)); }

  std::optional<std::uint64_t> size(std::string_view key) const override { return file_size(path(key)); }

  bool renew(std::string_view key) override { return renew_file(path(key), std::chrono::hours(1)); }

  void put(std::string_view key, const Pieces& value, Visibility visibility) override {
    if (visibility == Visibility::plain) return write_file_in_place(path(key), value);
    DraftFile draft(path(key));
    draft.write(value);
    draft.keep();
  }

  bool create(std::string_view key, const Pieces& value) override {
    DraftFile draft(path(key));
    draft.write(value);
    return draft.keep_if_absent();
  }

  void append(std::string_view key, std::string_view bytes) override { append_to_file(path(key), bytes); }

  std::vector<std::string> list(std::string_view prefix) const override {
    return list_directory(prefix.empty() ? root_ : path(prefix));
  }

  void remove(std::string_view key) override { remove_file(path(key)); }

  const std::string& root() const override { return root_; }
  std::string_view type() const override { return type_; }

 private:
  std::string path(std::string_view key) const {
    check_key(key);
    std::string path;
    path.reserve(root_.size() + 1 + key.size());
    return path.append(root_).append(1, '/').append(key);
  }

  const std::string root_;
  const std::string_view type_;
};

}  // namespace

std::unique_ptr<ObjectStore> open_directory_store(const std::filesystem::path& root) {
  // Recorded in every artifact's location, where a relative path would mean nothing to a later process.
  auto absolute = std::filesystem::absolute(root).lexically_normal().string();
  while (absolute.size() > 1 && absolute.back() == '/') absolute.pop_back();
  return std::make_unique<DirectoryStore>(std::move(absolute));
}

}  // namespace metaflow::storage
