#include "network/http_client.hpp"

#include <atomic>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <metaflow/error.hpp>

#include "network/test_server.hpp"

namespace metaflow::network {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;
using Reply = TestServer::Reply;
using After = Reply::After;

/// Sends back what it gets.
Reply echo(const std::string& request) { return {ok(request)}; }

std::string bytes_of_size(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
  return bytes;
}

FileDescriptor file_in_memory(const std::string& bytes = "") {
  FileDescriptor file(::memfd_create("body", MFD_CLOEXEC));
  write_all(file.get(), bytes, "memory");
  return file;
}

Request request_to(std::string url) {
  Request request;
  request.url = std::move(url);
  return request;
}

TEST(HttpClient, SendsTheRequestAsItStandsAndReadsTheAnswer) {
  TestServer server([](const std::string& request) { return Reply{ok(request, "X-Amz-Id: 7 \r\nEmpty:\r\n")}; });
  HttpClient client;
  auto request = request_to(server.url("/a/./b//../c%2Bd?x=%20"));
  request.headers = {{"X-One", "1"}, {"X-Empty", ""}};
  const auto response = client.perform(std::move(request));
  EXPECT_EQ(response.problem, Problem::none);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("x-amz-id"), "7");
  EXPECT_EQ(response.header("empty"), "");
  EXPECT_EQ(response.header("x-none"), std::nullopt);
  const std::string seen(response.body.text());
  EXPECT_THAT(seen, testing::StartsWith("GET /a/./b//../c%2Bd?x=%20 HTTP/1.1\r\n"));
  EXPECT_THAT(seen, HasSubstr("X-One: 1\r\nX-Empty:\r\n"));
  for (const auto* unwanted : {"Accept:", "Content-Type", "User-Agent", "Content-Length"})
    EXPECT_THAT(seen, Not(HasSubstr(unwanted)));
}

TEST(HttpClient, SendsPiecesAsOneBody) {
  TestServer server(echo);
  HttpClient client;
  const auto large = bytes_of_size(3 << 20);
  Pieces body;
  body.own("head ");
  body.borrow(std::as_bytes(std::span(large)));
  body.own(" tail");
  auto request = request_to(server.url());
  request.method = "PUT";
  request.body = &body;
  const auto response = client.perform(std::move(request));
  EXPECT_TRUE(response.body.text().ends_with("\r\n\r\nhead " + large + " tail"));
}

TEST(HttpClient, SendsPartOfAFile) {
  TestServer server(echo);
  HttpClient client;
  const auto file = file_in_memory("0123456789");
  auto request = request_to(server.url());
  request.method = "POST";
  request.body = FileRange{file.get(), 2, 5};
  EXPECT_TRUE(client.perform(std::move(request)).body.text().ends_with("\r\n\r\n23456"));
}

TEST(HttpClient, AnEmptyBodyHasALengthToo) {
  TestServer server(echo);
  HttpClient client;
  const Pieces nothing;
  auto request = request_to(server.url());
  request.method = "PUT";
  request.body = &nothing;
  EXPECT_THAT(std::string(client.perform(std::move(request)).body.text()), HasSubstr("Content-Length: 0\r\n"));
}

TEST(HttpClient, PutsABodyIntoAFileAtItsPlace) {
  const auto content = bytes_of_size(1 << 20);
  TestServer server([&](const std::string&) { return Reply{ok(content)}; });
  HttpClient client;
  const auto file = file_in_memory();
  auto request = request_to(server.url());
  request.sink = FilePlace{file.get(), 100, content.size()};
  const auto response = client.perform(std::move(request));
  EXPECT_EQ(response.body.size(), 0U);
  EXPECT_EQ(response.body_bytes, content.size());
  std::string found(content.size(), '\0');
  EXPECT_EQ(::pread(file.get(), found.data(), found.size(), 100), static_cast<ssize_t>(content.size()));
  EXPECT_EQ(found, content);
}

TEST(HttpClient, WritesOnlyABodyOfTheWantedStatusIntoTheSink) {
  TestServer server(
      [](const std::string&) { return Reply{"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone"}; });
  HttpClient client;
  std::array<std::byte, 2> memory{};
  auto request = request_to(server.url());
  request.sink = std::span<std::byte>(memory);
  const auto response = client.perform(std::move(request));
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body.text(), "none");
}

TEST(HttpClient, ABodyLongerThanItsRoomIsAProblemAndNothingIsWrittenBehindIt) {
  TestServer server([](const std::string&) { return Reply{ok("12345")}; });
  HttpClient client;
  std::array<char, 6> memory{'.', '.', '.', '.', '.', '.'};
  auto request = request_to(server.url());
  request.sink = std::as_writable_bytes(std::span(memory).first(4));
  const auto response = client.perform(std::move(request));
  EXPECT_EQ(response.problem, Problem::wrong_length);
  EXPECT_THAT(response.reason, HasSubstr("longer than the 4 bytes expected"));
  EXPECT_EQ(memory[4], '.');
}

