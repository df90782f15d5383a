#include <algorithm>
#include <array>

#include <arpa/inet.h>

#include <metaflow/error.hpp>

#include "aws/key_sources.hpp"
#include "base/files.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace metaflow::aws {
namespace {

using std::chrono::milliseconds;

/// `host` of `http://host:80/x`; empty for what is no URL of this form, and for one that names a user.
std::string host_name_of(const std::string& url) {
  const auto scheme = url.find("://");
  if (scheme == std::string::npos) return {};
  const auto begin = scheme + 3;
  const auto authority = url.substr(begin, url.find_first_of("/?#\\", begin) - begin);
  if (authority.find('@') != std::string::npos) return {};
  if (authority.starts_with('[')) return authority.substr(1, authority.find(']') - 1);
  return authority.substr(0, authority.find(':'));
}

bool is_loopback(const std::string& host) {
  in_addr four{};
  if (::inet_pton(AF_INET, host.c_str(), &four) == 1) return ntohl(four.s_addr) >> 24 == 127;
  in6_addr six{};
  return ::inet_pton(AF_INET6, host.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

/// Whoever writes the environment must not send our token to just any place.
bool may_be_asked(const std::string& url) {
  constexpr std::array hosts = {"169.254.170.2", "169.254.170.23", "fd00:ec2::23", "localhost"};
  const auto host = host_name_of(url);
  if (host.empty()) return false;
  return url.starts_with("https://") ||
         (url.starts_with("http://") && (is_loopback(host) || std::ranges::find(hosts, host) != hosts.end()));
}

/// Where a container is given keys, as its variables say; nothing when they say nothing.
std::optional<std::string> container_url(const Search& search) {
  if (const auto path = search.environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")) {
    if (!path->starts_with('/'))
      throw Error(ErrorCode::invalid, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is '" + *path +
                                          "'; it has to begin with '/'. It is set by whoever starts the container");
    return "http://169.254.170.2" + *path;
  }
  const auto url = search.environment("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (url && !may_be_asked(*url))
    throw Error(ErrorCode::invalid, "AWS_CONTAINER_CREDENTIALS_FULL_URI is '" + *url +
                                        "'; keys are only asked for by https, on this machine, at 169.254.170.2, "
                                        "169.254.170.23 and fd00:ec2::23");
  return url;
}

std::string authorization(const Search& search) {
  if (const auto file = search.environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")) {
    const auto token = read_text_file(*file);
    if (token) return header_value(*token, "'" + *file + "'");
    throw Error(ErrorCode::not_found,
                "There is no file '" + *file + "', which AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names");
  }
  return header_value(search.environment("AWS_CONTAINER_AUTHORIZATION_TOKEN").value_or(""),
                      "AWS_CONTAINER_AUTHORIZATION_TOKEN");
}

/// A number that a variable or the profile says.
int number_of(const Search& search, const std::string& variable_name, const std::string& name, int fallback) {
  const auto value = search.value(name);
  const auto text = search.environment(variable_name).value_or(value ? value->text : "");
  if (text.empty()) return fallback;
  const bool is_number = text.size() < 6 && text.find_first_not_of("0123456789") == std::string::npos;
  if (is_number && std::stoi(text) > 0) return std::stoi(text);
  throw Error(ErrorCode::invalid, variable_name + " or " + name + " of profile '" + search.profile + "' is '" + text +
                                      "'; it has to be a positive number");
}

std::string machine_url(const Search& search) {
  const auto from_profile = search.value("ec2_metadata_service_endpoint");
  auto url = search.environment("AWS_EC2_METADATA_SERVICE_ENDPOINT").value_or(from_profile ? from_profile->text : "");
  const auto mode = search.value("ec2_metadata_service_endpoint_mode");
  const bool is_six =
      lower_case(search.environment("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE").value_or(mode ? mode->text : "")) ==
      "ipv6";
  if (url.empty()) url = is_six ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
  while (url.ends_with('/')) url.pop_back();
  return url;
}

/// A talk with the service of the machine, version 2: each question carries the token that the first one brings.
class MachineService {
 public:
  explicit MachineService(const Search& search)
      : search_(search),
        url_(machine_url(search)),
        rule_{.tries = number_of(search, "AWS_METADATA_SERVICE_NUM_ATTEMPTS", "metadata_service_num_attempts", 1),
              .pause = milliseconds(100),
              .limit = std::chrono::seconds(
                  number_of(search, "AWS_METADATA_SERVICE_TIMEOUT", "metadata_service_timeout", 1))} {}

  const std::string& url() const { return url_; }

  /// Before all other questions.
  network::Response ask_for_token() {
    auto response = ask("PUT", "/latest/api/token", {"x-aws-ec2-metadata-token-ttl-seconds", "21600"});
    if (response.status == 200) token_ = trimmed(response.body.text());
    return response;
  }
  network::Response get(const std::string& path) { return ask("GET", path, {"x-aws-ec2-metadata-token", token_}); }

 private:
  network::Response ask(const char* method, const std::string& path, std::pair<std::string, std::string> header) {
    network::Request request;
    request.method = method;
    request.url = url_ + path;
    request.headers = {std::move(header)};
    if (request.method == "PUT") request.body = &nothing_;
    return fetch(search_, std::move(request), rule_);
  }

  const Search& search_;
  std::string url_, token_;
  FetchRule rule_;
  Pieces nothing_;
};

/// The same for whatever there was instead of an answer.
Looked no_machine(const std::string& url, const std::string& why) {
  return {.missing = "a role of this machine at " + url + " (" + why + ")"};
}

}  // namespace

Looked look_at_container(const Search& search) {
  const auto url = container_url(search);
  if (!url) return {.missing = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI"};
  network::Request request;
  request.url = *url;
  request.headers = {{"accept", "application/json"}};
  if (auto token = authorization(search); !token.empty())
    request.headers.emplace_back("authorization", std::move(token));
  const auto response = fetch(search, std::move(request), {.tries = 3, .limit = std::chrono::seconds(2)});
  const auto place = "the container's service at " + *url;
  if (response.status != 200)
    throw Error(ErrorCode::unavailable,
                "No keys from " + place + ": " + problem_of(response) + "; check the role of the container");
  auto found = read_json_keys(response.body.text(), "Token", place);
  if (!found.expiry_s || found.keys.token.empty())
    throw Error(ErrorCode::corrupt, "The keys from " + place + " have no Token or no Expiration");
  return {.found = std::move(found)};
}

Looked look_at_machine(const Search& search) {
  if (lower_case(search.environment("AWS_EC2_METADATA_DISABLED").value_or("")) == "true")
    return {.missing = "a role of this machine (not asked, as AWS_EC2_METADATA_DISABLED is set)"};
  MachineService service(search);
  if (const auto token = service.ask_for_token(); token.status != 200)
    return no_machine(service.url(), problem_of(token));
  const std::string path = "/latest/meta-data/iam/security-credentials/";
  const auto roles = service.get(path);
  if (roles.status != 200) return no_machine(service.url(), "it has none: " + problem_of(roles));
  const std::string role(trimmed(roles.body.text().substr(0, roles.body.text().find('\n'))));
  if (role.empty()) return no_machine(service.url(), "it has none");
  const auto response = service.get(path + encode_path(role));
  if (response.status != 200) return no_machine(service.url(), problem_of(response));
  const auto place = "the role " + role + " of this machine";
  const auto json = JsonValue::parse(response.body.text(), nullptr, false);
  if (json.is_object() && json.contains("Code") && json["Code"] != "Success")
    return no_machine(service.url(), dump_json(json["Code"]) + " for the role " + role);
  auto found = read_json_keys(response.body.text(), "Token", place);
  // While it is disturbed, the service goes on to hand out keys that have ended, and AWS takes them.
  if (found.expiry_s && *found.expiry_s <= search.now_s()) found.expiry_s = search.now_s() + 20 * 60;
  return {.found = std::move(found)};
}

}  // namespace metaflow::aws
