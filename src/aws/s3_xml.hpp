#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aws/errors.hpp"
#include "aws/s3_objects.hpp"

/// What S3 says and hears in XML. Readers throw Error(unavailable) for what is none: an answer of somebody in between.
namespace metaflow::aws {

/// One page of ListObjectsV2.
struct ListPage {
  S3Listing listing;
  std::string next;  ///< token for the next page; empty for the last one
};
ListPage read_list_page(std::string_view xml);

/// The body of DeleteObjects.
std::string removal_xml(std::span<const std::string> keys);
/// Key and error of what could not be removed.
std::vector<std::pair<std::string, ServiceError>> read_removal_failures(std::string_view xml);

std::string read_upload_id(std::string_view xml);
/// The body of CompleteMultipartUpload: the etags of its parts, the first of number 1.
std::string completion_xml(std::span<const std::string> etags);

/// The text that `%41+b` stands for in a query.
std::string decode_text(std::string_view encoded);

}  // namespace metaflow::aws
