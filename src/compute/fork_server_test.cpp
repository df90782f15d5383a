#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compute/run_fixture.hpp"

namespace metaflow::compute {
namespace {

using runtime::AwaitNodes;
using runtime::TaskOutcome;
using runtime::TaskRequest;
using testing::HasSubstr;

constexpr int deadline_ms = 20'000;

TaskRequest request_of(const std::string& step) {
  TaskRequest request;
  request.step = step;
  return request;
}

/// Everything one attempt told its launcher.
struct Story {
  pid_t pid = 0;
  std::string out, err;
  std::optional<runtime::Finished> finished;
};

/// Takes events until attempt 1 has finished.
Story wait_for_end(runtime::Launcher& launcher) {
  Story story;
  while (!story.finished) {
    pollfd ready{launcher.descriptor(), POLLIN, 0};
    if (::poll(&ready, 1, deadline_ms) != 1) break;
    for (auto& event : launcher.take_events()) {
      if (const auto* started = std::get_if<runtime::Started>(&event); started && started->label.starts_with("pid "))
        story.pid = std::stoi(started->label.substr(4));
      if (const auto* output = std::get_if<runtime::Output>(&event))
        (output->stream == runtime::OutputStream::out ? story.out : story.err) += output->bytes;
      if (const auto* finished = std::get_if<runtime::Finished>(&event)) story.finished = *finished;
    }
  }
  return story;
}

pid_t first_number_printed(runtime::Launcher& launcher) {
  std::string out;
  while (!out.ends_with('\n')) {
    pollfd ready{launcher.descriptor(), POLLIN, 0};
    if (::poll(&ready, 1, deadline_ms) != 1) break;
    for (const auto& event : launcher.take_events())
      if (const auto* output = std::get_if<runtime::Output>(&event)) out += output->bytes;
  }
  return std::stoi(out);
}

Story run_alone(ExecuteTask execute) {
  const auto launcher = make_fork_launcher(std::move(execute));
  launcher->launch(1, request_of("alone"));
  return wait_for_end(*launcher);
}

/// Waits until `pid` is gone or has only its parent left to see it.
bool dies(pid_t pid) {
  for (int i = 0; i < deadline_ms / 10; ++i) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(file, text);  // nothing when the process goes while it is read
    if (text.empty() || text[text.rfind(')') + 2] == 'Z') return true;
    pollfd none{-1, 0, 0};
    ::poll(&none, 1, 10);
  }
  return false;
}

/// A descendant that would live for ever; its id goes to `report`.
pid_t fork_sleeper(bool own_session) {
  const auto pid = ::fork();
  if (pid != 0) return pid;
  if (own_session) ::setsid();
  while (true) ::pause();
}

TEST(ForkServer, ReportsOutcomeAndOutputOfATask) {
  const auto story = run_alone([](const TaskRequest& request, const AwaitNodes&) {
    std::cout << "out of " << request.step << std::endl;
    std::cerr << "err\n";
    return TaskOutcome{.succeeded = true, .next = {"a", "b"}};
  });
  EXPECT_EQ(story.out, "out of alone\n");
  EXPECT_EQ(story.err, "err\n");
  ASSERT_TRUE(story.finished && story.finished->outcome);
  EXPECT_TRUE(story.finished->status.succeeded());
  EXPECT_THAT(story.finished->outcome->next, testing::ElementsAre("a", "b"));
}

TEST(ForkServer, AControlTaskEndsOnceItIsToldThatItMay) {
  const auto launcher = make_fork_launcher([](const TaskRequest&, const AwaitNodes& await_nodes) {
    std::cout << ::getpid() << std::endl;
    await_nodes();
    return TaskOutcome{.succeeded = true};
  });
  launcher->launch(1, request_of("train"));
  first_number_printed(*launcher);
  EXPECT_TRUE(launcher->take_events().empty()) << "it waits";
  launcher->let_finish(1);
  const auto story = wait_for_end(*launcher);
  ASSERT_TRUE(story.finished && story.finished->outcome);
  EXPECT_TRUE(story.finished->outcome->succeeded);
}

TEST(ForkServer, AControlTaskMayBeToldBeforeItListens) {
  const auto launcher = make_fork_launcher([](const TaskRequest&, const AwaitNodes& await_nodes) {
    await_nodes();
    return TaskOutcome{.succeeded = true};
  });
  launcher->launch(1, request_of("train"));
  launcher->let_finish(1);
  const auto story = wait_for_end(*launcher);
  EXPECT_TRUE(story.finished && story.finished->outcome);
}

TEST(ForkServer, AnOutcomeIsReadWholeThoughItsTaskWasToldSomethingItNeverRead) {
  const std::vector<std::string> values(20'000, "a text of thirty characters...");
  const auto launcher = make_fork_launcher(
      [&](const TaskRequest&, const AwaitNodes&) { return TaskOutcome{.succeeded = true, .foreach_values = values}; });
  launcher->launch(1, request_of("wide"));
  launcher->let_finish(1);
  const auto story = wait_for_end(*launcher);
  ASSERT_TRUE(story.finished && story.finished->outcome);
  EXPECT_EQ(story.finished->outcome->foreach_values, values);
}

TEST(ForkServer, NobodyIsToldAnythingWhoHasEnded) {
  const auto launcher = make_fork_launcher([](const TaskRequest&, const AwaitNodes&) { return TaskOutcome{}; });
  launcher->launch(1, request_of("short"));
  ASSERT_TRUE(wait_for_end(*launcher).finished);
  launcher->let_finish(1);
  launcher->let_finish(2);
}

TEST(ForkServer, ATaskThatExitsLeavesItsCodeAndNoOutcome) {
  for (const int code : {0, 3, 202}) {
    const auto story = run_alone([&](const TaskRequest&, const AwaitNodes&) -> TaskOutcome { std::exit(code); });
    ASSERT_TRUE(story.finished);
    EXPECT_EQ(story.finished->status.code, code);
    EXPECT_FALSE(story.finished->outcome);
  }
}

TEST(ForkServer, ATaskThatCrashesLeavesItsSignal) {
  for (const int number : {SIGSEGV, SIGABRT, SIGKILL, SIGTERM, SIGPIPE}) {
    const auto story = run_alone([&](const TaskRequest&, const AwaitNodes&) -> TaskOutcome {
      ::raise(number);
      return {};
    });
    ASSERT_TRUE(story.finished);
    EXPECT_EQ(story.finished->status.signal, number);
  }
}

TEST(ForkServer, AnErrorOfTheEngineIsShownAndIsAFailure) {
  const auto story = run_alone([](const TaskRequest&, const AwaitNodes&) -> TaskOutcome {
    throw Error(ErrorCode::exhausted, "The disk is full.", "No space");
  });
  EXPECT_EQ(story.err, "    No space:\n    The disk is full.\n\n");
  EXPECT_EQ(story.finished->status.code, 1);
}

TEST(ForkServer, TasksStartWithCleanSignalsAndNothingToRead) {
  ::signal(SIGPIPE, SIG_IGN);
  const auto story = run_alone([](const TaskRequest&, const AwaitNodes&) {
    sigset_t blocked;
    ::sigprocmask(SIG_SETMASK, nullptr, &blocked);
    char byte;
    std::cout << ::read(STDIN_FILENO, &byte, 1) << sigismember(&blocked, SIGCHLD)
              << (::signal(SIGPIPE, SIG_DFL) == SIG_DFL) << (::signal(SIGINT, SIG_DFL) == SIG_DFL);
    return TaskOutcome{.succeeded = true};
  });
  ::signal(SIGPIPE, SIG_DFL);
  EXPECT_EQ(story.out, "0011");
}

/// How many descriptors a program started from here would inherit.
std::size_t inheritable_descriptors() {
  std::size_t count = 0;
  for (int fd = 0; fd < 1024; ++fd)
    if (const int flags = ::fcntl(fd, F_GETFD); flags >= 0 && (flags & FD_CLOEXEC) == 0) ++count;
  return count;
}

TEST(ForkServer, ProgramsThatTasksStartInheritNoDescriptorsOfOurs) {
  const auto before = inheritable_descriptors();
  const auto story = run_alone([](const TaskRequest&, const AwaitNodes&) {
    std::cout << inheritable_descriptors();
    return TaskOutcome{.succeeded = true};
  });
  EXPECT_EQ(story.out, std::to_string(before));
}

TEST(ForkServer, ASignalReachesTheRunningTask) {
  const auto launcher = make_fork_launcher([](const TaskRequest&, const AwaitNodes&) -> TaskOutcome {
    while (true) ::pause();
  });
  launcher->launch(1, request_of("alone"));
  launcher->signal(1, SIGTERM);
  EXPECT_EQ(wait_for_end(*launcher).finished->status.signal, SIGTERM);
}

TEST(ForkServer, DescendantsEndWithTheirTaskInWhateverSession) {
  for (const bool own_session : {false, true}) {
    const auto launcher = make_fork_launcher([&](const TaskRequest&, const AwaitNodes&) {
      std::cout << fork_sleeper(own_session) << std::endl;
      return TaskOutcome{.succeeded = true};
    });
    launcher->launch(1, request_of("alone"));
    const auto story = wait_for_end(*launcher);
    ASSERT_TRUE(story.finished) << "an open pipe in the descendant must not hold up the end";
    EXPECT_TRUE(dies(std::stoi(story.out)));
  }
}

TEST(ForkServer, ABranchThatTheBodyForkedIsNotTheTask) {
  const auto story = run_alone([](const TaskRequest&, const AwaitNodes&) {
    const auto pid = ::fork();
    if (pid > 0) ::waitpid(pid, nullptr, 0);
    return TaskOutcome{.succeeded = true, .next = {pid == 0 ? "child" : "task"}};
  });
  ASSERT_TRUE(story.finished && story.finished->outcome);
  EXPECT_EQ(story.finished->outcome->next.front(), "task");
}

TEST(ForkServer, AHundredMegabytesOfOutputArriveWhole) {
  constexpr std::size_t size = 100'000'000;
  const auto launcher = make_fork_launcher([](const TaskRequest&, const AwaitNodes&) {
    const std::string block(1'000'000, '\xff');
    for (std::size_t i = 0; i < size / block.size(); ++i) std::cout.write(block.data(), 1'000'000);
    return TaskOutcome{.succeeded = true};
  });
  launcher->launch(1, request_of("alone"));
  EXPECT_EQ(wait_for_end(*launcher).out.size(), size);
}

TEST(ForkServer, AThousandTasksLeaveNoDescriptorsOrZombies) {
  const auto count_descriptors = [] {
    const std::filesystem::directory_iterator list("/proc/self/fd");
    return std::distance(begin(list), end(list));
  };
  const auto launcher =
      make_fork_launcher([](const TaskRequest&, const AwaitNodes&) { return TaskOutcome{.succeeded = true}; });
  launcher->launch(1, request_of("alone"));
  wait_for_end(*launcher);
  const auto before = count_descriptors();
  for (int i = 0; i < 1000; ++i) {
    launcher->launch(1, request_of("alone"));
    ASSERT_TRUE(wait_for_end(*launcher).finished);
  }
  EXPECT_EQ(count_descriptors(), before);
}

TEST(ForkServer, WithFewDescriptorsItTakesFewerTasksAndLeavesSomeForTheScheduler) {
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit low{256, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &low);
  std::size_t taken = 0;
  ErrorCode code{};
  {
    const auto launcher = make_fork_launcher([](const TaskRequest&, const AwaitNodes&) -> TaskOutcome {
      while (true) ::pause();
    });
    try {
      for (; taken < 300; ++taken) launcher->launch(taken + 1, request_of("alone"));
    } catch (const Error& error) {
      code = error.code();
    }
    EXPECT_TRUE(make_pipe().reading);
  }
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_GT(taken, 30u);
  EXPECT_EQ(code, ErrorCode::exhausted);
}

/// What came of many attempts: for each that has ended what it printed, and for each that was refused why.
struct Crowd {
  std::map<runtime::AttemptHandle, std::string> printed, refused;
  std::set<runtime::AttemptHandle> ended;
};
Crowd wait_for_crowd(runtime::Launcher& launcher, std::size_t size) {
  Crowd crowd;
  while (crowd.ended.size() + crowd.refused.size() < size) {
    pollfd ready{launcher.descriptor(), POLLIN, 0};
    if (::poll(&ready, 1, deadline_ms) != 1) break;
    for (const auto& event : launcher.take_events()) {
      if (const auto* output = std::get_if<runtime::Output>(&event)) crowd.printed[output->attempt] += output->bytes;
      if (const auto* finished = std::get_if<runtime::Finished>(&event)) crowd.ended.insert(finished->attempt);
      if (const auto* refused = std::get_if<runtime::Refused>(&event))
        crowd.refused[refused->attempt] = refused->reason;
    }
  }
  return crowd;
}
TaskOutcome say_step(const TaskRequest& request, const AwaitNodes&) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  std::cout << request.step << ' ' << limit.rlim_cur << ' ' << ::getppid() << std::endl;
  return {.succeeded = true};
}
/// The fork server is held while so many tasks are launched, so that they reach it at once.
void launch_at_once(runtime::Launcher& launcher, pid_t server, std::size_t count) {
  ::kill(server, SIGSTOP);
  for (std::size_t i = 1; i <= count; ++i) launcher.launch(i, request_of("step-" + std::to_string(i)));
  ::kill(server, SIGCONT);
}
pid_t server_of(runtime::Launcher& launcher) {
  launcher.launch(1, request_of("first"));
  const auto said = wait_for_end(launcher).out;
  return std::stoi(said.substr(said.rfind(' ') + 1));
}

TEST(ForkServer, ManyTasksMayReachItAtOnceWhateverTheProgramMayOpen) {
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit low{64, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &low);
  const auto launcher = make_fork_launcher(say_step);
  ::setrlimit(RLIMIT_NOFILE, &before);
  launch_at_once(*launcher, server_of(*launcher), 60);
  const auto crowd = wait_for_crowd(*launcher, 60);
  EXPECT_EQ(crowd.ended.size(), 60u);
  for (const auto& [attempt, text] : crowd.printed)
    EXPECT_THAT(text, testing::StartsWith("step-" + std::to_string(attempt) + " 64 ")) << "a task may open as much";
}

TEST(ForkServer, ATaskWhoseDescriptorsDoNotArriveIsRefusedAndTheOthersGetTheirOwn) {
  const auto launcher = make_fork_launcher(say_step);
  const auto server = server_of(*launcher);
  const rlimit low{40, 40};
  ASSERT_EQ(::prlimit(server, RLIMIT_NOFILE, &low, nullptr), 0);
  launch_at_once(*launcher, server, 60);
  const auto crowd = wait_for_crowd(*launcher, 60);
  EXPECT_EQ(crowd.ended.size() + crowd.refused.size(), 60u);
  EXPECT_FALSE(crowd.refused.empty());
  EXPECT_FALSE(crowd.ended.empty());
  for (const auto& [attempt, reason] : crowd.refused) EXPECT_THAT(reason, HasSubstr("Too many open files."));
  for (const auto& [attempt, text] : crowd.printed)
    EXPECT_THAT(text, testing::StartsWith("step-" + std::to_string(attempt) + " "));
}

TEST(ForkServer, ALargeRequestArrivesWholeAndALargeOutcomeToo) {
  const auto launcher = make_fork_launcher([](const TaskRequest& request, const AwaitNodes&) {
    return TaskOutcome{.succeeded = true, .next = {request.input_paths}};
  });
  auto request = request_of("alone");
  request.input_paths.assign(5'000'000, 'x');
  launcher->launch(1, request);
  const auto story = wait_for_end(*launcher);
  ASSERT_TRUE(story.finished && story.finished->outcome);
  EXPECT_EQ(story.finished->outcome->next.front().size(), request.input_paths.size());
}

TEST(ForkServer, NoTaskOrDescendantOutlivesAKilledScheduler) {
  auto pipe = make_pipe();
  const auto scheduler = ::fork();
  if (scheduler == 0) {
    const auto launcher = make_fork_launcher([&](const TaskRequest&, const AwaitNodes&) -> TaskOutcome {
      try_write_all(pipe.writing.get(), std::to_string(::getpid()) + ' ' + std::to_string(fork_sleeper(true)) + '\n');
      while (true) ::pause();
    });
    launcher->launch(1, request_of("alone"));
    while (true) ::pause();
  }
  char text[64] = {};
  ASSERT_GT(::read(pipe.reading.get(), text, sizeof text - 1), 0);
  ::kill(scheduler, SIGKILL);
  ::waitpid(scheduler, nullptr, 0);
  pid_t task = 0, descendant = 0;
  std::istringstream(text) >> task >> descendant;
  EXPECT_TRUE(dies(task));
  EXPECT_TRUE(dies(descendant));
}

TEST(ForkServer, ItsEndDoesNotWaitForAProcessThatNothingEnds) {
  auto launcher = make_fork_launcher([](const TaskRequest&, const AwaitNodes&) -> TaskOutcome {
    ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    std::cout << ::getpid() << std::endl;
    while (true) ::pause();
  });
  launcher->launch(1, request_of("held"));
  const auto pid = first_number_printed(*launcher);
  // What is traced has not ended for its parent before the tracer has seen that: as if the kernel held it in a sleep.
  ASSERT_EQ(::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr), 0);
  launcher.reset();
  EXPECT_EQ(::waitpid(pid, nullptr, __WALL), pid);
}

