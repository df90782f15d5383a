#include "aws/s3_call.hpp"

#include <fmt/format.h>

namespace metaflow::aws {
namespace {

using network::Problem;
using std::chrono::milliseconds;

/// Until something has answered once, these say that the place is wrong, not that it is down.
bool is_about_place(Problem problem) {
  return problem == Problem::no_such_host || problem == Problem::refused || problem == Problem::tls;
}

constexpr int first_contact_tries = 3, told_from_retry = 3;

}  // namespace

S3Call::S3Call(S3Session& session, std::string action, S3Request request)
    : S3Call(session, std::move(action), std::move(request), session.settings().limits) {}

S3Call::S3Call(S3Session& session, std::string action, S3Request request, network::RetryLimits limits)
    : request_(std::move(request)),
      session_(session),
      action_(std::move(action)),
      retry_(limits, session.clock(), network::random_fractions()) {}

network::Request S3Call::request() {
  keys_ = session_.credentials().keys();
  if (std::holds_alternative<std::monostate>(request_.body))
    return session_.sign(request_, session_.payload_digest(request_), keys_);
  if (body_digest_.empty()) body_digest_ = session_.payload_digest(request_);
  return session_.sign(request_, body_digest_, keys_);
}

S3Call::Next S3Call::answered(network::Response response) {
  if (response.status != 0) session_.saw_answer();
  if (response.problem != Problem::none) return after_problem(response);
  if (response.status / 100 == 2) {
    session_.saw_bucket(request_.place.bucket);
    return succeeded(std::move(response));
  }
  const auto error = read_error(response);
  if (error.kind == Refusal::transient) {
    const auto asked = response.header("retry-after");
    return try_again(error.sentence(),
                     asked ? network::read_retry_after(*asked, session_.now_s()).value_or(at_once.value()) : *at_once);
  }
  if (set_right(error, response)) return at_once;
  return refused(error, response);
}

S3Call::Next S3Call::refused(const ServiceError& error, const network::Response&) { throw refusal(error); }

S3Call::Next S3Call::after_problem(const network::Response& response) {
  const auto endpoint = session_.endpoint(request_.place.bucket);
  if (!session_.was_answered() && is_about_place(response.problem)) {
    if (++first_contacts_ < first_contact_tries) return session_.settings().first_contact_wait;
    throw Error(ErrorCode::unavailable,
                fmt::format("There is no S3 to be reached at {} for {}: {}. Check the network, {}.", endpoint,
                            request_.place.url(), response.reason,
                            session_.is_custom() ? "and METAFLOW_S3_ENDPOINT_URL or AWS_ENDPOINT_URL"
                                                 : "and the region '" + session_.region(request_.place.bucket) + "'"));
  }
  return try_again(response.reason + " (" + endpoint + ")");
}

S3Call::Next S3Call::try_again(const std::string& reason, milliseconds asked) {
  const auto wait = retry_.next(asked);
  if (!wait)
    throw Error(ErrorCode::unavailable, fmt::format("S3 could not do {}, tried {} times: {}. Try again later.", what(),
                                                    retry_.retries() + 1, reason));
  if (retry_.retries() == told_from_retry && session_.settings().notice)
    session_.settings().notice(fmt::format("S3 cannot do {} just now and is asked again: {}", what(), reason));
  return wait;
}

bool S3Call::set_right(const ServiceError& error, const network::Response& response) {
  if (error.kind == Refusal::clock && !was_timed_) {
    const auto date = response.header("date");
    const auto theirs = date ? network::read_http_date(*date) : std::nullopt;
    if (theirs) session_.set_clock_offset(*theirs - session_.now_s());
    return was_timed_ = theirs.has_value();
  }
  if (error.kind == Refusal::keys && !has_new_keys_) return has_new_keys_ = session_.credentials().replace(keys_);
  // A HEAD in the wrong region is refused without a word but the region itself.
  const bool is_elsewhere = error.kind == Refusal::wrong_region || error.status == 400;
  if (is_elsewhere && !error.region.empty() && !was_moved_) {
    session_.move_bucket(request_.place.bucket, error.region);
    return was_moved_ = true;
  }
  return false;
}

std::string S3Call::what() const { return fmt::format("s3:{} for {}", action_, request_.place.url()); }

std::string S3Call::who() const { return "the key " + keys_.key_id; }

Error S3Call::no_bucket() const {
  return {ErrorCode::not_found,
          fmt::format(
              "There is no bucket '{}' for {}. Check the name, and whether it belongs to another account or server.",
              request_.place.bucket, request_.place.url())};
}

Error S3Call::refusal(const ServiceError& error) const {
  const auto said = error.sentence();
  if (error.code == "NoSuchBucket") return no_bucket();
  if (error.code == "SignatureDoesNotMatch")
    return {ErrorCode::denied,
            fmt::format("S3 refused {}: the secret does not belong to {}. Set both anew. ({})", what(), who(), said)};
  switch (error.kind) {
    case Refusal::denied:
      return {ErrorCode::denied,
              fmt::format("S3 does not allow {} to {}: {}. Allow s3:{} there, or choose other keys by AWS_PROFILE.",
                          what(), who(), said, action_)};
    case Refusal::keys:
      return {ErrorCode::denied,
              fmt::format("S3 does not take {} any more, or not yet, for {}: {}. Get new keys and try again.", who(),
                          what(), said)};
    case Refusal::clock:
      return {ErrorCode::denied,
              fmt::format("S3 finds the clock of this machine wrong at {}: {}. Set it and try again.", what(), said)};
    case Refusal::wrong_region:
      return {ErrorCode::invalid,
              fmt::format("S3 refused {}, as the bucket is not in the region '{}': {}. Set AWS_REGION to where it is.",
                          what(), session_.region(request_.place.bucket), said)};
    case Refusal::not_found:
      return {ErrorCode::not_found, fmt::format("S3 does not know {}: {}", request_.place.url(), said)};
    case Refusal::conflict:
      return {ErrorCode::conflict, fmt::format("S3 refused {}: {}", what(), said)};
    default:
      return {ErrorCode::invalid, fmt::format("S3 refused {}: {}", what(), said)};
  }
}

S3Call::Next S3ReadCall::succeeded(network::Response response) {
  return puzzle_ ? end_probe() : found(std::move(response));
}

S3Call::Next S3ReadCall::refused(const ServiceError& error, const network::Response& response) {
  if (error.code == "NoSuchBucket") throw no_bucket();
  if (puzzle_) {
    if (error.kind != Refusal::denied) throw refusal(error);
    if (puzzle_->kind == Refusal::not_found) return missing();
    throw cannot_tell();
  }
  if (error.code == "NoSuchKey") {
    session().saw_bucket(request_.place.bucket);
    return missing();
  }
  if (error.kind == Refusal::not_found && session().knows_bucket(request_.place.bucket)) return missing();
  if (!is_puzzling(error)) return refused_to_read(error, response);
  start_probe(error);
  return at_once;
}

/// Answers to HEAD have no words at all.
bool S3ReadCall::is_puzzling(const ServiceError& error) const {
  if (was_probed_) return false;
  if (error.kind == Refusal::denied) return error.code.empty() || error.code == "AccessDenied";
  return error.code.empty() && (error.kind == Refusal::not_found || error.status == 400);
}

/// Lists nothing, at the place of the key, as a right to list may end there.
void S3ReadCall::start_probe(const ServiceError& error) {
  puzzle_ = error;
  was_probed_ = true;
  corrections_before_ = corrections();
  original_ = request_;
  request_ = {.method = "GET",
              .place = original_.place,
              .query = {{"list-type", "2"}, {"max-keys", "0"}, {"prefix", original_.place.key}}};
  request_.place.key.clear();
}

S3Call::Next S3ReadCall::end_probe() {
  const auto puzzle = *std::exchange(puzzle_, std::nullopt);
  request_ = std::move(original_);
  // What was wrong for the probe was wrong for the request before it.
  if (corrections() > corrections_before_) return at_once;
  if (puzzle.kind == Refusal::not_found) return missing();
  throw refusal(puzzle);
}

Error S3ReadCall::cannot_tell() const {
  return {ErrorCode::denied,
          fmt::format("S3 refuses {}, which may be denied or not exist: it does not say which without the right "
                      "s3:ListBucket on the bucket '{}'. Allow that, and s3:GetObject on what is in it.",
                      original_.place.url(), original_.place.bucket)};
}

}  // namespace metaflow::aws
