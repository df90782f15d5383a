#pragma once

#include <string>
#include <vector>

#include <metaflow/metaflow.h>
#include <metaflow/task.hpp>

/// A task attempt while its body runs.
struct metaflow_task {
  metaflow::TaskContext& context;
  metaflow::StepResult result;  ///< as far as the body has told it
};

namespace metaflow::capi {

/// `[{"step", "variable", "num_splits", "index", "value"}]`
std::string foreach_stack_json(const std::vector<ForeachFrame>& frames);

}  // namespace metaflow::capi
