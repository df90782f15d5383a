#include "capi/child_run.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <metaflow/error.hpp>

#include "base/json.hpp"
#include "base/system_error.hpp"
#include "base/utf8.hpp"

namespace metaflow::capi {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::string make_folder() {
  auto path = (std::filesystem::temp_directory_path() / "metaflow-run-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) throw system_error("cannot make a temporary folder " + path, errno);
  return path;
}

std::string attribute_file(const std::string& folder) { return folder + "/attributes.json"; }

std::vector<std::string> environment_with(const ChildOptions& options) {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const auto equals = text.find('=');
    if (equals != text.npos) variables[text.substr(0, equals)] = text.substr(equals + 1);
  }
  for (const auto& [name, value] : options.variables) {
    variables.erase(name);
    if (value) variables[name] = *value;
  }
  std::vector<std::string> texts;
  for (const auto& [name, value] : variables) texts.push_back(name + '=' + value);
  return texts;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// Where the descriptors of a new process lead.
class SpawnFiles {
 public:
  SpawnFiles() { ::posix_spawn_file_actions_init(&actions_); }
  ~SpawnFiles() { ::posix_spawn_file_actions_destroy(&actions_); }
  SpawnFiles(const SpawnFiles&) = delete;
  SpawnFiles& operator=(const SpawnFiles&) = delete;

