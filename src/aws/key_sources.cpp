#include "aws/key_sources.hpp"

#include <algorithm>
#include <array>

#include <metaflow/error.hpp>

#include "base/json.hpp"
#include "base/text.hpp"

namespace metaflow::aws {
namespace {

using std::chrono::milliseconds;

class Fetch final : public network::Exchange {
 public:
  Fetch(network::Request request, const FetchRule& rule) : request_(std::move(request)), rule_(rule) {
    request_.connect_limit = rule.limit;
    request_.total_limit = rule.limit;
  }

  network::Request request() override { return request_; }
  std::optional<milliseconds> answered(network::Response response) override {
    // Who is turned away once is turned away again.
    const bool is_final =
        response.status == 200 || (response.status >= 400 && response.status < 500 && response.status != 429);
    answer_ = std::move(response);
    if (is_final || ++tried_ >= rule_.tries) return std::nullopt;
    return rule_.pause;
  }
  network::Response take() { return std::move(answer_); }

 private:
  network::Request request_;
  FetchRule rule_;
  int tried_ = 0;
  network::Response answer_;
};

}  // namespace

network::Response fetch(const Search& search, network::Request request, const FetchRule& rule) {
  Fetch fetch(std::move(request), rule);
  network::Exchange* const exchanges[] = {&fetch};
  search.around.http.perform(exchanges);
  return fetch.take();
}

std::string problem_of(const network::Response& response) {
  return response.problem == network::Problem::none ? "status " + std::to_string(response.status) : response.reason;
}

std::string header_value(std::string value, const std::string& from) {
  while (value.ends_with('\n') || value.ends_with('\r')) value.pop_back();
  if (value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos) return value;
  throw Error(ErrorCode::invalid, "The token in " + from + " has more than one line");
}

FoundKeys read_json_keys(std::string_view json, const char* token, const std::string& from) {
  const auto place = "the keys from " + from;
  const auto object = parse_json(json, place);
  FoundKeys found{.keys = {json_member<std::string>(object, "AccessKeyId", place),
                           json_member<std::string>(object, "SecretAccessKey", place)},
                  .origin = from};
  const auto has = [&](const char* name) { return object.contains(name) && !object[name].is_null(); };
  if (has(token)) found.keys.token = json_member<std::string>(object, token, place);
  if (!has("Expiration")) return found;
  const auto expiration = json_member<std::string>(object, "Expiration", place);
  found.expiry_s = read_moment(expiration);
  if (!found.expiry_s)
    throw Error(ErrorCode::corrupt,
                place + " end at '" + expiration + "', which is no moment like 2026-11-24T15:04:05Z");
  return found;
}

Looked look_at_profile(const Search& search) {
  constexpr auto places =
      std::to_array<Looked (*)(const Search&)>({look_at_web_identity, look_at_sso, look_at_credentials_file,
                                                look_at_login_session, look_at_process, look_at_config_file});
  Looked all;
  for (const auto look : places) {
    auto looked = look(search);
    if (looked.found) return looked;
    if (!looked.missing.empty()) all.missing += (all.missing.empty() ? "" : ", ") + looked.missing;
  }
  return all;
}

}  // namespace metaflow::aws
