#include "network/http_client.hpp"

#include <algorithm>
#include <deque>
#include <mutex>

#include <curl/curl.h>
#include <poll.h>
#include <unistd.h>

#include <metaflow/error.hpp>

#include "network/transfer.hpp"

namespace metaflow::network {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

/// Once for the process, before any handle.
void start_curl() {
  static const auto outcome = ::curl_global_init(CURL_GLOBAL_DEFAULT);
  if (outcome != CURLE_OK) throw Error(ErrorCode::internal, "the HTTP library does not start");
}

bool is_stopped(const Stop& stop) {
  if (stop.wanted && stop.wanted()) return true;
  if (stop.descriptor < 0) return false;
  pollfd watched{.fd = stop.descriptor, .events = POLLIN, .revents = 0};
  return ::poll(&watched, 1, 0) > 0;
}

}  // namespace

std::optional<std::string_view> Response::header(std::string_view name) const {
  const auto found = std::ranges::find(headers, name, &Headers::value_type::first);
  if (found == headers.end()) return std::nullopt;
  return found->second;
}

Proxies proxies_of(const Environment& environment) {
  const auto value = [&](const std::string& name) -> std::string {
    std::string capitals = name;
    for (auto& c : capitals)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    for (const auto& spelling : {name, capitals})
      if (const auto found = environment.find(spelling); found != environment.end() && !found->second.empty())
        return found->second;
    return {};
  };
  const auto all = value("all_proxy");
  const auto or_all = [&](std::string proxy) { return proxy.empty() ? all : proxy; };
  return {.http = or_all(value("http_proxy")), .https = or_all(value("https_proxy")), .except = value("no_proxy")};
}

/// What one call of perform works with: its own connections, and transfers that are free.
class HttpClient::Loop {
 public:
  Loop() : multi_(::curl_multi_init()) {
    if (!multi_) throw Error(ErrorCode::exhausted, "out of memory");
  }
  ~Loop() {
    drop_all();
    free_.clear();
    ::curl_multi_cleanup(multi_);
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void perform(std::span<Exchange* const> exchanges, const HttpSettings& settings) {
    ::curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(settings.most_at_a_time));
    ready_.assign(exchanges.begin(), exchanges.end());
    while (!ready_.empty() || !waiting_.empty() || !running_.empty()) {
      if (is_stopped(settings.stop)) throw Error(ErrorCode::cancelled, "stopped on request");
      take_due();
      while (!ready_.empty() && running_.size() < settings.most_at_a_time) start_next(settings);
      move_on();
      if (take_answers()) continue;
      wait(settings.stop);
    }
  }

  void sleep(milliseconds duration, const Stop& stop) {
    const auto end = SteadyClock::now() + duration;
    waiting_.emplace(end, nullptr);
    while (SteadyClock::now() < end) {
      if (is_stopped(stop)) throw Error(ErrorCode::cancelled, "stopped on request");
      wait(stop);
    }
    waiting_.clear();
  }

  /// After an exception: nothing of what was going on is left.
  void drop_all() {
    for (const auto& entry : running_) ::curl_multi_remove_handle(multi_, entry.first);
    running_.clear();
    ready_.clear();
    waiting_.clear();
  }

 private:
  struct Running {
    std::unique_ptr<Transfer> transfer;
    Exchange* exchange;
  };

  static void check(CURLMcode code) {
    if (code != CURLM_OK) throw Error(ErrorCode::internal, std::string("HTTP: ") + ::curl_multi_strerror(code));
  }

  void take_due() {
    const auto now = SteadyClock::now();
    while (!waiting_.empty() && waiting_.begin()->first <= now) {
      ready_.push_back(waiting_.begin()->second);
      waiting_.erase(waiting_.begin());
    }
  }

  void start_next(const HttpSettings& settings) {
    auto* exchange = ready_.front();
    ready_.pop_front();
    auto transfer = take_transfer();
    transfer->begin(exchange->request(), settings);
    auto* easy = transfer->easy();
    check(::curl_multi_add_handle(multi_, easy));
    running_.emplace(easy, Running{std::move(transfer), exchange});
  }

