#pragma once

#include <functional>
#include <string>

#include <sys/types.h>

#include "base/pipes.hpp"

namespace metaflow::compute {

/// What ended processes left behind: children of this one that it has not started itself. It becomes a subreaper
/// (PR_SET_CHILD_SUBREAPER), so that orphans below it come to it, in whatever session they are.
///
/// Blocks SIGCHLD for good, to be woken by it. For the only thread of a process.
class Orphans {
 public:
  Orphans();

  /// Readable when a child has ended since forget_ended().
  int descriptor() const noexcept { return child_ended_.get(); }
  void forget_ended() const;
  /// Kills each child that is not `known`, without waiting; returns how many there were. The children of those come up
  /// when they have died.
  int kill(const std::function<bool(pid_t)>& known) const;
  /// Kills all children and waits until none is left, but not for ever: one in uninterruptible sleep ends whenever the
  /// kernel lets it.
  void kill_all() const;

 private:
  std::string children_path_;
  FileDescriptor child_ended_;
};

}  // namespace metaflow::compute
