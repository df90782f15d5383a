#pragma once

#include <functional>
#include <memory>
#include <string>

#include "aws/s3_client.hpp"
#include "base/configuration.hpp"
#include "cloud/session.hpp"

namespace metaflow::cloud {

/// S3 as the settings of Metaflow and AWS say: S3_ENDPOINT_URL, S3_VERIFY_CERTIFICATE, S3_SERVER_SIDE_ENCRYPTION, and those of `session`, which
/// outlives it. `notice`: see S3Settings. Error(invalid) when there is no region and no server of one's own.
std::shared_ptr<aws::S3Client> open_s3_client(Session& session, const Configuration& configuration,
                                              std::function<void(const std::string&)> notice);

}  // namespace metaflow::cloud
