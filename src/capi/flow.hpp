#pragma once

#include <memory>

#include <metaflow/metaflow.h>
#include <metaflow/task.hpp>

/// A flow whose code lies behind the functions of a caller.
struct metaflow_flow {
  metaflow::FlowProgram program;
  metaflow_flow_functions functions;
  void* user;
};

namespace metaflow::capi {

/// Puts the caller's functions behind the program of `flow`, which must stay where it is as long as that is used.
void bind_functions(metaflow_flow& flow);

}  // namespace metaflow::capi