  void open_nothing_at(int descriptor) {
    ::posix_spawn_file_actions_addopen(&actions_, descriptor, "/dev/null", O_RDONLY, 0);
  }
  void put(const FileDescriptor& file, int descriptor) {
    ::posix_spawn_file_actions_adddup2(&actions_, file.get(), descriptor);
  }
  void work_in(const std::string& folder) { ::posix_spawn_file_actions_addchdir_np(&actions_, folder.c_str()); }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

/// A process group of its own, and signals as a program expects them.
class SpawnAttributes {
 public:
  SpawnAttributes() {
    ::posix_spawnattr_init(&attributes_);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
  }
  ~SpawnAttributes() { ::posix_spawnattr_destroy(&attributes_); }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;

  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

/// Where the last character of `bytes` begins if it is not all there; else the end.
std::size_t whole_characters(std::string_view bytes) {
  constexpr std::size_t longest = 4;
  for (std::size_t back = 1; back <= std::min(longest, bytes.size()); ++back) {
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - back]);
    if ((byte & 0xc0) == 0x80) continue;
    const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.size() - back : bytes.size();
  }
  return bytes.size();
}

}  // namespace

ChildRun::ChildRun(const ChildOptions& options) : folder_(make_folder()) {
  try {
    watch_.add(folder_);
    auto out = make_pipe(), err = make_pipe();
    start(options, out, err);
    out_.pipe = std::move(out.reading);
    err_.pipe = std::move(err.reading);
    for (const auto* stream : {&out_, &err_}) ::fcntl(stream->pipe.get(), F_SETFL, O_NONBLOCK);
  } catch (...) {
    remove_tree(folder_);
    throw;
  }
}

void ChildRun::start(const ChildOptions& options, Pipe& out, Pipe& err) {
  auto words = options.words, variables = environment_with(options);
  words.insert(words.end(), {"--runner-attribute-file", attribute_file(folder_)});
  SpawnFiles files;
  files.open_nothing_at(STDIN_FILENO);
  files.put(out.writing, STDOUT_FILENO);
  files.put(err.writing, STDERR_FILENO);
  if (!options.folder.empty()) files.work_in(options.folder);
  const SpawnAttributes attributes;
  const int problem = ::posix_spawnp(&pid_, words.front().c_str(), files.get(), attributes.get(),
                                     pointers_to(words).data(), pointers_to(variables).data());
  if (problem != 0) {
    pid_ = -1;
    throw system_error(
        "cannot start '" + options.words.front() + "'" + (options.folder.empty() ? "" : " in '" + options.folder + "'"),
        problem);
  }
  process_ = FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (process_) return;
  const int number = errno;
  kill_by_force();
  throw system_error("cannot watch a process", number);
}

ChildRun::~ChildRun() {
  kill_by_force();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::optional<ChildEvent> ChildRun::poll(std::optional<milliseconds> timeout) {
  const auto deadline = steady_clock::now() + timeout.value_or(milliseconds(0));
  while (events_.empty()) {
    if (!process_) return std::nullopt;
    std::optional<milliseconds> left;
    if (timeout) left = std::max(milliseconds(0), std::chrono::ceil<milliseconds>(deadline - steady_clock::now()));
    if (!wait(left) && timeout && steady_clock::now() >= deadline) return std::nullopt;
  }
  auto event = std::move(events_.front());
  events_.pop_front();
  return event;
}

/// False when nothing happened in time.
bool ChildRun::wait(std::optional<milliseconds> timeout) {
  // A negative descriptor is passed over: that of a stream that has ended.
  pollfd ready[] = {{out_.pipe.get(), POLLIN, 0},
                    {err_.pipe.get(), POLLIN, 0},
                    {watch_.descriptor(), POLLIN, 0},
                    {process_.get(), POLLIN, 0}};
  if (::poll(ready, std::size(ready), timeout ? static_cast<int>(timeout->count()) : -1) <= 0) return false;
  if (ready[0].revents != 0) read_output(out_);
  if (ready[1].revents != 0) read_output(err_);
  if (ready[2].revents != 0) read_attributes();
  if (ready[3].revents != 0) take_end();
  return true;
}

/// All that is there now.
void ChildRun::read_output(Stream& stream) {
  constexpr std::size_t most_at_once = 1 << 20;
  std::string bytes = std::exchange(stream.begun, {});
  char piece[65536];
  ssize_t count = 0;
  while (bytes.size() < most_at_once && (count = ::read(stream.pipe.get(), piece, sizeof piece)) > 0)
    bytes.append(piece, static_cast<std::size_t>(count));
  const bool has_ended = count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR);
  if (has_ended) stream.pipe = FileDescriptor();
  const auto end = has_ended ? bytes.size() : whole_characters(bytes);
  stream.begun = bytes.substr(end);
  bytes.resize(end);
  if (!bytes.empty()) events_.emplace_back(ChildOutput{stream.name, sanitized_utf8(bytes)});
}

/// The file may be seen when only a part of it is there.
void ChildRun::read_attributes() {
  watch_.wait(milliseconds(0));
  if (has_attributes_) return;
  const auto text = read_text_file(attribute_file(folder_));
  if (!text || !JsonValue::accept(*text)) return;
  has_attributes_ = true;
  events_.emplace_back(ChildAttributes{*text});
}

void ChildRun::take_end() {
  int status = 0;
  {
    const std::scoped_lock lock(mutex_);
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
    pid_ = -1;
  }
  process_ = FileDescriptor();
  // What it has printed fits into the pipes, which others may hold for as long as they like.
  for (auto* stream : {&out_, &err_}) {
    if (stream->pipe) read_output(*stream);
    if (!stream->begun.empty()) events_.emplace_back(ChildOutput{stream->name, sanitized_utf8(stream->begun)});
  }
  read_attributes();
  events_.emplace_back(ChildEnd{.code = WIFEXITED(status) ? WEXITSTATUS(status) : 0,
                                .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0});
}

void ChildRun::cancel() {
  const std::scoped_lock lock(mutex_);
  if (pid_ < 0) return;
  if (std::exchange(was_cancelled_, true))
    kill_group();
  else
    ::kill(-pid_, SIGINT);
}

/// The other processes of the engine see to their end themselves once the first has gone; those of others get a last word.
void ChildRun::kill_group() const {
  ::kill(-pid_, SIGTERM);
  ::kill(pid_, SIGKILL);
}

/// A killed process ends at once, unless the kernel holds it: then it is left behind.
void ChildRun::kill_by_force() {
  const std::scoped_lock lock(mutex_);
  if (pid_ < 0) return;
  kill_group();
  constexpr int longest_ms = 5000;
  pollfd ended{process_.get(), POLLIN, 0};
  if (process_) ::poll(&ended, 1, longest_ms);
  ::waitpid(pid_, nullptr, process_ ? WNOHANG : 0);
  pid_ = -1;
}

}  // namespace metaflow::capi
