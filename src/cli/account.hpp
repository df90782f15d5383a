#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

/// What `metaflow configure aws` wants to know of an AWS account.
namespace metaflow::cli {

/// Why a question has no answer: a whole sentence for the user, `These keys may not list queues (batch:DescribeJobQueues).`
struct CannotBeAsked {
  std::string sentence;
};

template <class T>
using Answer = std::variant<T, CannotBeAsked>;

struct Caller {
  std::string account;  ///< its number, 12 digits
  std::string arn;      ///< who the keys belong to
};

/// On what machines the jobs of a queue run.
enum class QueueKind { ec2, fargate, unknown };

struct JobQueue {
  std::string name, arn;
  std::string state;  ///< for people: `ENABLED, VALID`
  bool takes_jobs = true;
  QueueKind kind = QueueKind::unknown;
};

struct Role {
  std::string name, arn;
};

/// Answers about one account, in the region in use. Each call may take seconds, and throws nothing.
class Account {
 public:
  virtual ~Account() = default;

  virtual Answer<Caller> caller() = 0;
  virtual Answer<std::vector<std::string>> buckets() = 0;
  /// Whether an object can be written below an s3:// URL: nothing if so, else a sentence that says why not.
  virtual Answer<std::optional<std::string>> obstacle_to_writing(const std::string& url) = 0;
  virtual Answer<std::vector<JobQueue>> queues() = 0;
  /// Those that containers may act as: they trust ecs-tasks.amazonaws.com.
  virtual Answer<std::vector<Role>> container_roles() = 0;
};

}  // namespace metaflow::cli
