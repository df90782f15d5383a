#include "aws/s3_write.hpp"

#include <algorithm>
#include <deque>
#include <map>

#include <metaflow/error.hpp>

#include "aws/digest.hpp"
#include "aws/s3_call.hpp"
#include "aws/s3_multipart.hpp"
#include "aws/s3_xml.hpp"
#include "network/body.hpp"

namespace metaflow::aws {
namespace {

using network::Response;

/// Above this, an object goes in parts.
constexpr std::uint64_t most_at_once = 16 << 20;
/// As many as one request takes.
constexpr std::size_t most_removed_at_once = 1000;

/// One PUT. Where the server knows no conditional ones: a HEAD, then the PUT.
class PutCall final : public S3Call {
 public:
  PutCall(S3Session& s3, const S3Put& value)
      : S3Call(s3, "PutObject", {.method = "PUT", .place = value.place, .headers = headers_of(value, s3.settings())}),
        body_(value.body),
        is_conditional_(value.condition == S3Condition::if_absent) {
    if (is_conditional_ && !s3.has_conditional_put()) {
      look();
      return;
    }
    if (is_conditional_) request_.headers.emplace_back("if-none-match", "*");
    request_.body = body_;
  }
  bool was_written() const { return was_written_; }

 private:
  Next succeeded(Response) override {
    was_written_ = request_.method == "PUT";
    return over;
  }

  Next refused(const ServiceError& error, const Response& response) override {
    if (request_.method == "HEAD") {
      if (error.kind != Refusal::not_found) return S3Call::refused(error, response);
      write();
      return at_once;
    }
    if (is_conditional_ && error.status == 412) return over;
    // Somebody else is about to write or remove it: what is there afterwards is not known yet.
    if (error.status == 409) return try_again(error.sentence());
    const bool knows_no_condition = error.status == 501 || error.code == "NotImplemented";
    if (!is_conditional_ || !knows_no_condition || !session().has_conditional_put())
      return S3Call::refused(error, response);
    session().lacks_conditional_put();
    look();
    return at_once;
  }

  void look() {
    std::erase_if(request_.headers, [](const auto& header) { return header.first == "if-none-match"; });
    put_headers_ = std::exchange(request_.headers, {});
    request_.method = "HEAD";
    request_.body = {};
  }
  void write() {
    request_.headers = std::move(put_headers_);
    request_.method = "PUT";
    request_.body = body_;
  }

  network::Body body_;
  TextPairs put_headers_;
  bool is_conditional_, was_written_ = false;
};

/// DeleteObjects: up to 1000 keys of one bucket.
class RemoveCall final : public S3Call {
 public:
  RemoveCall(S3Session& session, const std::string& bucket, std::span<const std::string> keys)
      : S3Call(session, "DeleteObject", {.method = "POST", .place = {bucket}, .query = {{"delete", ""}}}) {
    auto text = removal_xml(keys);
    request_.headers = {{"content-md5", md5_base64(text)}, {"content-type", "application/xml"}};
    body_.own(std::move(text));
    request_.body = &body_;
  }

 private:
  Next succeeded(Response response) override {
    const auto failures = read_removal_failures(response.body.text());
    if (failures.empty()) return over;
    const auto& [key, error] = failures.front();
    if (error.kind == Refusal::transient) return try_again(error.sentence());
    request_.place.key = key;
    throw refusal(error);
  }

  Pieces body_;
};

}  // namespace

std::vector<bool> put_all(S3Session& session, std::span<const S3Put> values) {
  std::deque<PutCall> puts;
  std::vector<network::Exchange*> calls;
  std::vector<const S3Put*> large;
  for (const auto& value : values) {
    if (network::BodyReader(value.body).size() > most_at_once)
      large.push_back(&value);
    else
      calls.push_back(&puts.emplace_back(session, value));
  }
  session.http().perform(calls);
  const auto large_written = put_in_parts(session, large);
  std::vector<bool> written;
  auto next_put = puts.begin();
  auto next_large = large_written.begin();
  for (const auto& value : values) {
    const bool is_large = network::BodyReader(value.body).size() > most_at_once;
    written.push_back(is_large ? *next_large++ : next_put++->was_written());
  }
  return written;
}

void remove_all(S3Session& session, std::span<const S3Place> places) {
  std::map<std::string, std::vector<std::string>> keys_by_bucket;
  for (const auto& place : places) keys_by_bucket[place.bucket].push_back(place.key);
  std::deque<RemoveCall> removals;
  std::vector<network::Exchange*> calls;
  for (const auto& [bucket, keys] : keys_by_bucket) {
    for (std::size_t begin = 0; begin < keys.size(); begin += most_removed_at_once) {
      const auto count = std::min(most_removed_at_once, keys.size() - begin);
      calls.push_back(&removals.emplace_back(session, bucket, std::span(keys).subspan(begin, count)));
    }
  }
  session.http().perform(calls);
}

}  // namespace metaflow::aws
