#include "aws/s3_read.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <deque>

#include <unistd.h>

#include <metaflow/error.hpp>

#include <fmt/format.h>

#include "aws/s3_call.hpp"
#include "base/system_error.hpp"

namespace metaflow::aws {
namespace {

using network::FilePlace;
using network::Response;

/// What one request reads at most: enough to fill a connection, and small objects come at once.
constexpr std::uint64_t part_size = 8 << 20;
/// How often an object is read anew that is replaced while it is read.
constexpr int most_rounds = 3;

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// `bytes 0-99/1234`, or `bytes */1234` for a range that is none.
struct ContentRange {
  std::uint64_t begin = 0, end = 0, total = 0;
};
std::optional<ContentRange> content_range(const Response& response) {
  const auto text = response.header("content-range");
  if (!text) return std::nullopt;
  const auto slash = text->find('/'), dash = text->find('-');
  if (!text->starts_with("bytes ") || slash == text->npos) return std::nullopt;
  ContentRange range{.total = number(text->substr(slash + 1))};
  if (dash != text->npos && dash < slash) {
    range.begin = number(text->substr(6));
    range.end = number(text->substr(dash + 1)) + 1;
  }
  return range;
}

class HeadCall final : public S3ReadCall {
 public:
  HeadCall(S3Session& session, const S3Place& place)
      : S3ReadCall(session, "GetObject", {.method = "HEAD", .place = place}) {}
  std::optional<S3ObjectInfo> take() { return std::move(info_); }

 private:
  Next found(Response response) override {
    info_ = read_object_info(response);
    return over;
  }
  Next missing() override { return over; }

  std::optional<S3ObjectInfo> info_;
};

/// Where the bytes of one operation go.
class Destination {
 public:
  Destination(const network::Sink& into, std::string url) : into_(into), url_(std::move(url)) {}

  bool is_buffer() const { return std::holds_alternative<std::monostate>(into_); }
  /// Gets ready for `size` bytes, of which `bytes` are the first, unless they are there already.
  void prepare(std::uint64_t size, std::span<const std::byte> bytes) {
    require_room(size);
    if (is_buffer()) buffer_ = Buffer(size);
    write(0, bytes);
  }
  void require_room(std::uint64_t size) const {
    if (!has_room(size))
      throw Error(ErrorCode::invalid,
                  fmt::format("{} has {} bytes, more than the {} there is room for", url_, size, room_from(0)));
  }
  void write(std::uint64_t offset, std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    require_room(offset + bytes.size());
    if (const auto* file = std::get_if<FilePlace>(&into_)) return write_file(*file, offset, bytes);
    std::memcpy(memory().data() + offset, bytes.data(), bytes.size());
  }
  bool has_room(std::uint64_t size) const { return size <= room_from(0); }
  /// For a request to write `size` bytes from `offset` on by itself.
  network::Sink part(std::uint64_t offset, std::uint64_t size) {
    if (const auto* file = std::get_if<FilePlace>(&into_))
      return FilePlace{file->descriptor, file->offset + offset, std::min(size, room_from(offset))};
    return memory().subspan(std::min<std::uint64_t>(offset, memory().size()), std::min(size, room_from(offset)));
  }
  void keep(Buffer bytes) { buffer_ = std::move(bytes); }
  Buffer take() { return std::move(buffer_); }

 private:
  std::span<std::byte> memory() { return is_buffer() ? buffer_.span() : std::get<std::span<std::byte>>(into_); }
  std::uint64_t room_from(std::uint64_t offset) const {
    std::uint64_t room = UINT64_MAX;
    if (const auto* file = std::get_if<FilePlace>(&into_)) room = file->room;
    if (const auto* given = std::get_if<std::span<std::byte>>(&into_)) room = given->size();
    return room - std::min(room, offset);
  }
  static void write_file(const FilePlace& file, std::uint64_t offset, std::span<const std::byte> bytes) {
    for (std::size_t done = 0; done < bytes.size();) {
      const auto count = ::pwrite(file.descriptor, bytes.data() + done, bytes.size() - done,
                                  static_cast<off_t>(file.offset + offset + done));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw system_error("cannot write what was received", errno);
      done += static_cast<std::size_t>(count);
    }
  }

