#include "network/http_client.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <deque>
#include <mutex>

#include <curl/curl.h>
#include <poll.h>
#include <unistd.h>

#include <metaflow/error.hpp>

#include "base/lower_case.hpp"
#include "base/system_error.hpp"

namespace metaflow::network {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

/// Once for the process, before any handle.
void start_curl() {
  static const auto outcome = ::curl_global_init(CURL_GLOBAL_DEFAULT);
  if (outcome != CURLE_OK) throw Error(ErrorCode::internal, "the HTTP library does not start");
}

struct FreeList {
  void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
};
using CurlList = std::unique_ptr<curl_slist, FreeList>;

void append(CurlList& list, const std::string& line) {
  auto* longer = ::curl_slist_append(list.get(), line.c_str());
  if (!longer) throw Error(ErrorCode::exhausted, "out of memory");
  (void)list.release();
  list.reset(longer);
}

/// A header of ours must not bring others along.
void check_header(const std::pair<std::string, std::string>& header) {
  const auto breaks = [](const std::string& text) {
    return text.find_first_of(std::string_view("\r\n\0", 3)) != text.npos;
  };
  if (header.first.empty() || header.first.find(':') != std::string::npos || breaks(header.first) ||
      breaks(header.second))
    throw Error(ErrorCode::invalid,
                "'" + header.first + "' is no HTTP header that can be sent: it holds a line break or colon");
}

CurlList header_list(const Headers& headers) {
  CurlList list;
  // What curl would add by itself is part of no signature.
  append(list, "Accept:");
  append(list, "Content-Type:");
  for (const auto& header : headers) {
    check_header(header);
    append(list, header.second.empty() ? header.first + ";" : header.first + ": " + header.second);
  }
  return list;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

/// A Buffer that grows as bytes come.
class GrowingBuffer {
 public:
  void reserve(std::size_t size) {
    if (size <= bytes_.size()) return;
    Buffer larger(size);
    if (used_ > 0) std::memcpy(larger.data(), bytes_.data(), used_);
    bytes_ = std::move(larger);
  }
  void append(std::span<const std::byte> bytes) {
    if (used_ + bytes.size() > bytes_.size()) reserve(std::max(used_ + bytes.size(), bytes_.size() * 2));
    std::memcpy(bytes_.data() + used_, bytes.data(), bytes.size());
    used_ += bytes.size();
  }
  Buffer take() {
    bytes_.truncate(used_);
    used_ = 0;
    return std::exchange(bytes_, {});
  }

 private:
  Buffer bytes_;
  std::size_t used_ = 0;
};

/// Hands out a request's body, from any place on.
class BodyReader {
 public:
  explicit BodyReader(const Body& body) : body_(&body) {}

  bool exists() const { return !std::holds_alternative<std::monostate>(*body_); }
  std::uint64_t size() const {
    if (const auto* pieces = std::get_if<const Pieces*>(body_)) return (*pieces)->size();
    if (const auto* file = std::get_if<FileRange>(body_)) return file->length;
    return 0;
  }
  void seek(std::uint64_t position) { position_ = position; }
  /// How many bytes were read; nothing, and the reason in errno, when the file refuses.
  std::optional<std::size_t> read(std::span<char> into) {
    const auto count = std::holds_alternative<FileRange>(*body_) ? read_file(into) : read_pieces(into);
    if (count) position_ += *count;
    return count;
  }

 private:
  std::optional<std::size_t> read_file(std::span<char> into) const {
    const auto& file = std::get<FileRange>(*body_);
    const auto wanted = std::min<std::uint64_t>(into.size(), file.length - position_);
    while (true) {
      const auto count = ::pread(file.descriptor, into.data(), wanted, static_cast<off_t>(file.offset + position_));
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno != EINTR) return std::nullopt;
    }
  }

  std::size_t read_pieces(std::span<char> into) const {
    const auto& pieces = *std::get<const Pieces*>(*body_);
    std::size_t copied = 0;
    auto skipped = position_;
    for (std::size_t i = 0; i < pieces.count() && copied < into.size(); ++i) {
      const auto piece = pieces.piece(i);
      if (skipped >= piece.size()) {
        skipped -= piece.size();
        continue;
      }
      const auto part = piece.subspan(skipped);
      const auto count = std::min(part.size(), into.size() - copied);
      std::memcpy(into.data() + copied, part.data(), count);
      copied += count;
      skipped = 0;
    }
    return copied;
  }

  const Body* body_;
  std::uint64_t position_ = 0;
};

Problem problem_of(CURLcode code, bool answer_began) {
  switch (code) {
    case CURLE_OK:
      return Problem::none;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return Problem::no_such_host;
    case CURLE_COULDNT_CONNECT:
      return Problem::refused;
    case CURLE_OPERATION_TIMEDOUT:
      return Problem::timeout;
    case CURLE_PARTIAL_FILE:
      return Problem::wrong_length;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
      return answer_began ? Problem::wrong_length : Problem::reset;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
      return Problem::tls;
    default:
      return Problem::other;
  }
}

std::string_view host_of(std::string_view url) {
  const auto scheme = url.find("://");
  auto rest = scheme == std::string_view::npos ? url : url.substr(scheme + 3);
  rest = rest.substr(0, rest.find_first_of("/?#"));
  return rest.substr(rest.find('@') == std::string_view::npos ? 0 : rest.find('@') + 1);
}

const std::string& proxy_for(std::string_view url, const Proxies& proxies) {
  static const std::string none;
  if (host_of(url).starts_with("169.254.")) return none;
  return url.starts_with("https:") ? proxies.https : proxies.http;
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

/// One request on its way: curl's handle for it, and where its answer goes.
class HttpClient::Handle {
 public:
  Handle() : easy_(::curl_easy_init()) {
    if (!easy_) throw Error(ErrorCode::exhausted, "out of memory");
  }
  ~Handle() { ::curl_easy_cleanup(easy_); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  CURL* easy() const { return easy_; }

  void begin(Request request, const HttpSettings& settings) {
    request_ = std::move(request);
    body_.emplace(request_.body);
    response_ = {};
    own_problem_.clear();
    detail_[0] = '\0';
    lines_ = header_list(request_.headers);
    ::curl_easy_reset(easy_);  // keeps connections
    set_what();
    set_how(settings);
  }

  Response end(CURLcode code) {
    response_.problem = problem_of(code, response_.status != 0);
    if (!own_problem_.empty()) {
      response_.problem = own_kind_;
      response_.reason = own_problem_;
    } else if (code != CURLE_OK) {
      response_.reason = detail_[0] != '\0' ? detail_ : ::curl_easy_strerror(code);
    }
    response_.body = received_.take();
    lines_.reset();
    return std::move(response_);
  }

 private:
  template <class T>
  void set(CURLoption option, T value) {
    if (::curl_easy_setopt(easy_, option, value) != CURLE_OK)
      throw Error(ErrorCode::invalid, "the HTTP library refuses '" + request_.method + " " + request_.url + "'");
  }

  void set_what() {
    set(CURLOPT_URL, request_.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_PATH_AS_IS, 1L);
    if (body_->exists()) {
      set(CURLOPT_UPLOAD, 1L);
      set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(body_->size()));
      set(CURLOPT_READFUNCTION, &Handle::read);
      set(CURLOPT_READDATA, this);
      set(CURLOPT_SEEKFUNCTION, &Handle::seek);
      set(CURLOPT_SEEKDATA, this);
    } else if (request_.method == "HEAD") {
      set(CURLOPT_NOBODY, 1L);
    }
    if (request_.method != "HEAD") set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    set(CURLOPT_HTTPHEADER, lines_.get());
    set(CURLOPT_WRITEFUNCTION, &Handle::write);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_HEADERFUNCTION, &Handle::take_header);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_ERRORBUFFER, detail_);
  }