  std::unique_ptr<Transfer> take_transfer() {
    if (free_.empty()) return std::make_unique<Transfer>();
    auto transfer = std::move(free_.back());
    free_.pop_back();
    return transfer;
  }

  void move_on() {
    int left = 0;
    check(::curl_multi_perform(multi_, &left));
  }

  bool take_answers() {
    bool any = false;
    int left = 0;
    while (const auto* message = ::curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      any = true;
      take_answer(message->easy_handle, message->data.result);
    }
    return any;
  }

  void take_answer(CURL* easy, CURLcode code) {
    check(::curl_multi_remove_handle(multi_, easy));
    auto running = std::move(running_.at(easy));
    running_.erase(easy);
    auto response = running.transfer->end(code);
    free_.push_back(std::move(running.transfer));
    if (const auto again = running.exchange->answered(std::move(response)))
      waiting_.emplace(SteadyClock::now() + *again, running.exchange);
  }

  /// Until something happens, an exchange is due, or stopping may be wanted.
  void wait(const Stop& stop) {
    milliseconds limit = std::chrono::seconds(60);
    if (stop.wanted && stop.descriptor < 0) limit = milliseconds(100);
    if (!waiting_.empty()) {
      const auto till_due = waiting_.begin()->first - SteadyClock::now();
      limit = std::clamp(std::chrono::ceil<milliseconds>(till_due), milliseconds(0), limit);
    }
    curl_waitfd watched{.fd = stop.descriptor, .events = CURL_WAIT_POLLIN, .revents = 0};
    check(::curl_multi_poll(multi_, &watched, stop.descriptor >= 0 ? 1 : 0, static_cast<int>(limit.count()), nullptr));
  }

  CURLM* multi_;
  std::vector<std::unique_ptr<Transfer>> free_;
  std::map<CURL*, Running> running_;
  std::deque<Exchange*> ready_;
  std::multimap<SteadyClock::time_point, Exchange*> waiting_;
};

/// Loops that nobody uses, the last used on top, as its connections are the freshest.
struct HttpClient::Pool {
  std::mutex mutex;
  std::vector<std::unique_ptr<Loop>> idle;  // guarded by mutex
  pid_t owner = ::getpid();                 // guarded by mutex

  std::unique_ptr<Loop> borrow() {
    const std::scoped_lock lock(mutex);
    if (owner != ::getpid()) {
      // Of a parent: to close its connections would say good-bye on them. They are left alone.
      for (auto& loop : idle) (void)loop.release();
      idle.clear();
      owner = ::getpid();
    }
    if (idle.empty()) return std::make_unique<Loop>();
    auto loop = std::move(idle.back());
    idle.pop_back();
    return loop;
  }

  void give_back(std::unique_ptr<Loop> loop) {
    loop->drop_all();
    const std::scoped_lock lock(mutex);
    idle.push_back(std::move(loop));
  }

  /// Runs `job(loop)`, whatever comes of it.
  template <class Job>
  void with_loop(Job job) {
    auto loop = borrow();
    try {
      job(*loop);
    } catch (...) {
      give_back(std::move(loop));
      throw;
    }
    give_back(std::move(loop));
  }
};

HttpClient::HttpClient(HttpSettings settings) : settings_(std::move(settings)) {
  start_curl();
  pool_ = std::make_unique<Pool>();
}

HttpClient::~HttpClient() {
  if (pool_->owner != ::getpid()) (void)pool_.release();  // see Pool::borrow
}

void HttpClient::perform(std::span<Exchange* const> exchanges) {
  pool_->with_loop([&](Loop& loop) { loop.perform(exchanges, settings_); });
}

Response HttpClient::perform(Request request) {
  struct Once final : Exchange {
    network::Request request() override { return std::move(wanted); }
    std::optional<milliseconds> answered(Response response) override {
      answer = std::move(response);
      return std::nullopt;
    }
    network::Request wanted;
    Response answer;
  } once;
  once.wanted = std::move(request);
  Exchange* const exchanges[] = {&once};
  perform(exchanges);
  return std::move(once.answer);
}

void HttpClient::sleep(milliseconds duration) {
  pool_->with_loop([&](Loop& loop) { loop.sleep(duration, settings_.stop); });
}

}  // namespace metaflow::network