TEST(ForkServer, ItsDeathEndsTheTasksAndTheNextLaunchSaysSo) {
  const auto launcher = make_fork_launcher([](const TaskRequest&, const AwaitNodes&) -> TaskOutcome {
    ::kill(::getppid(), SIGKILL);
    while (true) ::pause();
  });
  launcher->launch(1, request_of("alone"));
  const auto story = wait_for_end(*launcher);
  ASSERT_TRUE(story.finished);
  EXPECT_EQ(story.finished->status.signal, SIGKILL);
  EXPECT_TRUE(dies(story.pid));
  EXPECT_THROW(launcher->launch(2, request_of("alone")), Error);
}

TEST(ForkServer, ForksAndLeavesByTheFunctionsOfALanguage) {
  int depth = 0;
  const auto fork = [&] {
    const int process = ::fork();
    if (process == 0) ++depth;
    return process;
  };
  const auto execute = [&](const TaskRequest&, const AwaitNodes&) {
    std::printf("depth %d\n", depth);
    return TaskOutcome{.succeeded = true};
  };
  const auto launcher = make_fork_launcher(execute, {}, {.fork = fork, .leave = [] { std::puts("leaves"); }});
  launcher->launch(1, request_of("alone"));
  const auto story = wait_for_end(*launcher);
  EXPECT_EQ(story.out, "depth 3\nleaves\n");
  EXPECT_EQ(depth, 0);
}

