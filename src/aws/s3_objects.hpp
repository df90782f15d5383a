#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <metaflow/buffer.hpp>

#include "aws/s3_place.hpp"
#include "network/http_client.hpp"

/// What is asked of S3, and what it answers.
namespace metaflow::aws {

/// Texts by name, kept with an object; names in lower case.
using UserMetadata = std::map<std::string, std::string>;

/// What is known of an object without reading it.
struct S3ObjectInfo {
  std::uint64_t size = 0;
  std::string etag = {};  ///< with its quotes
  std::string content_type = {}, encryption = {};
  std::int64_t modified_s = 0;  ///< Unix time
  UserMetadata metadata = {};
};

/// A part of an object; one that begins at its end or behind holds nothing.
struct S3Range {
  std::uint64_t offset = 0;
  /// Nothing: to the end.
  std::optional<std::uint64_t> length = std::nullopt;
};

struct S3Get {
  S3Place place;
  std::optional<S3Range> range = std::nullopt;
  /// Where the bytes go: a Buffer, a file, or memory; Error(invalid) when the latter two have not room enough.
  network::Sink into = {};
};

struct S3Object {
  S3ObjectInfo info;       ///< of the whole object, whatever the range
  Buffer bytes = {};       ///< empty when they went elsewhere
  std::uint64_t read = 0;  ///< how many bytes came, wherever they went
};

enum class S3Condition {
  none,
  if_absent,  ///< only where nothing is yet
};

struct S3Put {
  S3Place place;
  /// Stays valid and unchanged until the call returns.
  network::Body body;
  S3Condition condition = S3Condition::none;
  std::string content_type = {};
  UserMetadata metadata = {};
};

struct S3List {
  /// Its key is what all keys begin with.
  S3Place prefix;
  /// Keys that have it behind the prefix are summed up to a folder; empty for all keys.
  std::string delimiter = {};
};

struct S3Listing {
  struct Entry {
    std::string key;
    std::uint64_t size = 0;
    std::string etag = {};
    std::int64_t modified_s = 0;
  };
  std::vector<Entry> objects;        ///< in the order of their keys' bytes
  std::vector<std::string> folders;  ///< up to and with the delimiter
};

}  // namespace metaflow::aws
