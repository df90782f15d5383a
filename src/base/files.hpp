#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <metaflow/buffer.hpp>

/// Files and folders of this machine. Everything throws Error with the path and the reason in words (system_error);
/// interrupted calls and short reads and writes are carried on. Descriptors are close-on-exec.
namespace metaflow {

/// Owns an open descriptor; empty when default-made or moved from.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int number) : number_(number) {}
  FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~FileDescriptor() { close(); }

  int get() const noexcept { return number_; }
  explicit operator bool() const noexcept { return number_ >= 0; }
  /// Gives up ownership.
  int release() noexcept { return std::exchange(number_, -1); }
  void close() noexcept;

 private:
  int number_ = -1;
};

/// A file being written beside its final place as `tmp` + 8 random characters; removed again unless kept. Missing
/// folders are made. No fsync: what a power loss may cut short, its digest or parser finds out.
class DraftFile {
 public:
  explicit DraftFile(std::string target);
  ~DraftFile();
  DraftFile(const DraftFile&) = delete;
  DraftFile& operator=(const DraftFile&) = delete;

  void write(const Pieces& bytes);
  void write(std::string_view bytes);
  /// Takes the target's place at once: readers see the old file or this one.
  void keep();
  /// The same, but only if there is no such file; of several processes exactly one gets true.
  bool keep_if_absent();

 private:
  std::string target_, path_;
  FileDescriptor file_;
};

/// Opens or throws; new files get `mode` less umask.
FileDescriptor open_file(const std::string& path, int flags, unsigned mode = 0600);

/// Whether a file of this name is one that DraftFile, or official Metaflow in the same way, has left unfinished.
bool is_draft_name(std::string_view name);

/// All of a file; nothing when there is none.
std::optional<Buffer> read_file(const std::string& path);
std::optional<std::string> read_text_file(const std::string& path);
/// What a file holds from `offset` on; empty when that is its end or there is no such file.
std::string read_text_from(const std::string& path, std::uint64_t offset);
/// Length of a file, nothing when there is none; folders count as none.
std::optional<std::uint64_t> file_size(const std::string& path);

/// Whether there is a file that is not empty. If it was written longer ago than `age`, it counts as written now, as far
/// as this user may do that.
bool renew_file(const std::string& path, std::chrono::seconds age);

/// Writes whole, by a draft and a rename.
void replace_file(const std::string& path, std::string_view bytes);
/// Writes whole, unless there is such a file: then false and nothing changes.
bool create_file(const std::string& path, std::string_view bytes);
/// Makes a folder with all its files, by name, at once: readers see the whole of it or nothing. False when there is such a
/// folder with anything in it; then nothing changes.
bool create_folder(const std::string& path, const std::map<std::string, std::string>& files);
/// Truncates and writes in place: a reader may see a part.
void write_file_in_place(const std::string& path, std::string_view bytes);
void write_file_in_place(const std::string& path, const Pieces& bytes);
void append_to_file(const std::string& path, std::string_view bytes);
/// No such file is fine.
void remove_file(const std::string& path);

/// Makes the folder and those above it; existing ones are fine.
void make_directories(const std::string& path);
/// Makes the last folder of `path`, and those above it; false if it was there already. Of several processes exactly one
/// gets true.
bool make_new_directory(const std::string& path);

/// Names in a folder, sorted, drafts of DraftFile left out; empty when there is no such folder.
std::vector<std::string> list_directory(const std::string& path);

/// One name in a folder; links count as what they lead to.
struct FolderEntry {
  std::string name;
  bool is_folder = false;
  std::uint64_t disk_bytes = 0;  ///< what it takes on disk, as `du` counts
  std::int64_t written_s = 0;    ///< last change of its content, in seconds since the epoch
};
/// All of a folder, drafts too, sorted by name; empty when there is no such folder.
std::vector<FolderEntry> folder_entries(const std::string& path);

/// Moves a file or folder; missing folders above `to` are made. False if there is something at `to`: then nothing
/// changes. Both must be on one file system.
bool move_if_absent(const std::string& from, const std::string& to);

/// Removes a file, or a folder with all in it; no such thing is fine.
void remove_tree(const std::string& path);

/// Writes all bytes to an open descriptor; `path` is for the error.
void write_all(int descriptor, std::string_view bytes, std::string_view path);

}  // namespace metaflow
