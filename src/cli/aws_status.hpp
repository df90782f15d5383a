#pragma once

#include <string>

#include "base/configuration.hpp"
#include "gateway/cloud.hpp"

namespace metaflow::cli {

/// The lines of `metaflow status` about AWS: region, keys, and whose they are, which AWS is asked for. Empty, and nothing is loaded or
/// asked, when no setting sends anything there.
std::string aws_status(const Configuration& configuration);

/// The same of what is known already.
std::string aws_lines(const gateway::AwsStatus& status);

}  // namespace metaflow::cli
