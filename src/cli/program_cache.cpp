#include "cli/program_cache.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include <fcntl.h>
#include <linux/fs.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <metaflow/error.hpp>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/hash.hpp"
#include "base/random.hpp"
#include "base/system_error.hpp"

namespace metaflow::cli {
namespace {

namespace fs = std::filesystem;

/// Changes with every write to a file, whatever its date is set to afterwards.
struct Stamp {
  std::int64_t changed_ns = 0, size = 0;
  std::uint64_t inode = 0;

  bool operator==(const Stamp&) const = default;
};

std::optional<Stamp> stamp_of(const char* path) {
  struct stat status {};
  if (::stat(path, &status) != 0) return std::nullopt;
  return Stamp{status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec, status.st_size, status.st_ino};
}

/// One line of `inputs`: `<sha1> <changed> <size> <inode> <path>`. Paths with line ends are not cached.
struct Input {
  std::string_view sha1;
  Stamp stamp;
  std::string path;
};

std::string line_of(const Input& input) {
  return fmt::format("{} {} {} {} {}\n", input.sha1, input.stamp.changed_ns, input.stamp.size, input.stamp.inode,
                     input.path);
}

template <class Number>
bool take_number(std::string_view& line, Number& number) {
  const auto [end, problem] = std::from_chars(line.data(), line.data() + line.size(), number);
  if (problem != std::errc() || end == line.data() + line.size() || *end != ' ') return false;
  line.remove_prefix(static_cast<std::size_t>(end - line.data()) + 1);
  return true;
}

std::optional<Input> read_line(std::string_view line) {
  constexpr std::size_t digits = 40;
  Input input;
  if (line.size() <= digits || line[digits] != ' ') return std::nullopt;
  input.sha1 = line.substr(0, digits);
  line.remove_prefix(digits + 1);
  if (!take_number(line, input.stamp.changed_ns) || !take_number(line, input.stamp.size) ||
      !take_number(line, input.stamp.inode))
    return std::nullopt;
  input.path = line;
  return input;
}

std::string content_hash(const std::string& path) {
  const auto content = read_file(path);
  if (!content) throw Error(ErrorCode::not_found, "'" + path + "' has vanished");
  return sha1_hex(content->span());
}

bool is_unchanged(const Input& input) {
  const auto now = stamp_of(input.path.c_str());
  if (!now) return false;
  if (*now == input.stamp) return true;
  return now->size == input.stamp.size && content_hash(input.path) == input.sha1;
}

/// The list of inputs, or nothing when one was written to while the compiler may have been reading it.
std::optional<std::string> describe_inputs(const std::vector<std::string>& paths, std::int64_t build_began_ns) {
  std::string text;
  for (const auto& path : paths) {
    const auto stamp = stamp_of(path.c_str());
    if (!stamp || stamp->changed_ns >= build_began_ns || path.find('\n') != std::string::npos) return std::nullopt;
    const auto sha1 = content_hash(path);
    text += line_of({sha1, *stamp, path});
  }
  return text;
}

void refuse_folder(const std::string& folder, const std::string& why) {
  throw Error(
      ErrorCode::denied,
      fmt::format("Programs are not kept in {}: {}. Remove it, or name another place by XDG_CACHE_HOME.", folder, why),
      "Cache folder refused");
}

/// Programs are started from here: nobody else may have put them there.
void check_private(const std::string& folder) {
  struct stat status {};
  if (::lstat(folder.c_str(), &status) != 0) throw system_error("cannot look at '" + folder + "'", errno);
  if (!S_ISDIR(status.st_mode)) refuse_folder(folder, "it is no folder");
  if (status.st_uid != ::geteuid()) refuse_folder(folder, "it belongs to another user");
  if ((status.st_mode & 077) != 0)
    refuse_folder(folder, fmt::format("others may use it (mode {:o})", status.st_mode & 0777));
}

void make_private(const std::string& folder) {
  make_directories(fs::path(folder).parent_path());
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) throw system_error("cannot make '" + folder + "'", errno);
}

/// Removes what it names, unless it was moved away meanwhile.
struct DraftFolder {
  std::string path;
  ~DraftFolder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

/// Puts `draft` in the place of `target` at once; what was there is at `draft` afterwards.
void put_in_place(const std::string& draft, const std::string& target) {
  if (::renameat2(AT_FDCWD, draft.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) return;
  if (errno == ENOENT && ::rename(draft.c_str(), target.c_str()) == 0) return;
  // Somebody else was faster, or the file system cannot exchange: one try more, with the place made free.
  const auto old = draft + ".old";
  const DraftFolder remover{old};
  ::rename(target.c_str(), old.c_str());
  if (::rename(draft.c_str(), target.c_str()) != 0)
    throw system_error("cannot keep the program at '" + target + "'", errno);
}

/// Now, by the clock that stamps files.
std::int64_t coarse_now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

/// A time after that of every file written before the call; a tick of that clock is a few milliseconds.
std::int64_t next_tick_ns() {
  const auto before = coarse_now_ns();
  while (coarse_now_ns() == before) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return coarse_now_ns();
}

}  // namespace

ProgramCache::ProgramCache(std::string folder) : folder_(std::move(folder)) {
  if (::access(folder_.c_str(), F_OK) != 0) {
    make_private(fs::path(folder_).parent_path());
    make_private(folder_);
  }
  check_private(fs::path(folder_).parent_path());
  check_private(folder_);
}

std::string ProgramCache::default_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return std::string(cache) + "/metaflow/programs";
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home != '/') {
    const auto* entry = ::getpwuid(::geteuid());
    home = entry == nullptr ? nullptr : entry->pw_dir;
  }
  if (home == nullptr)
    throw Error(ErrorCode::not_found, "There is no home folder to keep built programs in; set XDG_CACHE_HOME.",
                "No cache folder");
  return std::string(home) + "/.cache/metaflow/programs";
}

std::optional<std::string> ProgramCache::find(const std::string& key) const {
  const auto folder = folder_ + '/' + key;
  const auto text = read_text_file(folder + "/inputs");
  if (!text) return std::nullopt;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    const auto input = read_line(rest.substr(0, end));
    if (end == std::string_view::npos || !input || !is_unchanged(*input)) return std::nullopt;
    rest.remove_prefix(end + 1);
  }
  const auto program = folder + "/program";
  return ::access(program.c_str(), X_OK) == 0 ? std::optional(program) : std::nullopt;
}

std::string ProgramCache::store(const std::string& key, const Build& build) const {
  remove_old();
  const DraftFolder draft{folder_ + "/draft-" + random_name(8)};
  if (::mkdir(draft.path.c_str(), 0700) != 0) throw system_error("cannot make '" + draft.path + "'", errno);
  const auto began = next_tick_ns();
  const auto inputs = describe_inputs(build(draft.path), began);
  // Without the list the program is started this once, and built again the next time.
  if (inputs) write_file_in_place(draft.path + "/inputs", *inputs);
  const auto target = folder_ + '/' + key;
  put_in_place(draft.path, target);
  return target + "/program";
}

void ProgramCache::remove_old() const {
  const auto limit = fs::file_time_type::clock::now() - std::chrono::days(30);
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder_, ignored))
    if (fs::last_write_time(entry.path(), ignored) < limit) fs::remove_all(entry.path(), ignored);
}

}  // namespace metaflow::cli
