// The contract of stores, kept by one in S3: on the server METAFLOW_S3_ENDPOINT_URL, in the bucket `contract`.
#include "cloud/s3_store.hpp"

#include <cstdlib>

#include "base/random.hpp"
#include "network/http_client.hpp"
#include "storage/object_store_contract.hpp"

namespace metaflow::storage {
namespace {

class TestKeys final : public aws::Credentials {
 public:
  aws::SigningKeys keys() override { return {"AKIDEXAMPLE", "secret"}; }
  bool replace(const aws::SigningKeys&) override { return false; }
};

/// Each below a prefix of its own.
struct OpenedS3 : OpenedStore {
  network::HttpClient http;
  TestKeys keys;
};

std::unique_ptr<OpenedStore> open_s3() {
  auto opened = std::make_unique<OpenedS3>();
  auto client = std::make_shared<aws::S3Client>(
      opened->http, opened->keys, system_clock(),
      aws::S3Settings{.region = "us-east-1", .endpoint = std::getenv("METAFLOW_S3_ENDPOINT_URL")});
  opened->store = cloud::open_s3_store(std::move(client), "s3://contract/" + random_name(8) + "/root");
  return opened;
}

INSTANTIATE_TEST_SUITE_P(S3, ObjectStoreContract, testing::Values(&open_s3));

}  // namespace
}  // namespace metaflow::storage
