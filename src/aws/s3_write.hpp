#pragma once

#include <span>
#include <vector>

#include "aws/s3_objects.hpp"
#include "aws/s3_session.hpp"

namespace metaflow::aws {

/// See S3Client.
std::vector<bool> put_all(S3Session& session, std::span<const S3Put> values);
void remove_all(S3Session& session, std::span<const S3Place> places);

}  // namespace metaflow::aws
