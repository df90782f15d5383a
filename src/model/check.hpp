#pragma once

#include <string>
#include <vector>

#include <metaflow/model.hpp>

namespace metaflow::model {

/// One mistake in a flow.
struct Finding {
  std::string rule;         ///< its name, e.g. `unreachable`
  std::string step;         ///< the step it is about; empty when it is about the whole flow
  std::string other;        ///< a second step, or the path of a cycle `a->b->a`; often empty
  std::string message;      ///< the sentence for the user; names the steps
  std::string source_file;  ///< where the step stands; empty when unknown
  int line = 0;             ///< 0 when unknown

  bool operator==(const Finding&) const = default;
};

/// The first mistake found in the flow's graph and parameters, rule by rule in the order of `Rule`; none when the flow
/// can be run. The same rules as the compiler applies to C++ flows.
std::vector<Finding> check(const Flow& flow);

}  // namespace metaflow::model
