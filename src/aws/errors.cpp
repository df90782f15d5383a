#include "aws/errors.hpp"

#include <algorithm>
#include <array>

#include <pugixml.hpp>

#include "base/json.hpp"

namespace metaflow::aws {
namespace {

struct Known {
  std::string_view code;
  Refusal kind;
};

constexpr std::array known = {
    Known{"NoSuchKey", Refusal::not_found},
    Known{"NoSuchBucket", Refusal::not_found},
    Known{"AccessDenied", Refusal::denied},
    Known{"AccessDeniedException", Refusal::denied},
    Known{"AllAccessDisabled", Refusal::denied},
    Known{"SignatureDoesNotMatch", Refusal::denied},
    Known{"InvalidSignatureException", Refusal::denied},
    Known{"InvalidRange", Refusal::range},
    Known{"PreconditionFailed", Refusal::conflict},
    Known{"InternalError", Refusal::transient},
    Known{"SlowDown", Refusal::transient},
    Known{"ServiceUnavailable", Refusal::transient},
    Known{"RequestTimeout", Refusal::transient},
    Known{"TooManyRequestsException", Refusal::transient},
    Known{"BandwidthLimitExceeded", Refusal::transient},
    Known{"RequestLimitExceeded", Refusal::transient},
    Known{"RequestTimeTooSkewed", Refusal::clock},
    Known{"ExpiredToken", Refusal::keys},
    Known{"ExpiredTokenException", Refusal::keys},
    Known{"TokenRefreshRequired", Refusal::keys},
    Known{"RequestExpired", Refusal::keys},
    Known{"InvalidToken", Refusal::keys},
    Known{"InvalidClientTokenId", Refusal::keys},
    Known{"UnrecognizedClientException", Refusal::keys},
    Known{"InvalidAccessKeyId", Refusal::keys},
    Known{"PermanentRedirect", Refusal::wrong_region},
    Known{"TemporaryRedirect", Refusal::wrong_region},
    Known{"AuthorizationHeaderMalformed", Refusal::wrong_region},
};

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

Refusal kind_of_status(int status) {
  switch (status) {
    case 301:
    case 307:
      return Refusal::wrong_region;
    case 401:
    case 403:
      return Refusal::denied;
    case 404:
      return Refusal::not_found;
    case 409:
    case 412:
      return Refusal::conflict;
    case 416:
      return Refusal::range;
    default:
      return status == 429 || status >= 500 ? Refusal::transient : Refusal::other;
  }
}

/// Only the words tell a signature of another time from one that is wrong; which code they come with depends on the service.
bool is_about_time(const ServiceError& error) {
  const bool is_about_signature = error.code == "SignatureDoesNotMatch" || error.code == "InvalidSignatureException";
  return is_about_signature &&
         (contains(error.message, "Signature expired") || contains(error.message, "not yet current"));
}

Refusal kind_of(const ServiceError& error) {
  if (is_about_time(error)) return Refusal::clock;
  const auto* found = std::ranges::find(known, error.code, &Known::code);
  if (found != known.end()) return found->kind;
  if (error.code.starts_with("Throttling") || contains(error.code, "Throttled")) return Refusal::transient;
  // 501 is the answer of a server that will never know how.
  return error.status == 501 ? Refusal::other : kind_of_status(error.status);
}

/// S3: `<Error>`; STS and IAM: `<ErrorResponse><Error>`; EC2: `<Response><Errors><Error>`.
void read_xml(std::string_view body, ServiceError& error) {
  pugi::xml_document document;
  if (!document.load_buffer(body.data(), body.size())) return;
  const auto node =
      document.find_node([](const pugi::xml_node& one) { return std::string_view(one.name()) == "Error"; });
  error.code = node.child_value("Code");
  error.message = node.child_value("Message");
  error.region = node.child_value("Region");
}

void read_json(std::string_view body, ServiceError& error) {
  const auto json = JsonValue::parse(body, nullptr, false);
  if (!json.is_object()) return;
  const auto text = [&](const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  error.code = text("__type").empty() ? text("code") : text("__type");
  error.message = text("message").empty() ? text("Message") : text("message");
}

/// `ClientException` of `com.amazonaws.batch#ClientException:http://…`.
std::string bare_code(std::string code) {
  code = code.substr(0, code.find(':'));
  return code.substr(code.rfind('#') + 1);
}

}  // namespace

std::string ServiceError::sentence() const {
  auto text = code.empty() ? "status " + std::to_string(status) : code + " (" + std::to_string(status) + ")";
  return message.empty() ? text : text + ": " + message;
}

ServiceError make_error(int status, std::string code, std::string message) {
  ServiceError error{.status = status, .code = std::move(code), .message = std::move(message)};
  error.kind = kind_of(error);
  return error;
}

ServiceError read_error(const network::Response& response) {
  ServiceError error{.status = response.status};
  const auto body = response.body.text();
  const auto first = body.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && body[first] == '<') read_xml(body, error);
  if (first != std::string_view::npos && body[first] == '{') read_json(body, error);
  if (const auto type = response.header("x-amzn-errortype"); type && error.code.empty()) error.code = *type;
  if (const auto region = response.header("x-amz-bucket-region"); region && error.region.empty())
    error.region = *region;
  error.code = bare_code(error.code);
  error.kind = kind_of(error);
  return error;
}

}  // namespace metaflow::aws