TEST(HttpClient, AHeadRequestHasNoBody) {
  TestServer server([](const std::string&) { return Reply{"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"}; });
  HttpClient client;
  auto request = request_to(server.url());
  request.method = "HEAD";
  const auto response = client.perform(std::move(request));
  EXPECT_EQ(response.problem, Problem::none);
  EXPECT_EQ(response.header("content-length"), "1000");
}

TEST(HttpClient, FollowsNoRedirect) {
  TestServer server([](const std::string&) {
    return Reply{"HTTP/1.1 307 Temporary Redirect\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"};
  });
  HttpClient client;
  const auto response = client.perform(request_to(server.url()));
  EXPECT_EQ(response.status, 307);
  EXPECT_EQ(response.header("location"), "/other");
}

TEST(HttpClient, KeepsConnectionsBetweenCalls) {
  TestServer server(echo);
  HttpClient client;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(client.perform(request_to(server.url())).status, 200);
  EXPECT_EQ(server.connections(), 1);
}

/// Asks for `url` until the status is 200, after waits of a millisecond.
struct Repeated final : Exchange {
  explicit Repeated(std::string where) : url(std::move(where)) {}
  Request request() override {
    ++attempts;
    return request_to(url);
  }
  std::optional<milliseconds> answered(Response response) override {
    if (response.status != 200) return milliseconds(1);
    answer = std::move(response);
    return std::nullopt;
  }
  std::string url;
  int attempts = 0;
  Response answer;
};

TEST(HttpClient, PerformsManyAtATimeUpToTheLimit) {
  std::atomic<int> now = 0, most = 0;
  TestServer server([&](const std::string& request) {
    const int here = ++now;
    for (int seen = most; here > seen && !most.compare_exchange_weak(seen, here);) continue;
    --now;
    return Reply{ok(request)};
  });
  HttpClient client({.most_at_a_time = 8});
  std::vector<std::unique_ptr<Repeated>> all;
  std::vector<Exchange*> exchanges;
  for (int i = 0; i < 200; ++i) {
    all.push_back(std::make_unique<Repeated>(server.url("/" + std::to_string(i))));
    exchanges.push_back(all.back().get());
  }
  client.perform(exchanges);
  for (int i = 0; i < 200; ++i)
    EXPECT_THAT(std::string(all[i]->answer.body.text()), testing::StartsWith("GET /" + std::to_string(i) + " "));
  EXPECT_LE(most, 8);
  EXPECT_LE(server.connections(), 8);
}

TEST(HttpClient, AnExchangeIsRepeatedAsOftenAsItAsks) {
  std::atomic<int> asked = 0;
  TestServer server([&](const std::string&) {
    return ++asked < 4 ? Reply{"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"} : Reply{ok("done")};
  });
  HttpClient client;
  Repeated exchange(server.url());
  Exchange* const exchanges[] = {&exchange};
  client.perform(exchanges);
  EXPECT_EQ(exchange.attempts, 4);
  EXPECT_EQ(exchange.answer.body.text(), "done");
}

TEST(HttpClient, SeveralThreadsMayCall) {
  TestServer server(echo);
  HttpClient client;
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] {
        for (int j = 0; j < 25; ++j) good += client.perform(request_to(server.url())).status == 200 ? 1 : 0;
      });
  }
  EXPECT_EQ(good, 100);
}

