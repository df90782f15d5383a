#include <metaflow/error.hpp>

#include "aws/batch_client.hpp"
#include "aws/signature.hpp"
#include "base/configuration.hpp"
#include "base/json.hpp"
#include "base/version.hpp"
#include "cloud/s3_access.hpp"
#include "cloud/s3_store.hpp"
#include "cloud/session.hpp"
#include "gateway/module.hpp"

namespace metaflow::cloud {
namespace {

/// What `ask` says, or why it does not.
template <class T, class Ask>
gateway::Answer<T> answer_of(Ask ask) {
  try {
    return ask();
  } catch (const Error& error) {
    return gateway::NoAnswer{error.what()};
  }
}

class ModuleCloud final : public gateway::Cloud {
 public:
  ModuleCloud() : session_(process_environment(), home_directory(), system_clock()) {}

  gateway::AwsStatus status() override {
    const auto choice = session_.region();
    auto keys = answer_of<gateway::KeyFacts>([&] {
      const auto found = session_.keys().found();
      return gateway::KeyFacts{found.keys.key_id, aws::description(found), found.expiry_s};
    });
    gateway::AwsStatus status{.profile = session_.profile().name,
                              .region = answer_of<gateway::Region>([&] {
                                return gateway::Region{session_.require_region(), choice ? choice->origin : ""};
                              }),
                              .keys = std::move(keys),
                              .identity = gateway::NoAnswer{"There are no keys to ask with"},
                              .warnings = session_.profile().warnings};
    if (choice) status.warnings.insert(status.warnings.end(), choice->warnings.begin(), choice->warnings.end());
    if (std::holds_alternative<gateway::KeyFacts>(status.keys)) status.identity = identity();
    return status;
  }

  std::unique_ptr<batch::Service> open_batch(const std::string& queue) override {
    const auto region = session_.require_region({.arn = queue});
    const auto params = parse_json(setting("BATCH_CLIENT_PARAMS").value_or("{}"), "METAFLOW_BATCH_CLIENT_PARAMS");
    const auto own = params.find("endpoint_url");
    const auto url = own != params.end() && own->is_string() ? own->get<std::string>() : std::string();
    return std::make_unique<aws::BatchClient>(session_.http(), session_.keys(), session_.clock(),
                                              session_.endpoint("BATCH", "batch", region, url), region);
  }

  gateway::Reach reach(const std::string& queue) override {
    const auto region = session_.require_region({.arn = queue});
    const auto own = setting("S3_ENDPOINT_URL").value_or("");
    return {.region = region,
            .s3_url = session_.endpoint("S3", "s3", region, own),
            .has_own_s3_url = session_.has_custom_endpoint("S3", own)};
  }

  std::string http_url(const std::string& object, const gateway::Reach& reach) override {
    constexpr std::string_view scheme = "s3://";
    const auto path = aws::encode_path(std::string_view(object).substr(scheme.size()));
    return reach.s3_url + "/" + path;
  }

  std::unique_ptr<storage::ObjectStore> open_s3_store(const std::string& url,
                                                      std::function<void(const std::string&)> notice) override {
    return cloud::open_s3_store(open_s3_client(session_, Configuration::read(), std::move(notice)), url);
  }

 private:
  gateway::Answer<gateway::Identity> identity() {
    return answer_of<gateway::Identity>([&] {
      const auto caller = session_.sts().caller(session_.keys());
      return gateway::Identity{caller.account, caller.arn};
    });
  }

  Session session_;
};

std::unique_ptr<gateway::Cloud> open() { return std::make_unique<ModuleCloud>(); }

constexpr gateway::Module module_description{.version = version.data(), .open = open};

}  // namespace
}  // namespace metaflow::cloud

extern "C" [[gnu::visibility("default")]] const metaflow::gateway::Module* metaflow_cloud_module();
const metaflow::gateway::Module* metaflow_cloud_module() { return &metaflow::cloud::module_description; }
