// Stands in for the cloud module: one that throws, and one of another version.
#include <metaflow/error.hpp>

#include "base/version.hpp"
#include "gateway/module.hpp"

namespace {

using namespace metaflow;

struct ThrowingCloud final : gateway::Cloud {
  gateway::AwsStatus status() override { throw Error(ErrorCode::denied, "The door is closed", "Closed"); }
  std::unique_ptr<batch::Service> open_batch(const std::string&) override { return nullptr; }
  std::string http_url(const std::string&, const gateway::Reach&) override { return {}; }
  gateway::Reach reach(const std::string&) override { return {}; }
  std::unique_ptr<storage::ObjectStore> open_s3_store(const std::string&,
                                                      std::function<void(const std::string&)>) override {
    return nullptr;
  }
};

constexpr gateway::Module description{.version = MODULE_VERSION, .open = []() -> std::unique_ptr<gateway::Cloud> {
                                        return std::make_unique<ThrowingCloud>();
                                      }};

}  // namespace

extern "C" [[gnu::visibility("default")]] const gateway::Module* metaflow_cloud_module();
const gateway::Module* metaflow_cloud_module() { return &description; }
