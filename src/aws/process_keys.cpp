#include "aws/process_keys.hpp"

#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <metaflow/error.hpp>

#include "aws/key_sources.hpp"
#include "base/json.hpp"
#include "base/pipes.hpp"
#include "base/system_error.hpp"
#include "base/text.hpp"

namespace metaflow::aws {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// Time for somebody to sign in in a browser that the program has opened.
constexpr std::chrono::minutes process_limit(2);
constexpr std::size_t most_output = 1 << 20;

/// A started program. Killed and waited for unless it has ended.
class Child {
 public:
  Child(const std::vector<std::string>& words, const Pipe& output, const Pipe& complaint) {
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_adddup2(&files, output.writing.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&files, complaint.writing.get(), STDERR_FILENO);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    std::vector<char*> pointers;
    for (const auto& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
    pointers.push_back(nullptr);
    const int problem = ::posix_spawnp(&pid_, pointers[0], &files, &attributes, pointers.data(), environ);
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&files);
    if (problem != 0) throw system_error("cannot start '" + words.front() + "'", problem);
    ending_ = FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (ending_) return;
    const int number = errno;
    end();
    throw system_error("cannot watch '" + words.front() + "'", number);
  }
  ~Child() { end(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Readable once it has ended.
  int ending() const { return ending_.get(); }
  /// Its status.
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

 private:
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }

  pid_t pid_ = -1;
  FileDescriptor ending_;
};

/// Adds what is there to read now; false at the end.
bool read_some(int descriptor, std::string& into) {
  char bytes[4096];
  while (into.size() < most_output) {
    const auto count = ::read(descriptor, bytes, sizeof bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return count < 0 && errno == EAGAIN;
    into.append(bytes, static_cast<std::size_t>(count));
  }
  return false;
}

std::string last_lines(const std::string& complaint) {
  const auto text = trimmed(complaint);
  constexpr std::size_t most = 500;
  return std::string(text.size() > most ? text.substr(text.size() - most) : text);
}

}  // namespace

std::vector<std::string> split_command(std::string_view command, const std::string& from) {
  constexpr std::string_view blanks = " \t\r\n", special_in_quotes = "\"\\";
  std::vector<std::string> words;
  bool is_in_word = false;
  char quote = 0;
  const auto add = [&](char c) {
    if (!std::exchange(is_in_word, true)) words.emplace_back();
    words.back() += c;
  };
  for (std::size_t i = 0; i < command.size(); ++i) {
    const char c = command[i];
    const char next = i + 1 < command.size() ? command[i + 1] : '\0';
    const bool is_escape = c == '\\' && i + 1 < command.size() &&
                           (quote == 0 || (quote == '"' && special_in_quotes.find(next) != std::string_view::npos));
    if (is_escape) {
      add(next);
      ++i;
    } else if (quote != 0 && c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
      if (!std::exchange(is_in_word, true)) words.emplace_back();  // it may stay empty
    } else if (quote == 0 && blanks.find(c) != std::string_view::npos) {
      is_in_word = false;
    } else {
      add(c);
    }
  }
  if (quote != 0) throw Error(ErrorCode::invalid, from + " has a quote that does not end; correct it");
  if (words.empty()) throw Error(ErrorCode::invalid, from + " names no program; correct it");
  return words;
}

ProgramResult run_program(const std::vector<std::string>& words, milliseconds limit) {
  auto output = make_pipe(), complaint = make_pipe();
  for (const auto* pipe : {&output, &complaint}) ::fcntl(pipe->reading.get(), F_SETFL, O_NONBLOCK);
  Child child(words, output, complaint);
  output.writing.close();
  complaint.writing.close();
  ProgramResult result;
  const auto deadline = steady_clock::now() + limit;
  std::array<pollfd, 3> watched = {
      {{output.reading.get(), POLLIN, 0}, {complaint.reading.get(), POLLIN, 0}, {child.ending(), POLLIN, 0}}};
  // What it has started may keep the pipes open after its end.
  while (watched[2].revents == 0) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0)
      throw Error(ErrorCode::unavailable,
                  "'" + words.front() + "' did not end within " + std::to_string(limit.count() / 1000) + " s");
    if (::poll(watched.data(), watched.size(), static_cast<int>(left.count())) < 0) continue;
    if (watched[0].revents != 0 && !read_some(watched[0].fd, result.output)) watched[0].fd = -1;
    if (watched[1].revents != 0 && !read_some(watched[1].fd, result.complaint)) watched[1].fd = -1;
  }
  const int status = child.wait();
  read_some(output.reading.get(), result.output);
  read_some(complaint.reading.get(), result.complaint);
  result.succeeded = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return result;
}

Looked look_at_process(const Search& search) {
  const auto command = search.value("credential_process");
  if (!command) return {.missing = "credential_process of profile '" + search.profile + "'"};
  const auto words = split_command(command->text, command->place());
  const auto fail = [&](ErrorCode code, const std::string& what) {
    throw Error(code, "The program that " + command->place() + " names for keys, '" + words.front() + "', " + what);
  };
  ProgramResult result;
  try {
    result = run_program(words, process_limit);
  } catch (const Error& error) {
    fail(error.code(), std::string("gave none: ") + error.what());
  }
  if (!result.succeeded) fail(ErrorCode::denied, "failed and said: " + last_lines(result.complaint));
  const auto json = JsonValue::parse(result.output, nullptr, false);
  if (!json.is_object()) fail(ErrorCode::corrupt, "did not answer with a JSON object");
  if (!json.contains("Version") || json["Version"] != 1)
    fail(ErrorCode::corrupt, "does not say \"Version\": 1, the only form that is known");
  auto found = read_json_keys(result.output, "SessionToken", "credential_process of " + command->place());
  return {.found = std::move(found)};
}

}  // namespace metaflow::aws
