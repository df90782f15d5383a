#pragma once

#include <span>
#include <vector>

#include "aws/s3_objects.hpp"
#include "aws/s3_session.hpp"

namespace metaflow::aws {

/// The headers of what is to be an object: what it is, and how it is to be kept.
TextPairs headers_of(const S3Put& value, const S3Settings& settings);

/// Whether each was written, see S3Client: in parts, all at once. When one fails, the parts of all that are not whole are removed.
std::vector<bool> put_in_parts(S3Session& session, std::span<const S3Put* const> values);

}  // namespace metaflow::aws