  network::Sink into_;
  std::string url_;
  Buffer buffer_;
};

/// One GET of at most part_size bytes.
class GetCall final : public S3ReadCall {
 public:
  /// `etag` is that of the version wanted, if one is.
  GetCall(S3Session& session, const S3Place& place, std::uint64_t begin, std::uint64_t end, network::Sink sink,
          const std::string& etag = "")
      : S3ReadCall(session, "GetObject",
                   {.method = "GET",
                    .place = place,
                    .headers = {{"range", fmt::format("bytes={}-{}", begin, end - 1)}},
                    .sink = sink,
                    .wanted_status = 206}),
        begin_(begin),
        end_(end),
        is_rest_(!etag.empty()) {
    if (!etag.empty()) request_.headers.emplace_back("if-match", etag);
  }

  bool exists() const { return exists_; }
  /// There is another version by now.
  bool is_changed() const { return is_changed_; }
  /// The server knows of no ranges: `bytes` are all of the object.
  bool is_whole() const { return is_whole_; }
  const S3ObjectInfo& info() const { return info_; }
  std::uint64_t begin() const { return begin_; }
  std::uint64_t received() const { return received_; }
  /// What went into no sink.
  Buffer take() { return std::move(bytes_); }

 private:
  Next found(Response response) override {
    info_ = read_object_info(response);
    received_ = response.body_bytes;
    bytes_ = std::move(response.body);
    exists_ = true;
    if (request_.method == "HEAD") return over;
    is_whole_ = response.status != 206;
    if (is_whole_ && is_rest_) return try_again("the server sends all of the object instead of a part");
    if (is_whole_) {
      info_.size = received_;
      return over;
    }
    const auto range = content_range(response);
    const bool fits = range && range->begin == begin_ && range->end == std::min(end_, range->total) &&
                      range->end - range->begin == received_;
    if (!fits) return try_again("the answer is not the part of the object that was asked for");
    info_.size = range->total;
    return over;
  }
  Next missing() override {
    exists_ = false;
    return over;
  }
  Next refused_to_read(const ServiceError& error, const Response& response) override {
    if (error.kind == Refusal::conflict) {
      is_changed_ = true;
      return over;
    }
    if (error.kind != Refusal::range) return S3Call::refused(error, response);
    if (begin_ == 0) {  // It is empty. Without a range all that is known of it comes along.
      std::erase_if(request_.headers, [](const auto& header) { return header.first == "range"; });
      return at_once;
    }
    if (const auto range = content_range(response)) {
      exists_ = true;
      info_.size = range->total;
      return over;
    }
    request_.method = "HEAD";
    request_.headers.clear();
    return at_once;
  }

  std::uint64_t begin_, end_, received_ = 0;
  bool is_rest_;  // of a version of which a part is there
  bool exists_ = false, is_changed_ = false, is_whole_ = false;
  S3ObjectInfo info_;
  Buffer bytes_;
};

/// One operation: a first request that tells how much there is, then, if that was not all, many for the rest.
class Reading {
 public:
  Reading(S3Session& session, const S3Get& wanted)
      : session_(session),
        wanted_(wanted),
        range_(wanted.range.value_or(S3Range())),
        destination_(wanted.into, wanted.place.url()) {}

  bool is_over() const { return is_over_; }

  /// Adds the requests that are to be made next.
  void add_calls(std::vector<network::Exchange*>& calls) {
    for (auto& call : next_calls()) calls.push_back(&call);
  }
  /// Once they are answered.
  void go_on() {
    if (is_first_) return take_first();
    const auto is_gone = [](const GetCall& call) { return call.is_changed() || !call.exists(); };
    if (std::ranges::any_of(calls_, is_gone)) return start_anew();
    is_over_ = true;
  }
  std::optional<S3Object> take() {
    if (!object_) return std::nullopt;
    object_->bytes = destination_.take();
    return std::move(object_);
  }

