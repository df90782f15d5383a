#include "base/files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>
#include <span>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/random.hpp"
#include "base/system_error.hpp"

namespace metaflow {
namespace {

Error failed(std::string_view verb, std::string_view path, int number) {
  return system_error("cannot " + std::string(verb) + " '" + std::string(path) + "'", number);
}

template <class Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

FileDescriptor try_open(const std::string& path, int flags, unsigned mode) {
  return FileDescriptor(uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); }));
}

std::string parent_of(const std::string& path) {
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// Opens for writing; folders are only made when the kernel says that they are missing, as they mostly exist.
/// `shown` is the path that the user knows.
FileDescriptor open_for_writing(const std::string& path, int flags, const std::string& shown) {
  auto file = try_open(path, flags | O_WRONLY | O_CREAT, 0600);
  if (!file && errno == ENOENT) {
    make_directories(parent_of(path));
    file = try_open(path, flags | O_WRONLY | O_CREAT, 0600);
  }
  if (!file) throw failed("write", shown, errno);
  return file;
}

void write_vectors(int descriptor, std::span<iovec> vectors, std::string_view path) {
  while (!vectors.empty()) {
    const auto count = static_cast<int>(std::min<std::size_t>(vectors.size(), IOV_MAX));
    const auto written = uninterrupted([&] { return ::writev(descriptor, vectors.data(), count); });
    if (written < 0) throw failed("write", path, errno);
    auto left = static_cast<std::size_t>(written);
    while (!vectors.empty() && left >= vectors.front().iov_len) {
      left -= vectors.front().iov_len;
      vectors = vectors.subspan(1);
    }
    if (left > 0) {
      vectors.front().iov_base = static_cast<char*>(vectors.front().iov_base) + left;
      vectors.front().iov_len -= left;
    }
  }
}

void write_pieces(int descriptor, const Pieces& bytes, std::string_view path) {
  std::vector<iovec> vectors;
  vectors.reserve(bytes.count());
  for (std::size_t i = 0; i < bytes.count(); ++i) {
    const auto piece = bytes.piece(i);
    if (!piece.empty()) vectors.push_back({const_cast<std::byte*>(piece.data()), piece.size()});
  }
  write_vectors(descriptor, vectors, path);
}

/// Some file systems report a full disk or quota only when the file is closed.
void close_written(FileDescriptor& file, std::string_view path) {
  if (::close(file.release()) != 0 && errno != EINTR) throw failed("write", path, errno);
}

/// Moves `from` to `to` unless that exists. 0, or the errno of what went wrong.
int rename_if_absent(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // NFS and some others know no such rename, but a hard link is exclusive on all of them.
  if (::link(from.c_str(), to.c_str()) == 0) return ::unlink(from.c_str()), 0;
  if (errno != EPERM) return errno;
  // A folder cannot be linked, and replaces nothing but an empty one.
  if (::rename(from.c_str(), to.c_str()) == 0) return 0;
  return errno == ENOTEMPTY ? EEXIST : errno;
}

/// Reads until the end of the file; its size is only a guess, as somebody may be appending.
std::size_t read_some(int descriptor, char* to, std::size_t wanted, const std::string& path) {
  std::size_t got = 0;
  while (got < wanted) {
    const auto count = uninterrupted([&] { return ::read(descriptor, to + got, wanted - got); });
    if (count < 0) throw failed("read", path, errno);
    if (count == 0) break;
    got += static_cast<std::size_t>(count);
  }
  return got;
}

/// Opens an existing regular file; an empty descriptor when there is none.
FileDescriptor open_existing(const std::string& path, struct stat& status) {
  auto file = try_open(path, O_RDONLY, 0);
  if (!file) {
    if (errno == ENOENT || errno == ENOTDIR) return file;
    throw failed("read", path, errno);
  }
  if (::fstat(file.get(), &status) != 0) throw failed("read", path, errno);
  if (S_ISDIR(status.st_mode)) throw failed("read", path, EISDIR);
  return file;
}

/// Calls `take(descriptor of the folder, entry)` for all in a folder but `.` and `..`; for nothing when there is none.
template <class Take>
void for_each_name(const std::string& path, Take take) {
  struct Close {
    void operator()(DIR* folder) const { ::closedir(folder); }
  };
  const std::unique_ptr<DIR, Close> folder(::opendir(path.c_str()));
  if (!folder) {
    if (errno == ENOENT || errno == ENOTDIR) return;
    throw failed("list", path, errno);
  }
  errno = 0;
  while (const auto* entry = ::readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") take(::dirfd(folder.get()), *entry);
    errno = 0;
  }
  if (errno != 0) throw failed("list", path, errno);
}

}  // namespace

