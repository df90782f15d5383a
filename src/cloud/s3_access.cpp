#include "cloud/s3_access.hpp"

#include <optional>

#include "base/text.hpp"

namespace metaflow::cloud {
namespace {

/// What S3_VERIFY_CERTIFICATE says: not to, or by which file.
network::HttpSettings with_certificates(network::HttpSettings settings, const std::string& said) {
  const auto word = lower_case(said);
  settings.verify_certificate = word != "false" && word != "0";
  if (settings.verify_certificate && word != "true" && word != "1") settings.ca_bundle = said;
  return settings;
}

aws::S3Settings s3_settings(const Session& session, const Configuration& configuration) {
  const auto setting = configuration.text("S3_ENDPOINT_URL").value_or("");
  aws::S3Settings settings{.region = {},
                           .environment = process_environment(),
                           .encryption = configuration.text("S3_SERVER_SIDE_ENCRYPTION").value_or("")};
  if (session.has_custom_endpoint("S3", setting)) {
    // A server of one's own rarely minds what region it is in.
    const auto choice = session.region();
    settings.region = choice ? choice->region : "us-east-1";
    settings.endpoint = session.endpoint("S3", "s3", settings.region, setting);
  } else {
    settings.region = session.require_region();
  }
  return settings;
}

/// A client, and the connections it has to itself, if any.
struct Access {
  std::optional<network::HttpClient> http;
  std::optional<aws::S3Client> client;
};

}  // namespace

std::shared_ptr<aws::S3Client> open_s3_client(Session& session, const Configuration& configuration,
                                              std::function<void(const std::string&)> notice) {
  auto settings = s3_settings(session, configuration);
  settings.notice = std::move(notice);
  const auto access = std::make_shared<Access>();
  if (const auto said = configuration.text("S3_VERIFY_CERTIFICATE"); said && !said->empty())
    access->http.emplace(with_certificates(session.http_settings(), *said));
  access->client.emplace(access->http ? *access->http : session.http(), session.keys(), session.clock(),
                         std::move(settings));
  return {access, &*access->client};
}

}  // namespace metaflow::cloud