 private:
  std::uint64_t last_wanted() const {
    return range_.length && *range_.length < UINT64_MAX - range_.offset ? range_.offset + *range_.length : UINT64_MAX;
  }

  std::deque<GetCall>& next_calls() {
    calls_.clear();
    const auto begin = range_.offset;
    if (is_first_) {
      const auto size = std::clamp<std::uint64_t>(last_wanted() - begin, 1, part_size);
      const bool goes_there = !destination_.is_buffer() && range_.length != 0u && destination_.has_room(size);
      calls_.emplace_back(session_, wanted_.place, begin, begin + size,
                          goes_there ? destination_.part(0, size) : network::Sink());
      return calls_;
    }
    const auto end = begin + object_->read;
    for (auto place = begin + part_size; place < end; place += part_size) {
      const auto part_end = std::min(place + part_size, end);
      calls_.emplace_back(session_, wanted_.place, place, part_end, destination_.part(place - begin, part_end - place),
                          object_->info.etag);
    }
    return calls_;
  }

  void take_first() {
    auto& first = calls_.front();
    is_over_ = true;
    if (!first.exists()) return;
    object_ = S3Object{.info = first.info()};
    const auto begin = std::min(range_.offset, object_->info.size);
    object_->read = std::min(last_wanted(), object_->info.size) - begin;
    if (range_.length == 0u) return;
    auto bytes = first.take();
    if (first.is_whole()) return destination_.prepare(object_->read, bytes.span().subspan(begin, object_->read));
    if (destination_.is_buffer() && object_->read <= part_size) return destination_.keep(std::move(bytes));
    destination_.prepare(object_->read, bytes.span());
    is_first_ = is_over_ = object_->read <= part_size;
  }

  void start_anew() {
    if (++rounds_ == most_rounds)
      throw Error(ErrorCode::unavailable,
                  fmt::format("{} was replaced again and again while it was read. Try again once nobody writes it.",
                              wanted_.place.url()));
    object_.reset();
    is_first_ = true;
  }

  S3Session& session_;
  const S3Get& wanted_;
  const S3Range range_;
  Destination destination_;
  std::deque<GetCall> calls_;
  std::optional<S3Object> object_;
  bool is_first_ = true, is_over_ = false;
  int rounds_ = 0;
};

}  // namespace

S3ObjectInfo read_object_info(const Response& response) {
  constexpr std::string_view user = "x-amz-meta-";
  S3ObjectInfo info;
  for (const auto& [name, value] : response.headers) {
    if (name == "content-length") info.size = number(value);
    if (name == "etag") info.etag = value;
    if (name == "content-type") info.content_type = value;
    if (name == "x-amz-server-side-encryption") info.encryption = value;
    if (name == "last-modified") info.modified_s = network::read_http_date(value).value_or(0);
    if (name.starts_with(user)) info.metadata.insert_or_assign(name.substr(user.size()), value);
  }
  return info;
}

std::vector<std::optional<S3ObjectInfo>> head_all(S3Session& session, std::span<const S3Place> places) {
  std::deque<HeadCall> heads;
  std::vector<network::Exchange*> calls;
  for (const auto& place : places) calls.push_back(&heads.emplace_back(session, place));
  session.http().perform(calls);
  std::vector<std::optional<S3ObjectInfo>> infos;
  for (auto& head : heads) infos.push_back(head.take());
  return infos;
}

std::vector<std::optional<S3Object>> get_all(S3Session& session, std::span<const S3Get> wanted) {
  std::deque<Reading> readings;
  std::vector<Reading*> open;
  for (const auto& get : wanted) open.push_back(&readings.emplace_back(session, get));
  while (!open.empty()) {
    std::vector<network::Exchange*> calls;
    for (auto* reading : open) reading->add_calls(calls);
    session.http().perform(calls);
    for (auto* reading : open) reading->go_on();
    std::erase_if(open, [](const Reading* reading) { return reading->is_over(); });
  }
  std::vector<std::optional<S3Object>> objects;
  for (auto& reading : readings) objects.push_back(reading.take());
  return objects;
}

}  // namespace metaflow::aws
