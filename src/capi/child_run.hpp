#pragma once

#include <chrono>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <sys/types.h>

#include "base/folder_watch.hpp"
#include "base/pipes.hpp"

namespace metaflow::capi {

/// How a flow program is to be started.
struct ChildOptions {
  std::vector<std::string> words;  ///< the program, looked up in PATH, and what it is given
  std::string folder;              ///< to work in; empty: that of this process
  std::vector<std::pair<std::string, std::optional<std::string>>> variables;  ///< to be set or, without a value, unset
};

/// Text that was printed; pieces may end anywhere but inside a character.
struct ChildOutput {
  const char* stream;  ///< `stdout` or `stderr`
  std::string text;
};
/// The run has its id.
struct ChildAttributes {
  std::string json;  ///< what `--runner-attribute-file` holds
};
/// The last event.
struct ChildEnd {
  int code = 0;    ///< exit code when signal is 0
  int signal = 0;  ///< that ended it
};
using ChildEvent = std::variant<ChildOutput, ChildAttributes, ChildEnd>;

/// A flow program that executes a run in a process group of its own. poll() is for one thread at a time, cancel() for any.
class ChildRun {
 public:
  /// Starts it. Error: not_found and others when it cannot be started.
  explicit ChildRun(const ChildOptions& options);
  /// Kills what still runs of it.
  ~ChildRun();
  ChildRun(const ChildRun&) = delete;
  ChildRun& operator=(const ChildRun&) = delete;

  /// The next event; nothing when there was none in time, or the last one has been told. Without a timeout it waits for as long as it takes.
  std::optional<ChildEvent> poll(std::optional<std::chrono::milliseconds> timeout);
  /// As Ctrl-C does; at the second call by force.
  void cancel();

 private:
  /// One stream of its output.
  struct Stream {
    const char* name;
    FileDescriptor pipe = {};
    std::string begun = {};  ///< the first bytes of a character whose rest has not come yet
  };

  void start(const ChildOptions& options, Pipe& out, Pipe& err);
  bool wait(std::optional<std::chrono::milliseconds> timeout);
  void read_output(Stream& stream);
  void read_attributes();
  void take_end();
  void kill_group() const;
  void kill_by_force();

  std::string folder_;  ///< for the attribute file
  FolderWatch watch_;
  Stream out_{"stdout"}, err_{"stderr"};
  FileDescriptor process_;  ///< readable when it has ended
  std::deque<ChildEvent> events_;
  bool has_attributes_ = false;
  std::mutex mutex_;  // guards what follows
  pid_t pid_ = -1;    ///< -1 once it has been waited for
  bool was_cancelled_ = false;
};

}  // namespace metaflow::capi
