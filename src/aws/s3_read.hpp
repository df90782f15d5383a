#pragma once

#include <optional>
#include <span>
#include <vector>

#include "aws/s3_objects.hpp"
#include "aws/s3_session.hpp"

namespace metaflow::aws {

/// What the headers of an answer say of an object.
S3ObjectInfo read_object_info(const network::Response& response);

/// See S3Client.
std::vector<std::optional<S3ObjectInfo>> head_all(S3Session& session, std::span<const S3Place> places);
std::vector<std::optional<S3Object>> get_all(S3Session& session, std::span<const S3Get> wanted);

}  // namespace metaflow::aws
