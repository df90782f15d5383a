// Preloaded into a flow program: counts, over all processes of a run, the calls that change something outside of their
// process, and ends the process or its whole group at one of them. tests/test_crash.py drives it by CRASH_COUNTER (a file
// that holds the count), CRASH_AT (which call; 0: none), CRASH_KILLS (process, group, or half) and CRASH_REPORT (a file
// that takes the name of the fatal call).
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

using Counter = std::atomic<std::uint64_t>;

/// What dies, and which calls count: in `half` only those that write, each dying in the middle.
enum class Kills { process, group, half };

struct Settings {
  Counter* calls = nullptr;
  std::uint64_t fatal = 0;
  Kills kills = Kills::process;
  const char* report = nullptr;
};

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Settings read_settings() {
  Settings settings;
  const int file = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, variable("CRASH_COUNTER"), O_RDWR | O_CLOEXEC));
  if (file < 0) return settings;
  void* memory = ::mmap(nullptr, sizeof(Counter), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  if (memory == MAP_FAILED) return settings;
  settings.calls = static_cast<Counter*>(memory);
  settings.fatal = std::strtoull(variable("CRASH_AT"), nullptr, 10);
  const std::string_view kills = variable("CRASH_KILLS");
  settings.kills = kills == "half" ? Kills::half : kills == "group" ? Kills::group : Kills::process;
  settings.report = variable("CRASH_REPORT");
  return settings;
}

const Settings& settings() {
  static const Settings read = read_settings();
  return read;
}

[[noreturn]] void die(const char* call, const char* path) {
  char text[4096];
  const int length = std::snprintf(text, sizeof text, "%s %s in process %d", call, path, ::getpid());
  const int file =
      static_cast<int>(::syscall(SYS_openat, AT_FDCWD, settings().report, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  ::syscall(SYS_write, file, text, static_cast<std::size_t>(length));
  ::kill(settings().kills == Kills::process ? ::getpid() : 0, SIGKILL);
  for (;;) ::pause();
}

/// True at the call that is to be the last one.
bool is_fatal() { return settings().calls != nullptr && settings().calls->fetch_add(1) + 1 == settings().fatal; }

void count(const char* call, const char* path) {
  if (settings().kills != Kills::half && is_fatal()) die(call, path);
}

/// `write_half` writes about half of what is asked.
template <class WriteHalf>
void count_write(const char* call, int descriptor, WriteHalf write_half) {
  if (!is_fatal()) return;
  if (settings().kills == Kills::half) write_half();
  char link[64], path[2048];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const auto length = ::readlink(link, path, sizeof path - 1);
  path[length > 0 ? length : 0] = '\0';
  die(call, path);
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

unsigned mode_of(int flags, va_list arguments) { return (flags & O_CREAT) != 0 ? va_arg(arguments, unsigned) : 0; }

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const auto mode = mode_of(flags, arguments);
  va_end(arguments);
  if ((flags & O_ACCMODE) != O_RDONLY) count("open", path);
  static auto* const real = next<int(const char*, int, ...)>("open");
  return real(path, flags, mode);
}

ssize_t write(int descriptor, const void* bytes, std::size_t size) {
  count_write("write", descriptor, [&] { ::syscall(SYS_write, descriptor, bytes, size / 2); });
  static auto* const real = next<ssize_t(int, const void*, std::size_t)>("write");
  return real(descriptor, bytes, size);
}

ssize_t writev(int descriptor, const iovec* vectors, int count_of_vectors) {
  count_write("writev", descriptor, [&] {
    // All but the last piece, and half of that.
    if (count_of_vectors > 1) ::syscall(SYS_writev, descriptor, vectors, count_of_vectors - 1);
    const auto& last = vectors[count_of_vectors - 1];
    ::syscall(SYS_write, descriptor, last.iov_base, last.iov_len / 2);
  });
  static auto* const real = next<ssize_t(int, const iovec*, int)>("writev");
  return real(descriptor, vectors, count_of_vectors);
}

ssize_t sendmsg(int socket, const msghdr* message, int flags) {
  count("sendmsg", "");
  static auto* const real = next<ssize_t(int, const msghdr*, int)>("sendmsg");
  return real(socket, message, flags);
}

int rename(const char* from, const char* to) noexcept {
  count("rename", to);
  static auto* const real = next<int(const char*, const char*)>("rename");
  return real(from, to);
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) noexcept {
  count("renameat2", to);
  static auto* const real = next<int(int, const char*, int, const char*, unsigned)>("renameat2");
  return real(from_folder, from, to_folder, to, flags);
}

int link(const char* from, const char* to) noexcept {
  count("link", to);
  static auto* const real = next<int(const char*, const char*)>("link");
  return real(from, to);
}

int unlink(const char* path) noexcept {
  count("unlink", path);
  static auto* const real = next<int(const char*)>("unlink");
  return real(path);
}

int mkdir(const char* path, mode_t mode) noexcept {
  count("mkdir", path);
  static auto* const real = next<int(const char*, mode_t)>("mkdir");
  return real(path, mode);
}

/// Two points: before there is a child, and as the first thing in the child.
pid_t fork() noexcept {
  count("fork", "");
  static auto* const real = next<pid_t()>("fork");
  const auto child = real();
  if (child == 0) count("fork", "(the child)");
  return child;
}

int execv(const char* path, char* const* arguments) noexcept {
  count("execv", path);
  static auto* const real = next<int(const char*, char* const*)>("execv");
  return real(path, arguments);
}
}
