#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <metaflow/error.hpp>

#include "aws/s3_client.hpp"
#include "network/test_server.hpp"

/// For tests of what speaks to S3.
namespace metaflow::aws {

/// Keys that a test replaces.
class FixedKeys final : public Credentials {
 public:
  SigningKeys keys() override {
    const std::scoped_lock lock(mutex_);
    return keys_;
  }
  bool replace(const SigningKeys& refused) override {
    const std::scoped_lock lock(mutex_);
    if (refused.key_id != keys_.key_id) return true;
    if (fresh.empty()) return false;
    keys_.key_id = std::exchange(fresh, "");
    return true;
  }
  std::string fresh;  ///< the id of the only other key there is, unless empty

 private:
  std::mutex mutex_;
  SigningKeys keys_{"KEY1", "secret"};  // guarded by mutex_
};

/// Real but for its date.
class ShiftedClock final : public Clock {
 public:
  std::int64_t now_microseconds() override { return system_clock().now_microseconds() + shift_s * 1'000'000; }
  std::int64_t steady_microseconds() override { return system_clock().steady_microseconds(); }
  std::int64_t shift_s = 0;
};

using Reply = network::TestServer::Reply;
using After = Reply::After;

inline Reply reply(const std::string& status, const std::string& body = "", const std::string& headers = "") {
  return {fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\n{}\r\n{}", status, body.size(), headers, body)};
}
inline Reply error_reply(const std::string& status, const std::string& code, const std::string& more = "",
                         const std::string& headers = "") {
  return reply(status, "<Error><Code>" + code + "</Code><Message>words</Message>" + more + "</Error>", headers);
}
/// The value of a header of a request; empty when it is not there.
inline std::string header_of(const std::string& request, const std::string& name) {
  const auto begin = request.find("\r\n" + name + ": ");
  if (begin == std::string::npos) return {};
  const auto value = begin + name.size() + 4;
  return request.substr(value, request.find("\r\n", value) - value);
}
/// Its method and target: `GET /b/k`.
inline std::string line_of(const std::string& request) { return request.substr(0, request.find(" HTTP/")); }
inline std::string body_of(const std::string& request) { return request.substr(request.find("\r\n\r\n") + 4); }

/// A part of `whole`, with `etag` (without quotes), as the request's range asks.
inline Reply range_reply(const std::string& request, const std::string& whole, const std::string& etag = "e1") {
  const auto range = header_of(request, "range").substr(std::string("bytes=").size());
  const auto begin = std::stoul(range), end = std::min(std::stoul(range.substr(range.find('-') + 1)) + 1, whole.size());
  return reply("206 Partial Content", whole.substr(begin, end - begin),
               fmt::format("ETag: \"{}\"\r\nContent-Range: bytes {}-{}/{}\r\n", etag, begin, end - 1, whole.size()));
}

/// A client, and a server that answers it as a test says.
class S3Test : public testing::Test {
 protected:
  using Answer = std::function<Reply(const std::string& request)>;

  void serve(Answer answer) { answer_ = std::move(answer); }
  /// The first request gets the first one and so on, the last one all that are left.
  void serve_in_order(std::vector<Reply> replies) {
    serve([this, replies = std::move(replies)](const std::string&) {
      return replies[std::min(count(), replies.size()) - 1];
    });
  }

  S3Client& client() {
    if (!client_) {
      if (settings_.endpoint.empty()) settings_.endpoint = server_.url("");
      client_.emplace(http_, keys_, clock_, settings_);
    }
    return *client_;
  }
  std::size_t count() const {
    const std::scoped_lock lock(mutex_);
    return requests_.size();
  }
  std::vector<std::string> requests() const {
    const std::scoped_lock lock(mutex_);
    return requests_;
  }
  std::vector<std::string> lines() const {
    std::vector<std::string> lines;
    for (const auto& request : requests()) lines.push_back(line_of(request));
    return lines;
  }

  /// Code and words of the Error that `act` throws.
  template <class Act>
  static std::pair<ErrorCode, std::string> error_of(Act act) {
    try {
      act();
    } catch (const Error& error) {
      return {error.code(), error.what()};
    }
    return {ErrorCode::internal, "no error"};
  }

  FixedKeys keys_;
  ShiftedClock clock_;
  S3Settings settings_{.region = "eu-west-1",
                       .limits = {.shortest = std::chrono::milliseconds(1),
                                  .longest = std::chrono::milliseconds(5),
                                  .budget = std::chrono::milliseconds(300)},
                       .first_contact_wait = std::chrono::milliseconds(1),
                       .stall_limit = std::chrono::seconds(1)};

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;  // guarded by mutex_
  Answer answer_;
  network::TestServer server_{[this](const std::string& request) {
    {
      const std::scoped_lock lock(mutex_);
      requests_.push_back(request);
    }
    return answer_(request);
  }};
  network::HttpClient http_;
  std::optional<S3Client> client_;
};

}  // namespace metaflow::aws
