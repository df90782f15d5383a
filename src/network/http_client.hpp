#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <metaflow/buffer.hpp>

/// HTTP/1.1 as a client, many requests at a time in the calling thread.
namespace metaflow::network {

/// In the order of the wire.
using Headers = std::vector<std::pair<std::string, std::string>>;

/// Bytes of an open file, read while they are sent.
struct FileRange {
  int descriptor = -1;
  std::uint64_t offset = 0, length = 0;
};

/// Where in an open file a body goes, and how long it may be.
struct FilePlace {
  int descriptor = -1;
  std::uint64_t offset = 0, room = 0;
};

/// What is sent; both kinds stay valid and unchanged until the answer is there.
using Body = std::variant<std::monostate, const Pieces*, FileRange>;
/// Where a body goes that comes with the status `wanted_status`: into a Buffer of its own, a file, or memory of the caller.
using Sink = std::variant<std::monostate, FilePlace, std::span<std::byte>>;

struct Request {
  std::string method = "GET";
  /// As it goes on the wire: percent-encoded, and not normalised by us.
  std::string url;
  Headers headers;
  Body body = {};
  Sink sink = {};
  /// A body with any other status goes into `Response::body`, whatever the sink.
  int wanted_status = 200;
  /// For connection, TLS included.
  std::chrono::milliseconds connect_limit = std::chrono::seconds(10);
  /// How long nothing at all may come or go; whole seconds.
  std::chrono::seconds stall_limit = std::chrono::seconds(60);
  /// For everything; none when zero.
  std::chrono::milliseconds total_limit{0};
};

/// Why there is no complete answer.
enum class Problem {
  none,
  no_such_host,
  refused,  ///< nobody listens there, or there is no way there
  reset,    ///< the connection was lost before an answer began
  tls,
  timeout,
  wrong_length,  ///< the body ended early, or is longer than the sink's room
  other,
};

struct Response {
  Problem problem = Problem::none;
  /// In words, when there is a problem.
  std::string reason;
  /// 0 before any answer.
  int status = 0;
  Headers headers;  ///< names in lower case
  Buffer body;
  /// Length of the body, wherever it went.
  std::uint64_t body_bytes = 0;

  /// Nothing when there is no such header; `name` in lower case.
  std::optional<std::string_view> header(std::string_view name) const;
};

/// One request, made anew for each attempt. So each can be signed afresh, and retries of one do not hold up others.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual Request request() = 0;
  /// Takes what came of the last request. Nothing when that was all, else how long to wait before the next attempt.
  virtual std::optional<std::chrono::milliseconds> answered(Response response) = 0;
};

/// What ends waiting early: a descriptor that becomes readable, a predicate, or both.
struct Stop {
  int descriptor = -1;
  /// Asked after each event; alone also ten times a second.
  std::function<bool()> wanted = {};
};

/// Which proxy, as URL, for which scheme; empty for none. Never used for link-local addresses (169.254.*).
struct Proxies {
  std::string http = {}, https = {};
  /// Hosts reached without, in the form of NO_PROXY.
  std::string except = {};
};

using Environment = std::map<std::string, std::string>;
/// HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY in small or capital letters, small ones first.
Proxies proxies_of(const Environment& environment);

struct HttpSettings {
  /// File with the certificates to trust; empty for those of the system.
  std::string ca_bundle = {};
  bool verify_certificate = true;
  Proxies proxies = {};
  Stop stop = {};
  /// How many requests one call of perform has on the way at a time.
  std::size_t most_at_a_time = 64;
};

/// Keeps connections between calls. Follows no redirects, and repeats nothing by itself but what a kept connection lost before the server
/// can have read it. Safe to use from several threads; a forked child makes connections of its own.
class HttpClient {
 public:
  explicit HttpClient(HttpSettings settings = {});
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Returns when all are answered. Throws Error(cancelled) when told to stop, Error(invalid) for what is no request, and what an
  /// exchange throws; what is still on the way is dropped then.
  void perform(std::span<Exchange* const> exchanges);
  /// One attempt.
  Response perform(Request request);
  /// Waits, or throws Error(cancelled).
  void sleep(std::chrono::milliseconds duration);

 private:
  class Loop;
  struct Pool;

  HttpSettings settings_;
  std::unique_ptr<Pool> pool_;
};

}  // namespace metaflow::network