  void set_how(const HttpSettings& settings) {
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TCP_NODELAY, 1L);
    set(CURLOPT_BUFFERSIZE, 256L * 1024);
    set(CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request_.connect_limit.count()));
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(request_.stall_limit.count()));
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(request_.total_limit.count()));
    // Also when empty: curl then does not look into the environment.
    set(CURLOPT_PROXY, proxy_for(request_.url, settings.proxies).c_str());
    set(CURLOPT_NOPROXY, settings.proxies.except.c_str());
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (!settings.ca_bundle.empty()) set(CURLOPT_CAINFO, settings.ca_bundle.c_str());
    if (!settings.verify_certificate) {
      set(CURLOPT_SSL_VERIFYPEER, 0L);
      set(CURLOPT_SSL_VERIFYHOST, 0L);
    }
  }

  static std::size_t read(char* into, std::size_t, std::size_t size, void* self) {
    return static_cast<Handle*>(self)->on_read({into, size});
  }
  static int seek(void* self, curl_off_t offset, int) {
    static_cast<Handle*>(self)->body_->seek(static_cast<std::uint64_t>(offset));
    return CURL_SEEKFUNC_OK;
  }
  static std::size_t write(char* bytes, std::size_t, std::size_t size, void* self) {
    return static_cast<Handle*>(self)->on_write(std::as_bytes(std::span(bytes, size))) ? size : 0;
  }
  static std::size_t take_header(char* line, std::size_t, std::size_t size, void* self) {
    static_cast<Handle*>(self)->on_header({line, size});
    return size;
  }

  bool fail(Problem kind, std::string words) {
    own_kind_ = kind;
    own_problem_ = std::move(words);
    return false;
  }

  std::size_t on_read(std::span<char> into) {
    const auto count = body_->read(into);
    if (count) return *count;
    fail(Problem::other, system_error("cannot read what is to be sent", errno).what());
    return CURL_READFUNC_ABORT;
  }

  bool on_write(std::span<const std::byte> bytes) {
    const auto begin = response_.body_bytes;
    response_.body_bytes += bytes.size();
    if (response_.status == request_.wanted_status) {
      if (const auto* file = std::get_if<FilePlace>(&request_.sink)) return write_file(*file, begin, bytes);
      if (const auto* memory = std::get_if<std::span<std::byte>>(&request_.sink))
        return write_memory(*memory, begin, bytes);
    }
    received_.append(bytes);
    return true;
  }

  bool has_room(std::uint64_t begin, std::uint64_t size, std::uint64_t room) {
    if (begin + size <= room) return true;
    return fail(Problem::wrong_length, "the answer is longer than the " + std::to_string(room) + " bytes expected");
  }

  bool write_memory(std::span<std::byte> memory, std::uint64_t begin, std::span<const std::byte> bytes) {
    if (!has_room(begin, bytes.size(), memory.size())) return false;
    std::memcpy(memory.data() + begin, bytes.data(), bytes.size());
    return true;
  }

  bool write_file(const FilePlace& file, std::uint64_t begin, std::span<const std::byte> bytes) {
    if (!has_room(begin, bytes.size(), file.room)) return false;
    for (std::size_t done = 0; done < bytes.size();) {
      const auto count = ::pwrite(file.descriptor, bytes.data() + done, bytes.size() - done,
                                  static_cast<off_t>(file.offset + begin + done));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return fail(Problem::other, system_error("cannot write what was received", errno).what());
      done += static_cast<std::size_t>(count);
    }
    return true;
  }

  void on_header(std::string_view line) {
    if (line.starts_with("HTTP/")) {  // also of an interim answer (100), whose place the next one takes
      response_.headers.clear();
      const auto space = line.find(' ');
      response_.status = 0;
      if (space != std::string_view::npos)
        std::from_chars(line.data() + space + 1, line.data() + line.size(), response_.status);
      return;
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return;
    response_.headers.emplace_back(lower_case(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
    if (response_.headers.back().first == "content-length") expect(response_.headers.back().second);
  }

  /// Memory for what is announced, within reason: a server may say anything.
  void expect(std::string_view length) {
    constexpr std::size_t most = 64 << 20;
    std::size_t size = 0;
    std::from_chars(length.data(), length.data() + length.size(), size);
    const bool goes_elsewhere =
        response_.status == request_.wanted_status && !std::holds_alternative<std::monostate>(request_.sink);
    if (!goes_elsewhere && request_.method != "HEAD") received_.reserve(std::min(size, most));
  }

  CURL* easy_;
  Request request_;
  std::optional<BodyReader> body_;
  CurlList lines_;
  Response response_;
  GrowingBuffer received_;
  Problem own_kind_ = Problem::none;
  std::string own_problem_;
  char detail_[CURL_ERROR_SIZE] = {};
};

/// What one call of perform works with: its own connections, and handles that are free.
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
    std::unique_ptr<Handle> handle;
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
    auto handle = take_handle();
    handle->begin(exchange->request(), settings);
    auto* easy = handle->easy();
    check(::curl_multi_add_handle(multi_, easy));
    running_.emplace(easy, Running{std::move(handle), exchange});
  }

  std::unique_ptr<Handle> take_handle() {
    if (free_.empty()) return std::make_unique<Handle>();
    auto handle = std::move(free_.back());
    free_.pop_back();
    return handle;
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
    auto response = running.handle->end(code);
    free_.push_back(std::move(running.handle));
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
  std::vector<std::unique_ptr<Handle>> free_;
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