bool is_draft_name(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  return name.size() == 11 && name.starts_with("tmp") && std::all_of(name.begin() + 3, name.end(), is_letter);
}

namespace {

std::string draft_path(const std::string& target) {
  return target.substr(0, target.find_last_of('/') + 1) + "tmp" + random_name(8);
}

void write_into_draft(const std::string& draft, const std::string& target, const std::string& name,
                      std::string_view bytes) {
  const auto shown = target + '/' + name;
  auto file = open_for_writing(draft + '/' + name, O_TRUNC, shown);
  write_all(file.get(), bytes, shown);
  close_written(file, shown);
}

void remove_draft_folder(const std::string& draft, const std::map<std::string, std::string>& files) {
  for (const auto& [name, bytes] : files) ::unlink((draft + '/' + name).c_str());
  ::rmdir(draft.c_str());
}

}  // namespace

void FileDescriptor::close() noexcept {
  // Not repeated on EINTR: on Linux the descriptor is gone then, and its number may belong to somebody else.
  if (number_ >= 0) ::close(std::exchange(number_, -1));
}

FileDescriptor open_file(const std::string& path, int flags, unsigned mode) {
  auto file = try_open(path, flags, mode);
  if (!file) throw failed("open", path, errno);
  return file;
}

DraftFile::DraftFile(std::string target) : target_(std::move(target)) {
  path_ = draft_path(target_);
  file_ = open_for_writing(path_, O_EXCL, target_);
}

DraftFile::~DraftFile() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

void DraftFile::write(const Pieces& bytes) { write_pieces(file_.get(), bytes, target_); }

void DraftFile::write(std::string_view bytes) { write_all(file_.get(), bytes, target_); }

void DraftFile::keep() {
  close_written(file_, target_);
  if (::rename(path_.c_str(), target_.c_str()) != 0) throw failed("write", target_, errno);
  path_.clear();
}

bool DraftFile::keep_if_absent() {
  close_written(file_, target_);
  const int problem = rename_if_absent(path_, target_);
  if (problem == EEXIST) return false;
  if (problem != 0) throw failed("write", target_, problem);
  path_.clear();
  return true;
}

std::optional<Buffer> read_file(const std::string& path) {
  struct stat status {};
  const auto file = open_existing(path, status);
  if (!file) return std::nullopt;
  Buffer bytes(static_cast<std::size_t>(status.st_size));
  const auto got = read_some(file.get(), reinterpret_cast<char*>(bytes.data()), bytes.size(), path);
  bytes.truncate(got);
  return bytes;
}

std::optional<std::string> read_text_file(const std::string& path) {
  struct stat status {};
  const auto file = open_existing(path, status);
  if (!file) return std::nullopt;
  std::string text;
  // One byte more than it should be shows the end without another look; pipes and /proc files claim no size at all.
  auto room = static_cast<std::size_t>(status.st_size) + 1;
  for (std::size_t got = 0;;) {
    text.resize(got + room);
    const auto count = read_some(file.get(), text.data() + got, room, path);
    got += count;
    if (count < room) return text.resize(got), text;
    room = std::max<std::size_t>(got, 4096);
  }
}

std::string read_text_from(const std::string& path, std::uint64_t offset) {
  struct stat status {};
  const auto file = open_existing(path, status);
  if (!file || static_cast<std::uint64_t>(status.st_size) <= offset) return {};
  if (::lseek(file.get(), static_cast<off_t>(offset), SEEK_SET) < 0) throw failed("read", path, errno);
  std::string text(static_cast<std::size_t>(status.st_size) - offset, '\0');
  text.resize(read_some(file.get(), text.data(), text.size(), path));
  return text;
}

std::optional<std::uint64_t> file_size(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return std::nullopt;
    return static_cast<std::uint64_t>(status.st_size);
  }
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  throw failed("look at", path, errno);
}

bool renew_file(const std::string& path, std::chrono::seconds age) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return false;
    throw failed("look at", path, errno);
  }
  if (S_ISDIR(status.st_mode) || status.st_size == 0) return false;
  if (::time(nullptr) - status.st_mtim.tv_sec <= age.count()) return true;
  // A file of another user, or on a read-only file system, is there all the same.
  return ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0) == 0 || errno != ENOENT;
}

