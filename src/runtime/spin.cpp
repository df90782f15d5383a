#include "runtime/spin.hpp"

#include <metaflow/error.hpp>

#include <algorithm>

#include <fmt/format.h>

#include "datastore/blob_store.hpp"
#include "datastore/task_store.hpp"
#include "runtime/conduct.hpp"
#include "runtime/input_paths.hpp"
#include "runtime/task_attempt.hpp"

namespace metaflow::runtime {
namespace {

/// A flow of that step alone: the scheduler is done when its task is.
FlowProgram reduced_to(const FlowProgram& program, const std::string& name) {
  FlowProgram reduced;
  reduced.flow.name = program.flow.name;
  auto step = *std::ranges::find(program.flow.steps, name, &model::Step::name);
  step.takes = model::Takes::nothing;
  step.transition = model::Transition::none;
  step.next.clear();
  reduced.flow.steps.push_back(std::move(step));
  return reduced;
}

/// Lets the task start from the earlier run.
class SpinLauncher final : public Launcher {
 public:
  SpinLauncher(Launcher& launcher, const SpinInputs& inputs) : launcher_(launcher), inputs_(inputs) {}

  void launch(AttemptHandle attempt, const TaskRequest& request) override {
    auto own = request;
    own.input_paths = encode_input_paths(inputs_.inputs);
    own.split_index = inputs_.split_index;
    launcher_.launch(attempt, own);
  }
  void signal(AttemptHandle attempt, int number) override { launcher_.signal(attempt, number); }
  void let_finish(AttemptHandle attempt) override { launcher_.let_finish(attempt); }
  int descriptor() const override { return launcher_.descriptor(); }
  std::vector<LauncherEvent> take_events() override { return launcher_.take_events(); }

 private:
  Launcher& launcher_;
  const SpinInputs& inputs_;
};

/// In a view of the earlier run that is thrown away afterwards.
void replace_artifacts(storage::ObjectStore& view, const std::string& flow, const TaskRequest& request,
                       const Replacements& replacements) {
  datastore::BlobStore blobs(view, flow);
  datastore::TaskStore tasks(view, flow);
  datastore::ArtifactTable replaced;
  for (const auto& [name, value] : replacements)
    replaced[name] = {.key = blobs.put(value.pickle), .type = value.type, .size = value.pickle.size()};
  for (const auto& text : decode_input_paths(request.input_paths)) {
    const auto path = datastore::parse_task_path(text);
    auto table = tasks.read(path);
    if (!table) continue;  // the attempt says so when it opens its inputs
    for (const auto& [name, reference] : replaced) (*table)[name] = reference;
    tasks.finish(path, *tasks.latest_attempt(path), *table);
  }
}

}  // namespace

int spin_step(const FlowProgram& program, const RunOptions& options, const SpinInputs& inputs, Stores stores,
              Launcher& launcher, Clock& clock) {
  const auto reduced = reduced_to(program, options.only_step);
  const model::Graph graph(reduced.flow);
  SpinLauncher spin_launcher(launcher, inputs);
  return conduct_run(reduced, options, stores, spin_launcher, clock,
                     [&](const metadata::RunRecord&, RunLog& run_log, const Interrupted&) {
                       run_log.run_line(
                           clock.now_microseconds(),
                           fmt::format("Step {} starts with the inputs of {}.", options.only_step, inputs.origin),
                           Tone::system);
                       return std::optional<Beginning>({.plan = Plan(graph), .next_task = 0});
                     });
}

TaskOutcome execute_spun_task(const FlowProgram& program, const TaskRequest& request, Stores stores,
                              const storage::ObjectStore& origin, const Replacements& replacements,
                              bool keeps_artifacts, Clock& clock) {
  const auto view = storage::make_overlay_store(origin);
  if (!replacements.empty()) replace_artifacts(*view, program.flow.name, request, replacements);
  auto outcome = execute_task(program, request, stores, {.objects = *view, .keeps_artifacts = keeps_artifacts}, clock);
  // For a flow of this step alone, nothing comes after it.
  return {.succeeded = outcome.succeeded, .failure = std::move(outcome.failure)};
}

}  // namespace metaflow::runtime
