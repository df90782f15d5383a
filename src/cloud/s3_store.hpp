#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "aws/s3_client.hpp"
#include "storage/object_store.hpp"

namespace metaflow::cloud {

/// How long what is appended may wait. As an object of S3 cannot grow, all of it is written anew each time.
inline constexpr auto append_wait = std::chrono::seconds(10);

/// Objects of S3 below an `s3://bucket/prefix`. A call is one request, but for these:
/// - keep(): one for each value, all at a time; from 1 MiB on a question before, which may save sending it. What this store has written or
///   was told to assume takes none.
/// - append(): keeps in memory what a key holds, until settle(), and writes it from a thread of its own: all of it every append_wait while
///   it grows, and at settle(). A process that is killed loses what was appended since. Where the key held something before this store
///   appended to it, that is read once. What cannot be written for lack of a right is thrown by the next append(); what S3 does not take
///   just now is tried again until the store goes.
/// - create(): may say false to the one who made it, if the answer got lost; never true to two.
/// Error(invalid) for what is no such URL.
std::unique_ptr<storage::ObjectStore> open_s3_store(std::shared_ptr<aws::S3Client> client, const std::string& url);

}  // namespace metaflow::cloud