void replace_file(const std::string& path, std::string_view bytes) {
  DraftFile draft(path);
  draft.write(bytes);
  draft.keep();
}

bool create_file(const std::string& path, std::string_view bytes) {
  DraftFile draft(path);
  draft.write(bytes);
  return draft.keep_if_absent();
}

bool create_folder(const std::string& path, const std::map<std::string, std::string>& files) {
  const auto draft = draft_path(path);
  make_new_directory(draft);
  try {
    for (const auto& [name, bytes] : files) write_into_draft(draft, path, name, bytes);
    if (::rename(draft.c_str(), path.c_str()) == 0) return true;
    if (errno != ENOTEMPTY && errno != EEXIST) throw failed("write", path, errno);
    remove_draft_folder(draft, files);
    return false;
  } catch (const Error&) {
    remove_draft_folder(draft, files);
    throw;
  }
}

void write_file_in_place(const std::string& path, std::string_view bytes) {
  auto file = open_for_writing(path, O_TRUNC, path);
  write_all(file.get(), bytes, path);
  close_written(file, path);
}

void write_file_in_place(const std::string& path, const Pieces& bytes) {
  auto file = open_for_writing(path, O_TRUNC, path);
  write_pieces(file.get(), bytes, path);
  close_written(file, path);
}

void append_to_file(const std::string& path, std::string_view bytes) {
  auto file = open_for_writing(path, O_APPEND, path);
  write_all(file.get(), bytes, path);
  close_written(file, path);
}

void remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) throw failed("remove", path, errno);
}

void make_directories(const std::string& path) {
  struct stat status {};
  if (make_new_directory(path)) return;
  if (::stat(path.c_str(), &status) != 0) throw failed("make folder", path, errno);
  if (!S_ISDIR(status.st_mode)) throw failed("make folder", path, ENOTDIR);
}

bool make_new_directory(const std::string& path) {
  auto made = ::mkdir(path.c_str(), 0777);
  if (made != 0 && errno == ENOENT && parent_of(path) != path) {
    make_directories(parent_of(path));
    made = ::mkdir(path.c_str(), 0777);
  }
  if (made == 0) return true;
  if (errno == EEXIST) return false;
  throw failed("make folder", path, errno);
}

std::vector<std::string> list_directory(const std::string& path) {
  std::vector<std::string> names;
  for_each_name(path, [&](int, const dirent& entry) {
    if (!is_draft_name(entry.d_name) || entry.d_type == DT_DIR) names.emplace_back(entry.d_name);
  });
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<FolderEntry> folder_entries(const std::string& path) {
  std::vector<FolderEntry> entries;
  for_each_name(path, [&](int folder, const dirent& entry) {
    struct stat status {};
    // What goes while we look is not there; a link that leads nowhere is something to be listed.
    if (::fstatat(folder, entry.d_name, &status, 0) != 0 &&
        ::fstatat(folder, entry.d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return;
      throw failed("look at", path + '/' + entry.d_name, errno);
    }
    constexpr std::uint64_t block = 512;  // the unit of st_blocks, whatever the file system's own is
    entries.push_back({.name = entry.d_name,
                       .is_folder = S_ISDIR(status.st_mode),
                       .disk_bytes = static_cast<std::uint64_t>(status.st_blocks) * block,
                       .written_s = status.st_mtim.tv_sec});
  });
  std::ranges::sort(entries, {}, &FolderEntry::name);
  return entries;
}

bool move_if_absent(const std::string& from, const std::string& to) {
  int problem = rename_if_absent(from, to);
  struct stat status {};
  if (problem == ENOENT && ::lstat(from.c_str(), &status) == 0) {
    make_directories(parent_of(to));
    problem = rename_if_absent(from, to);
  }
  if (problem == EEXIST) return false;
  if (problem != 0) throw failed("move", from + "' to '" + to, problem);
  return true;
}

void remove_tree(const std::string& path) {
  std::error_code problem;
  std::filesystem::remove_all(path, problem);
  if (problem) throw failed("remove", path, problem.value());
}

void write_all(int descriptor, std::string_view bytes, std::string_view path) {
  iovec vector{const_cast<char*>(bytes.data()), bytes.size()};
  if (!bytes.empty()) write_vectors(descriptor, {&vector, 1}, path);
}

}  // namespace metaflow
