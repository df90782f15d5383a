#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <metaflow/buffer.hpp>

namespace metaflow::storage {

/// Who may see a write before it is complete.
enum class Visibility {
  whole,  ///< readers see the old value or the new one, never part of either
  plain   ///< for what no reader looks at before a later, whole write says so: may save a rename
};

/// A value that follows from its key: whoever writes the key writes the same.
struct Content {
  std::string key;
  /// Of the value, about.
  std::uint64_t size = 0;
  /// Makes the value; called once at most, when it is to be written, and in any thread.
  std::function<Pieces()> value;
  /// A JSON object that goes with the value where a store can keep such. Readers do without.
  std::string_view attributes = {};
};

/// Keyed bytes: all that the datastore asks of a disk or a cloud. Keys are relative and '/'-separated, without empty,
/// `.` or `..` parts (Error invalid). Any member may be called from several threads at once. All throw Error: denied,
/// unavailable, exhausted (disk full), with the key and the root in the words.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;
  /// Nothing for a key never written.
  virtual std::optional<Buffer> get(std::string_view key) const = 0;
  /// The same for each of these, several at a time where that saves time.
  virtual std::vector<std::optional<Buffer>> get_all(std::span<const std::string> keys) const;
  bool has(std::string_view key) const { return size(key).has_value(); }
  /// Length of what the key holds in bytes, nothing for a key never written.
  virtual std::optional<std::uint64_t> size(std::string_view key) const = 0;
  /// Whether the key holds at least a byte, asked by who then relies on it instead of writing it: what was last written
  /// more than an hour ago counts as written now, as `metaflow gc` takes nothing that is new. Stores from which
  /// nothing is collected need no more than this.
  virtual bool renew(std::string_view key) { return size(key).value_or(0) > 0; }
  virtual void put(std::string_view key, const Pieces& value, Visibility visibility = Visibility::whole) = 0;
  /// Like put, but only if the key holds nothing; false if it does. Of several writers exactly one gets true.
  virtual bool create(std::string_view key, const Pieces& value) = 0;
  /// Writes what is missing of these, and does with what is there as renew; several at a time where that saves time.
  virtual void keep(std::span<const Content> contents);
  /// Says that the key holds something, as what was stored relies on it: where asking costs, keep() need not ask.
  virtual void assume([[maybe_unused]] std::string_view key) {}
  /// Adds to the end of what the key holds, making it if need be. One writer at a time. A store where each write costs may wait a while, so
  /// that other processes see it later; this store's own readers see it at once.
  virtual void append(std::string_view key, std::string_view bytes) = 0;
  /// No more is appended for now: what append() holds back is written soon, at the latest when the store goes.
  virtual void settle([[maybe_unused]] std::string_view key) {}
  /// Names directly below `prefix` (a "folder" without trailing '/', empty for the root), sorted; draft files are left
  /// out. Nothing below it: empty.
  virtual std::vector<std::string> list(std::string_view prefix) const = 0;
  /// Afterwards the key holds nothing; it may have held nothing before.
  virtual void remove(std::string_view key) = 0;
  /// What is recorded as `ds-root` and `location`: an absolute path, or an s3:// URL.
  virtual const std::string& root() const = 0;
  /// `local`, `s3`, … as recorded in `ds-type`.
  virtual std::string_view type() const = 0;
};

/// Throws Error(invalid) unless `key` is one that a store takes; for implementations.
void check_key(std::string_view key);

/// A folder on disk; made on the first write. Its type is `spin` when it is called `.metaflow_spin`. Files get mode 0600, folders 0777 less umask, as official.
/// Drafts are `tmp` + 8 random characters in the same folder, renamed into place; no fsync.
std::unique_ptr<ObjectStore> open_directory_store(const std::filesystem::path& root);

/// Lives in memory.
std::unique_ptr<ObjectStore> make_memory_store();

/// Looks like `below`, which outlives it, and can be changed without changing that: what is written is kept in memory.
std::unique_ptr<ObjectStore> make_overlay_store(const ObjectStore& below);

}  // namespace metaflow::storage