TEST(ForkServer, AForkThatIsRefusedIsToldByItsReason) {
  int forks = 0;
  const auto fork = [&] { return ++forks < 3 ? ::fork() : (errno = ENOMEM, -1); };
  const auto launcher = make_fork_launcher([](const TaskRequest&, const AwaitNodes&) { return TaskOutcome(); }, {},
                                           {.fork = fork, .leave = {}});
  launcher->launch(1, request_of("alone"));
  EXPECT_THAT(wait_for_crowd(*launcher, 1).refused[1],
              HasSubstr("No process could be made for this task: Cannot allocate memory"));
}

TEST(ForkServer, AChildThatComesBackFromTheBodyDoesNotLeaveAsTheTaskDoes) {
  const auto execute = [](const TaskRequest&, const AwaitNodes&) {
    if (const auto child = ::fork(); child > 0) ::waitpid(child, nullptr, 0);
    return TaskOutcome{.succeeded = true};
  };
  const auto launcher = make_fork_launcher(execute, {}, {.fork = {}, .leave = [] { std::puts("leaves"); }});
  launcher->launch(1, request_of("alone"));
  EXPECT_EQ(wait_for_end(*launcher).out, "leaves\n");
}

TEST(SpawnLauncher, StartsTheStepCommandAndTakesItsOutcomeFromTheControlDescriptor) {
  const auto launcher = make_spawn_launcher(
      {"/bin/sh",
       {"sh", "-c", "echo \"$@\"; printf '{\"succeeded\":true,\"next\":[\"end\"]}' >&$METAFLOW_CONTROL_DESCRIPTOR",
        "flow", "--quiet"}});
  auto request = request_of("start");
  request.run = "7";
  request.task = "1";
  request.input_paths = "7/_parameters/0";
  launcher->launch(1, request);
  const auto story = wait_for_end(*launcher);
  EXPECT_EQ(story.out,
            "--quiet step start --run-id 7 --task-id 1 --input-paths 7/_parameters/0 --retry-count 0 "
            "--max-user-code-retries 0 --namespace \n");
  ASSERT_TRUE(story.finished && story.finished->outcome) << story.err;
  EXPECT_THAT(story.finished->outcome->next, testing::ElementsAre("end"));
}

TEST(SpawnLauncher, AProgramThatIsGoneIsAFailureThatSaysSo) {
  const auto launcher = make_spawn_launcher({"/no/such/program", {"flow"}});
  launcher->launch(1, request_of("start"));
  const auto story = wait_for_end(*launcher);
  EXPECT_THAT(story.err, HasSubstr("cannot start /no/such/program again: No such file or directory"));
  EXPECT_FALSE(story.finished->status.succeeded());
}

}  // namespace
}  // namespace metaflow::compute
