#pragma once

#include <functional>

#include "base/pipes.hpp"
#include "runtime/launcher.hpp"

namespace metaflow::compute {

/// What a freshly forked task process does; never returns. Standard streams and signals are set up already;
/// `control_descriptor` takes the outcome.
using TaskProcess = std::function<void(const runtime::TaskRequest&, int control_descriptor)>;

/// What the fork server does before it forks a task, for example to read what many tasks need. Must not throw.
using PrepareTask = std::function<void(const runtime::TaskRequest&)>;

/// Does what fork(2) does; empty: that itself. For languages that have state of their own to be kept right.
using Fork = std::function<int()>;
/// The id of the new process, 0 in it; -1 and the reason in errno when there is none.
int fork_process(const Fork& fork);

/// The life of the fork server: forks a task per request until `socket` is closed by the other side, then kills what
/// still runs and ends this process. Descendants that a task leaves behind are killed when it ends. The server proper is
/// a child of the calling process, which only waits to do the killing for a server that was killed itself.
[[noreturn]] void serve_forks(FileDescriptor socket, const PrepareTask& prepare, const TaskProcess& become_task,
                              const Fork& fork = {});

}  // namespace metaflow::compute