TEST(HttpClient, AForkedChildMakesConnectionsOfItsOwn) {
  TestServer server(echo);
  HttpClient client;
  EXPECT_EQ(client.perform(request_to(server.url())).status, 200);
  const auto child = ::fork();
  if (child == 0) ::_exit(client.perform(request_to(server.url())).status == 200 ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(client.perform(request_to(server.url())).status, 200);
  EXPECT_EQ(server.connections(), 2);
}

// What goes wrong

TEST(HttpClientProblem, NobodyListens) {
  std::string url;
  {
    TestServer gone(echo);
    url = gone.url();
  }
  HttpClient client;
  const auto response = client.perform(request_to(url));
  EXPECT_EQ(response.problem, Problem::refused);
  EXPECT_THAT(response.reason, HasSubstr("127.0.0.1"));
}

TEST(HttpClientProblem, NoSuchHost) {
  HttpClient client;
  EXPECT_EQ(client.perform(request_to("http://no-such-host.invalid/")).problem, Problem::no_such_host);
}

TEST(HttpClientProblem, AConnectionIsReset) {
  TestServer server([](const std::string&) { return Reply{"", After::reset}; });
  HttpClient client;
  EXPECT_EQ(client.perform(request_to(server.url())).problem, Problem::reset);
}

TEST(HttpClientProblem, ABodyEndsEarly) {
  for (const auto after : {After::close, After::reset}) {
    TestServer server([&](const std::string&) {
      return Reply{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123", after};
    });
    HttpClient client;
    const auto response = client.perform(request_to(server.url()));
    EXPECT_EQ(response.problem, Problem::wrong_length);
    EXPECT_EQ(response.status, 200);
  }
}

TEST(HttpClientProblem, TheServerStalls) {
  TestServer server([](const std::string&) {
    return Reply{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123", After::hang};
  });
  HttpClient client;
  auto request = request_to(server.url());
  request.stall_limit = seconds(1);
  EXPECT_EQ(client.perform(std::move(request)).problem, Problem::timeout);
}

TEST(HttpClientProblem, TheWholeTakesTooLong) {
  TestServer server([](const std::string&) { return Reply{"", After::hang}; });
  HttpClient client;
  auto request = request_to(server.url());
  request.total_limit = milliseconds(50);
  EXPECT_EQ(client.perform(std::move(request)).problem, Problem::timeout);
}

TEST(HttpClientProblem, NoTlsOnTheOtherSide) {
  TestServer server(echo, "220 something else\r\n");
  HttpClient client;
  EXPECT_EQ(client.perform(request_to("https" + server.url().substr(4))).problem, Problem::tls);
}

TEST(HttpClientProblem, AHeaderThatWouldBringAnotherOneIsRefused) {
  HttpClient client;
  auto request = request_to("http://127.0.0.1:1/");
  request.headers = {{"X-One", "1\r\nX-Two: 2"}};
  EXPECT_THROW(client.perform(std::move(request)), Error);
}

// Stopping

ErrorCode code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::internal;
}

TEST(HttpClientStop, ADescriptorEndsATransferThatHangs) {
  FileDescriptor stop(::eventfd(0, EFD_CLOEXEC));
  TestServer server([&](const std::string&) {
    const std::uint64_t one = 1;
    EXPECT_EQ(::write(stop.get(), &one, sizeof one), 8);
    return Reply{"", After::hang};
  });
  HttpClient client({.stop = {.descriptor = stop.get()}});
  EXPECT_EQ(code_of([&] { client.perform(request_to(server.url())); }), ErrorCode::cancelled);
}

TEST(HttpClientStop, APredicateEndsASleep) {
  std::atomic<int> asked = 0;
  HttpClient client({.stop = {.wanted = [&] { return ++asked > 1; }}});
  EXPECT_EQ(code_of([&] { client.sleep(seconds(100)); }), ErrorCode::cancelled);
}

TEST(HttpClientStop, AClientThatWasStoppedWorksAgain) {
  std::atomic<bool> wanted = true;
  TestServer server(echo);
  HttpClient client({.stop = {.wanted = [&] { return wanted.load(); }}});
  EXPECT_EQ(code_of([&] { client.perform(request_to(server.url())); }), ErrorCode::cancelled);
  wanted = false;
  EXPECT_EQ(client.perform(request_to(server.url())).status, 200);
}

TEST(HttpClientStop, ASleepEndsByItself) {
  HttpClient client;
  const auto start = std::chrono::steady_clock::now();
  client.sleep(milliseconds(20));
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(20));
}

// Proxies

TEST(Proxies, SmallLettersComeFirstAndAllStandsInForBoth) {
  const auto proxies =
      proxies_of({{"http_proxy", "small"}, {"HTTP_PROXY", "large"}, {"ALL_PROXY", "all"}, {"NO_PROXY", "x"}});
  EXPECT_EQ(proxies.http, "small");
  EXPECT_EQ(proxies.https, "all");
  EXPECT_EQ(proxies.except, "x");
}

TEST(Proxies, AreAskedForTheWholeUrl) {
  TestServer proxy(echo);
  HttpClient client({.proxies = {.http = proxy.url()}});
  EXPECT_THAT(std::string(client.perform(request_to("http://example.invalid/x")).body.text()),
              testing::StartsWith("GET http://example.invalid/x HTTP/1.1"));
}

TEST(Proxies, AreNotUsedForHostsThatAreExcepted) {
  TestServer proxy(echo), server(echo);
  HttpClient client({.proxies = {.http = proxy.url(), .except = "127.0.0.1"}});
  EXPECT_EQ(client.perform(request_to(server.url())).status, 200);
  EXPECT_EQ(proxy.connections(), 0);
}

TEST(Proxies, AreNeverUsedForLinkLocalAddresses) {
  TestServer proxy(echo);
  HttpClient client({.proxies = {.http = proxy.url()}});
  auto request = request_to("http://169.254.0.1:1/");
  request.connect_limit = milliseconds(100);
  client.perform(std::move(request));  // some networks answer there
  EXPECT_EQ(proxy.connections(), 0);
}

}  // namespace
}  // namespace metaflow::network
