#include <cerrno>
#include <map>
#include <set>
#include <utility>

#include <sys/epoll.h>

#include "base/files.hpp"
#include "base/system_error.hpp"
#include "compute/batch_launcher.hpp"
#include "model/step_settings.hpp"

namespace metaflow::compute {
namespace {

using runtime::AttemptHandle;
using runtime::LauncherEvent;

class RoutingLauncher final : public runtime::Launcher {
 public:
  RoutingLauncher(std::unique_ptr<Launcher> local, std::unique_ptr<Launcher> remote,
                  std::function<bool(const runtime::TaskRequest&)> is_remote)
      : local_(std::move(local)),
        remote_(std::move(remote)),
        is_remote_(std::move(is_remote)),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (const auto* launcher : {local_.get(), remote_.get()}) {
      epoll_event event{EPOLLIN, {.fd = launcher->descriptor()}};
      if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, launcher->descriptor(), &event) != 0)
        throw system_error("cannot wait for tasks", errno);
    }
  }

  void launch(AttemptHandle attempt, const runtime::TaskRequest& request) override {
    auto& launcher = is_remote_(request) ? *remote_ : *local_;
    launcher.launch(attempt, request);
    started_by_.emplace(attempt, &launcher);
  }
  void signal(AttemptHandle attempt, int number) override {
    if (const auto found = started_by_.find(attempt); found != started_by_.end())
      found->second->signal(attempt, number);
  }
  void interrupt() override {
    local_->interrupt();
    remote_->interrupt();
  }
  void let_finish(AttemptHandle attempt) override {
    if (const auto found = started_by_.find(attempt); found != started_by_.end()) found->second->let_finish(attempt);
  }
  int descriptor() const override { return epoll_.get(); }

  std::vector<LauncherEvent> take_events() override {
    auto events = local_->take_events();
    for (auto& event : remote_->take_events()) events.push_back(std::move(event));
    for (const auto& event : events) {
      if (const auto* finished = std::get_if<runtime::Finished>(&event)) started_by_.erase(finished->attempt);
      if (const auto* refused = std::get_if<runtime::Refused>(&event)) started_by_.erase(refused->attempt);
    }
    return events;
  }

 private:
  std::unique_ptr<Launcher> local_, remote_;
  std::function<bool(const runtime::TaskRequest&)> is_remote_;
  FileDescriptor epoll_;
  std::map<AttemptHandle, Launcher*> started_by_;
};

}  // namespace

std::unique_ptr<runtime::Launcher> make_routing_launcher(std::unique_ptr<runtime::Launcher> local,
                                                         std::unique_ptr<runtime::Launcher> remote,
                                                         std::function<bool(const runtime::TaskRequest&)> is_remote) {
  return std::make_unique<RoutingLauncher>(std::move(local), std::move(remote), std::move(is_remote));
}

std::function<bool(const runtime::TaskRequest&)> runs_on_batch(const model::Flow& flow) {
  std::set<std::string> steps;
  for (const auto& step : flow.steps)
    if (model::step_settings(step).batch) steps.insert(step.name);
  return [steps = std::move(steps)](const runtime::TaskRequest& request) {
    return steps.contains(request.step) && !request.failure && !request.is_fallback();
  };
}

}  // namespace metaflow::compute
