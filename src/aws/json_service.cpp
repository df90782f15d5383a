#include "aws/json_service.hpp"

#include <deque>
#include <optional>

#include <metaflow/error.hpp>

#include <fmt/format.h>

namespace metaflow::aws {
namespace {

using network::Problem;
using std::chrono::milliseconds;

/// `https://host:1/a` in two.
struct Place {
  std::string host, path;
};

Place place_of(const std::string& url) {
  const auto scheme = url.find("://");
  const auto begin = scheme == std::string::npos ? 0 : scheme + 3;
  const auto end = std::min(url.find('/', begin), url.size());
  return {url.substr(begin, end - begin), url.substr(end)};
}

/// Whether the service cannot have seen the request.
bool never_arrived(Problem problem) {
  return problem == Problem::refused || problem == Problem::no_such_host || problem == Problem::tls;
}

ErrorCode code_of(Refusal kind) {
  switch (kind) {
    case Refusal::denied:
    case Refusal::keys:
    case Refusal::clock:
      return ErrorCode::denied;
    case Refusal::transient:
      return ErrorCode::unavailable;
    case Refusal::not_found:
      return ErrorCode::not_found;
    case Refusal::conflict:
      return ErrorCode::conflict;
    default:
      return ErrorCode::invalid;
  }
}

}  // namespace

/// One request on its way to a success.
class JsonService::Operation final : public network::Exchange {
 public:
  Operation(JsonService& service, const JsonCall& call, const JsonValue& request)
      : service_(service),
        call_(call),
        text_(dump_json(request)),
        digest_(sha256_hex(text_)),
        retry_(service.settings_.limits, service.clock_, network::random_fractions()) {
    body_.borrow(std::as_bytes(std::span(text_)));
  }

  network::Request request() override {
    const auto& settings = service_.settings_;
    const auto place = place_of(settings.endpoint);
    keys_ = service_.credentials_.keys();
    RequestToSign to_sign{.method = "POST",
                          .path = place.path + std::string(call_.path),
                          .headers = {{"host", place.host}, {"content-type", "application/json"}},
                          .payload_digest = digest_,
                          .path_rule = PathRule::normalised};
    auto signature = sign_headers(to_sign, keys_, settings.scope, now_s() + clock_offset_s_);
    network::Request request;
    request.method = "POST";
    request.url = settings.endpoint + std::string(call_.path);
    request.headers = std::move(to_sign.headers);
    for (auto& header : signature.headers) request.headers.push_back(std::move(header));
    request.body = &body_;
    return request;
  }

  std::optional<milliseconds> answered(network::Response response) override {
    if (response.problem != Problem::none) return after_problem(response);
    if (response.status == 200) {
      // An answer that has nothing to say may be empty.
      const auto text = response.body_bytes == 0 ? std::string_view("{}") : response.body.text();
      answer_ = parse_json(text, fmt::format("the answer of {} to {}", title(), call_.action));
      return std::nullopt;
    }
    return after_refusal(read_error(response), response);
  }

  JsonValue take() { return std::move(answer_); }

 private:
  const std::string& title() const { return service_.settings_.title; }
  std::int64_t now_s() const { return service_.clock_.now_microseconds() / 1'000'000; }
  bool may_repeat(bool had_no_effect) const { return call_.repeat == Repeat::always || had_no_effect; }

  std::optional<milliseconds> after_problem(const network::Response& response) {
    const bool lost = !never_arrived(response.problem);
    if (may_repeat(!lost))
      if (const auto wait = retry_.next()) return wait;
    throw Error(ErrorCode::unavailable, fmt::format("{} at {} does not answer to {}: {}. {}", title(),
                                                    service_.settings_.endpoint, call_.action, response.reason,
                                                    lost ? "Whether it did what was asked is not known."
                                                         : "Check the network, the region and AWS_ENDPOINT_URL."));
  }

  std::optional<milliseconds> after_refusal(const ServiceError& error, const network::Response& response) {
    if (error.kind == Refusal::transient && may_repeat(error.status < 500)) {
      const auto asked = response.header("retry-after");
      if (const auto wait = retry_.next(asked ? network::read_retry_after(*asked, now_s()).value_or(milliseconds(0))
                                              : milliseconds(0)))
        return wait;
    }
    if (error.kind == Refusal::clock && !std::exchange(corrected_clock_, true) && correct_clock(response))
      return milliseconds(0);
    if (error.kind == Refusal::keys && !std::exchange(replaced_keys_, true) && service_.credentials_.replace(keys_))
      return milliseconds(0);
    throw Error(code_of(error.kind), sentence(error));
  }

  bool correct_clock(const network::Response& response) {
    const auto date = response.header("date");
    const auto theirs = date ? network::read_http_date(*date) : std::nullopt;
    if (theirs) clock_offset_s_ = *theirs - now_s();
    return theirs.has_value();
  }

  std::string sentence(const ServiceError& error) const {
    switch (error.kind) {
      case Refusal::denied:
        return fmt::format("{} does not let these keys call {}: {}. Whoever owns them needs the right {}:{}.", title(),
                           call_.action, error.sentence(), service_.settings_.scope.service, call_.action);
      case Refusal::keys:
        return fmt::format(
            "{} does not take the AWS keys any more, or not yet, for {}: {}. Get new ones and try again.", title(),
            call_.action, error.sentence());
      case Refusal::clock:
        return fmt::format("{} finds the clock of this machine wrong at {}: {}. Set it and try again.", title(),
                           call_.action, error.sentence());
      case Refusal::transient:
        return fmt::format("{} could not do {} now: {}. Try again later.", title(), call_.action, error.sentence());
      default:
        return fmt::format("{} refused {}: {}", title(), call_.action, error.sentence());
    }
  }

  JsonService& service_;
  const JsonCall& call_;
  std::string text_, digest_;
  Pieces body_;
  network::Retry retry_;
  SigningKeys keys_;
  std::int64_t clock_offset_s_ = 0;
  bool corrected_clock_ = false, replaced_keys_ = false;
  JsonValue answer_;
};

JsonValue JsonService::call(const JsonCall& call, const JsonValue& request) {
  return std::move(call_all(call, std::span(&request, 1)).front());
}

std::vector<JsonValue> JsonService::call_all(const JsonCall& call, std::span<const JsonValue> requests) {
  std::deque<Operation> operations;
  std::vector<network::Exchange*> exchanges;
  for (const auto& request : requests) exchanges.push_back(&operations.emplace_back(*this, call, request));
  http_.perform(exchanges);
  std::vector<JsonValue> answers;
  for (auto& operation : operations) answers.push_back(operation.take());
  return answers;
}

}  // namespace metaflow::aws
