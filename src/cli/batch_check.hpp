#pragma once

#include <string_view>

#include <metaflow/model.hpp>

#include "base/configuration.hpp"
#include "batch/job_request.hpp"

namespace metaflow::cli {

/// Whether a step is to run on AWS Batch.
bool has_batch(const model::Flow& flow);

/// What the configuration says for `@batch`. Error(invalid) that names a setting which cannot be read.
batch::Defaults batch_defaults(const Configuration& configuration);

/// What has to hold before a run whose steps have `@batch` starts, as far as this machine can tell. Error(invalid) that names the step and
/// what to change. `datastore` is the type of the one in use.
void check_batch(const model::Flow& flow, std::string_view datastore, const batch::Defaults& defaults);

}  // namespace metaflow::cli
