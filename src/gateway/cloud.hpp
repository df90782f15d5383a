#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "batch/service.hpp"
#include "storage/object_store.hpp"

/// The part of the library that talks to the cloud, a module of its own (`libmetaflow_cloud.so`), as the libraries that it needs would make
/// every start later. It is loaded when it is first used.
namespace metaflow::gateway {

/// Whose keys are used.
struct Identity {
  std::string account;  ///< its number, 12 digits
  std::string arn;
};

/// Why a question has no answer, in a sentence.
struct NoAnswer {
  std::string sentence;
};

template <class T>
using Answer = std::variant<T, NoAnswer>;

struct Region {
  std::string name;
  std::string origin;  ///< who says so: `AWS_REGION`, or a file and line
};

struct KeyFacts {
  std::string key_id;
  std::string description;  ///< where they come from, and how long they are good
  /// Unix time at which they end, if anybody says.
  std::optional<std::int64_t> expiry_s = {};
};

/// Whom AWS takes us for.
struct AwsStatus {
  std::string profile;
  Answer<Region> region;
  Answer<KeyFacts> keys;
  Answer<Identity> identity;
  std::vector<std::string> warnings = {};
};

/// Where AWS is, as seen from here.
struct Reach {
  std::string region;
  std::string s3_url;           ///< of S3 itself, without `/` at its end
  bool has_own_s3_url = false;  ///< it is somebody's own server
};

/// What is known to the module, and done by it. Safe to use from several threads; members throw Error.
class Cloud {
 public:
  virtual ~Cloud() = default;

  /// Asks AWS, which may take seconds. Throws nothing that a person could do something about: such is an answer.
  virtual AwsStatus status() = 0;

  /// AWS Batch, in the region of `queue` if that is an ARN and nobody names another. What is returned stays good as long as this.
  virtual std::unique_ptr<batch::Service> open_batch(const std::string& queue) = 0;
  /// What a container needs to know to reach the same AWS.
  virtual Reach reach(const std::string& queue) = 0;
  /// By which a program without S3 of its own gets `s3://bucket/key`; the request has to be signed.
  virtual std::string http_url(const std::string& object, const Reach& reach) = 0;

  /// The store below an `s3://bucket/prefix`, good as long as this; nothing is asked of S3 yet. `notice` gets a sentence when S3 is slow
  /// to do something, from any thread.
  virtual std::unique_ptr<storage::ObjectStore> open_s3_store(const std::string& url,
                                                              std::function<void(const std::string&)> notice) = 0;
};

/// The one of this process, loaded at the first call and then kept. Environment and files are those of that moment. Error(unavailable) that
/// says where the module was looked for, or what is wrong with it.
Cloud& cloud();

}  // namespace metaflow::gateway
