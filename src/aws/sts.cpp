#include "aws/sts.hpp"

#include <pugixml.hpp>

#include <metaflow/error.hpp>

#include "aws/errors.hpp"
#include "aws/found_keys.hpp"
#include "aws/region.hpp"

namespace metaflow::aws {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto content_type = "application/x-www-form-urlencoded; charset=utf-8";

/// `host:1` of `https://host:1/a`.
std::string host_of(const std::string& url) {
  const auto scheme = url.find("://");
  const auto begin = scheme == std::string::npos ? 0 : scheme + 3;
  return url.substr(begin, url.find('/', begin) - begin);
}

std::string path_of(const std::string& url) {
  const auto scheme = url.find("://");
  const auto slash = url.find('/', scheme == std::string::npos ? 0 : scheme + 3);
  return slash == std::string::npos ? "" : url.substr(slash);
}

/// Of the code that a service gives; an identity provider that STS cannot reach may answer soon.
bool is_transient(const ServiceError& error) {
  return error.kind == Refusal::transient || error.code == "IDPCommunicationError";
}

/// The text of an element wherever it stands. Error(corrupt) when it is not there.
std::string element(const pugi::xml_document& document, const char* name) {
  const auto node =
      document.find_node([name](const pugi::xml_node& one) { return std::string_view(one.name()) == name; });
  if (!node) throw Error(ErrorCode::corrupt, std::string("The answer of AWS STS has no ") + name);
  return node.child_value();
}

pugi::xml_document parse(const std::string& body) {
  pugi::xml_document document;
  if (!document.load_buffer(body.data(), body.size()))
    throw Error(ErrorCode::corrupt, "The answer of AWS STS is no XML; check AWS_ENDPOINT_URL and the proxy");
  return document;
}

RoleKeys read_role_keys(const std::string& body) {
  const auto document = parse(body);
  const auto expiration = element(document, "Expiration");
  const auto expiry = read_moment(expiration);
  if (!expiry)
    throw Error(ErrorCode::corrupt, "AWS STS gave keys that end at '" + expiration + "', which is no moment");
  return {.keys = {element(document, "AccessKeyId"), element(document, "SecretAccessKey"),
                   element(document, "SessionToken")},
          .expiry_s = *expiry};
}

TextPairs parameters_of(const RoleRequest& role) {
  TextPairs all = {{"RoleArn", role.role_arn},
                   {"RoleSessionName", role.session_name},
                   {"ExternalId", role.external_id},
                   {"DurationSeconds", role.duration_seconds},
                   {"SerialNumber", role.serial},
                   {"TokenCode", role.code},
                   {"WebIdentityToken", role.web_identity_token}};
  std::erase_if(all, [](const auto& one) { return one.second.empty(); });
  return all;
}

}  // namespace

/// One call on its way to a success.
class Sts::Operation final : public network::Exchange {
 public:
  Operation(Sts& sts, std::string action, const TextPairs& parameters, Credentials* credentials)
      : sts_(sts),
        action_(std::move(action)),
        credentials_(credentials),
        retry_(sts.settings_.limits, sts.clock_, network::random_fractions()) {
    TextPairs all = {{"Action", action_}, {"Version", "2011-06-15"}};
    all.insert(all.end(), parameters.begin(), parameters.end());
    text_ = encode_query(all);
    body_.borrow(std::as_bytes(std::span(text_)));
  }

  network::Request request() override {
    const auto& endpoint = sts_.settings_.endpoint;
    network::Request request;
    request.method = "POST";
    request.url = endpoint + "/";
    request.body = &body_;
    request.connect_limit = seconds(5);
    request.total_limit = seconds(10);
    request.headers = {{"host", host_of(endpoint)}, {"content-type", content_type}};
    if (!credentials_) return request;
    keys_ = credentials_->keys();
    const RequestToSign to_sign{.method = request.method,
                                .path = path_of(endpoint) + "/",
                                .headers = request.headers,
                                .payload_digest = sha256_hex(text_)};
    const auto signature = sign_headers(to_sign, keys_, {sts_.settings_.region, "sts"}, now_s() + clock_offset_s_);
    for (const auto& header : signature.headers) request.headers.push_back(header);
    return request;
  }

  std::optional<milliseconds> answered(network::Response response) override {
    if (response.problem != network::Problem::none) {
      if (const auto wait = retry_.next()) return wait;
      throw Error(ErrorCode::unavailable, "AWS STS at " + sts_.settings_.endpoint + " does not answer: " +
                                              response.reason + "; check the network, the region and AWS_ENDPOINT_URL");
    }
    if (response.status != 200) return after_refusal(read_error(response), response);
    answer_ = response.body.text();
    return std::nullopt;
  }

  std::string take() { return std::move(answer_); }

 private:
  std::int64_t now_s() const { return sts_.clock_.now_microseconds() / 1'000'000; }

  std::optional<milliseconds> after_refusal(const ServiceError& error, const network::Response& response) {
    if (is_transient(error))
      if (const auto wait = retry_.next()) return wait;
    if (error.kind == Refusal::clock && !std::exchange(has_corrected_clock_, true) && correct_clock(response))
      return milliseconds(0);
    if (error.kind == Refusal::keys && credentials_ && !std::exchange(has_replaced_keys_, true) &&
        credentials_->replace(keys_))
      return milliseconds(0);
    throw Error(is_transient(error) ? ErrorCode::unavailable : ErrorCode::denied,
                "AWS STS at " + sts_.settings_.endpoint + " refuses " + action_ + ": " + error.sentence());
  }

  bool correct_clock(const network::Response& response) {
    const auto date = response.header("date");
    const auto theirs = date ? network::read_http_date(*date) : std::nullopt;
    if (theirs) clock_offset_s_ = *theirs - now_s();
    return theirs.has_value();
  }

  Sts& sts_;
  std::string action_;
  Credentials* credentials_;
  network::Retry retry_;
  std::string text_, answer_;
  Pieces body_;
  SigningKeys keys_;
  std::int64_t clock_offset_s_ = 0;
  bool has_corrected_clock_ = false, has_replaced_keys_ = false;
};

std::string Sts::call(const std::string& action, const TextPairs& parameters, Credentials* credentials) {
  Operation operation(*this, action, parameters, credentials);
  network::Exchange* const exchanges[] = {&operation};
  http_.perform(exchanges);
  return operation.take();
}

RoleKeys Sts::assume_role(const RoleRequest& role, Credentials& credentials) {
  return read_role_keys(call("AssumeRole", parameters_of(role), &credentials));
}

RoleKeys Sts::assume_role_with_web_identity(const RoleRequest& role) {
  return read_role_keys(call("AssumeRoleWithWebIdentity", parameters_of(role), nullptr));
}

Sts sts_of(const Environment& environment, const Profiles& profiles, const std::string& profile,
           network::HttpClient& http, Clock& clock) {
  const auto choice = choose_region(environment, profiles, profile);
  const auto region = choice ? choice->region : "us-east-1";
  const auto custom = custom_endpoint(environment, profiles, profile, "STS");
  return {http, clock, {.endpoint = custom ? *custom : aws_endpoint(environment, "sts", region), .region = region}};
}

Caller Sts::caller(Credentials& credentials) {
  const auto document = parse(call("GetCallerIdentity", {}, &credentials));
  return {.account = element(document, "Account"), .arn = element(document, "Arn")};
}

}  // namespace metaflow::aws
