#include "network/transfer.hpp"

#include <algorithm>
#include <charconv>

#include <metaflow/error.hpp>

#include "base/system_error.hpp"
#include "base/text.hpp"
#include "network/body.hpp"

namespace metaflow::network {
namespace {

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

}  // namespace

class Transfer::State {
 public:
  State() : easy_(::curl_easy_init()) {
    if (!easy_) throw Error(ErrorCode::exhausted, "out of memory");
  }
  ~State() { ::curl_easy_cleanup(easy_); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

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
      set(CURLOPT_READFUNCTION, &State::read);
      set(CURLOPT_READDATA, this);
      set(CURLOPT_SEEKFUNCTION, &State::seek);
      set(CURLOPT_SEEKDATA, this);
    } else if (request_.method == "HEAD") {
      set(CURLOPT_NOBODY, 1L);
    }
    if (request_.method != "HEAD") set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    set(CURLOPT_HTTPHEADER, lines_.get());
    set(CURLOPT_WRITEFUNCTION, &State::write);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_HEADERFUNCTION, &State::take_header);
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
    return static_cast<State*>(self)->on_read({into, size});
  }
  static int seek(void* self, curl_off_t offset, int) {
    static_cast<State*>(self)->body_->seek(static_cast<std::uint64_t>(offset));
    return CURL_SEEKFUNC_OK;
  }
  static std::size_t write(char* bytes, std::size_t, std::size_t size, void* self) {
    return static_cast<State*>(self)->on_write(std::as_bytes(std::span(bytes, size))) ? size : 0;
  }
  static std::size_t take_header(char* line, std::size_t, std::size_t size, void* self) {
    static_cast<State*>(self)->on_header({line, size});
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

Transfer::Transfer() : state_(std::make_unique<State>()) {}

Transfer::~Transfer() = default;

CURL* Transfer::easy() const { return state_->easy(); }

void Transfer::begin(Request request, const HttpSettings& settings) { state_->begin(std::move(request), settings); }

Response Transfer::end(CURLcode code) { return state_->end(code); }

}  // namespace metaflow::network
