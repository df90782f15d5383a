#pragma once

#include <unordered_map>

#include <metaflow/model.hpp>

#include "datastore/task_store.hpp"
#include "runtime/launcher.hpp"
#include "runtime/run.hpp"

namespace metaflow::runtime {

/// Passes everything on to another launcher, but looks closer at attempts whose process ended before it could report:
/// one that had stored all of it, and had gone well, is finished like any other, and its records are completed.
class RecoveringLauncher final : public Launcher {
 public:
  /// All references outlive it.
  RecoveringLauncher(Launcher& launcher, const model::Flow& flow, const metadata::RunRecord& run, Stores stores)
      : launcher_(launcher), flow_(flow), run_(run), stores_(stores) {}

  void launch(AttemptHandle attempt, const TaskRequest& request) override;
  void signal(AttemptHandle attempt, int signal_number) override { launcher_.signal(attempt, signal_number); }
  void interrupt() override { launcher_.interrupt(); }
  void let_finish(AttemptHandle attempt) override { launcher_.let_finish(attempt); }
  int descriptor() const override { return launcher_.descriptor(); }
  std::vector<LauncherEvent> take_events() override;

 private:
  struct Launched {
    datastore::TaskPath task;
    int attempt = 0;
  };
  void recover(Finished& event, std::vector<LauncherEvent>& events);
  std::optional<TaskOutcome> stored_outcome(const Launched& launched);

  Launcher& launcher_;
  const model::Flow& flow_;
  const metadata::RunRecord& run_;
  Stores stores_;
  std::unordered_map<AttemptHandle, Launched> launched_;
};

}  // namespace metaflow::runtime
