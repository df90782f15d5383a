#pragma once

#include <string>

#include <metaflow/model.hpp>

#include "runtime/spin.hpp"

/// What `spin` executes anew.
namespace metaflow::cli {

/// A task of an earlier run, as far as a text names it.
struct SpinOrigin {
  std::string run;  ///< empty: the latest of the user's own runs
  std::string step;
  std::string task;  ///< empty: the newest of the step
};

/// Reads `step`, `run/step`, `run/step/task`, `Flow/run/step` or `Flow/run/step/task`. Error(invalid) for another form or
/// flow, Error(not_found) when the flow has no such step.
SpinOrigin parse_spin_origin(const std::string& text, const model::Flow& flow);

/// What that task started from, by the records below `root`. Error(not_found) says what is missing.
runtime::SpinInputs find_spin_inputs(const SpinOrigin& origin, const model::Flow& flow, const std::string& root);

}  // namespace metaflow::cli
