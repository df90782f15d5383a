#include "aws/s3_multipart.hpp"

#include <algorithm>
#include <deque>

#include <metaflow/error.hpp>

#include "aws/s3_call.hpp"
#include "aws/s3_xml.hpp"
#include "network/body.hpp"

namespace metaflow::aws {
namespace {

using network::FileRange;
using network::Response;

/// S3 takes at most 10,000 parts.
constexpr std::uint64_t shortest_part = 8 << 20, most_parts = 9000;

Pieces slice(const Pieces& pieces, std::uint64_t offset, std::uint64_t length) {
  Pieces part;
  for (std::size_t i = 0; i < pieces.count() && length > 0; ++i) {
    const auto piece = pieces.piece(i);
    const auto skipped = std::min<std::uint64_t>(offset, piece.size());
    const auto taken = std::min<std::uint64_t>(length, piece.size() - skipped);
    if (taken > 0) part.borrow(piece.subspan(skipped, taken));
    offset -= skipped;
    length -= taken;
  }
  return part;
}

/// CreateMultipartUpload.
class BeginCall final : public S3Call {
 public:
  BeginCall(S3Session& s3, const S3Put& value)
      : S3Call(s3, "PutObject",
               {.method = "POST",
                .place = value.place,
                .query = {{"uploads", ""}},
                .headers = headers_of(value, s3.settings())}) {}
  const std::string& upload() const { return upload_; }

 private:
  Next succeeded(Response response) override {
    upload_ = read_upload_id(response.body.text());
    return over;
  }

  std::string upload_;
};

class PartCall final : public S3Call {
 public:
  PartCall(S3Session& session, const S3Put& value, const std::string& upload, std::size_t part_number,
           std::uint64_t offset, std::uint64_t length)
      : S3Call(session, "PutObject",
               {.method = "PUT",
                .place = value.place,
                .query = {{"partNumber", std::to_string(part_number)}, {"uploadId", upload}}}) {
    if (const auto* file = std::get_if<FileRange>(&value.body)) {
      request_.body = FileRange{file->descriptor, file->offset + offset, length};
    } else {
      bytes_ = slice(*std::get<const Pieces*>(value.body), offset, length);
      request_.body = &bytes_;
    }
  }
  const std::string& etag() const { return etag_; }

 private:
  Next succeeded(Response response) override {
    etag_ = response.header("etag").value_or("");
    return etag_.empty() ? try_again("the answer to a part has no ETag") : over;
  }

  Pieces bytes_;
  std::string etag_;
};

/// CompleteMultipartUpload, which says 200 before it knows.
class EndCall final : public S3Call {
 public:
  EndCall(S3Session& s3, const S3Put& value, const std::string& upload, std::span<const std::string> etags)
      : S3Call(s3, "PutObject", {.method = "POST", .place = value.place, .query = {{"uploadId", upload}}}),
        size_(network::BodyReader(value.body).size()),
        is_conditional_(value.condition == S3Condition::if_absent) {
    request_.headers = {{"content-type", "application/xml"}};
    if (is_conditional_ && s3.has_conditional_put()) request_.headers.emplace_back("if-none-match", "*");
    body_.own(completion_xml(etags));
    request_.body = &body_;
  }
  /// Whether the parts are an object now, and so are gone.
  bool was_written() const { return was_written_; }

 private:
  Next succeeded(Response response) override {
    if (request_.method == "HEAD") return look_at(response);
    const auto error = read_error(response);
    if (!error.code.empty()) return refused(error, response);
    was_written_ = true;
    return over;
  }

  Next refused(const ServiceError& error, const Response& response) override {
    if (error.kind == Refusal::transient || error.status == 409) return try_again(error.sentence());
    if (is_conditional_ && (error.status == 412 || error.code == "PreconditionFailed")) return over;
    // The upload is gone after an attempt whose end we did not see: that one may have made the object.
    if (error.code == "NoSuchUpload" && is_repeated()) {
      request_ = {.method = "HEAD", .place = request_.place};
      return at_once;
    }
    return S3Call::refused(error, response);
  }

  Next look_at(const Response& response) {
    const auto length = response.header("content-length");
    if (length != std::to_string(size_))
      throw Error(ErrorCode::unavailable, "The parts of " + request_.place.url() +
                                              " are gone from S3, and it holds something else. Try again.");
    was_written_ = true;
    return over;
  }

  Pieces body_;
  std::uint64_t size_;
  bool is_conditional_, was_written_ = false;
};

class AbortCall final : public S3Call {
 public:
  AbortCall(S3Session& session, const S3Place& place, const std::string& upload)
      : S3Call(session, "AbortMultipartUpload", {.method = "DELETE", .place = place, .query = {{"uploadId", upload}}}) {
  }

 private:
  Next succeeded(Response) override { return over; }
  /// What cannot be removed is left to the bucket's rules for lost uploads.
  Next refused(const ServiceError&, const Response&) override { return over; }
};

/// All of the uploads, in three rounds: begin, send, end.
class Uploads {
 public:
  Uploads(S3Session& session, std::span<const S3Put* const> values) : session_(session), values_(values) {}

  void begin() {
    perform(begun_, [this](const S3Put& value) { begun_.emplace_back(session_, value); });
  }
  void send() {
    auto next = begun_.begin();
    perform(parts_, [&](const S3Put& value) { add_parts(value, next++->upload()); });
  }
  void end() {
    auto next = begun_.begin();
    auto part = parts_.begin();
    perform(ended_, [&](const S3Put& value) {
      std::vector<std::string> etags;
      for (auto left = part_count(value); left > 0; --left) etags.push_back(part++->etag());
      ended_.emplace_back(session_, value, next++->upload(), etags);
    });
  }
  /// Removes the parts of all that have not become objects.
  void abort() noexcept {
    try {
      std::deque<AbortCall> aborts;
      std::vector<network::Exchange*> calls;
      for (std::size_t i = 0; i < begun_.size(); ++i) {
        const bool is_open = !begun_[i].upload().empty() && (i >= ended_.size() || !ended_[i].was_written());
        if (is_open) calls.push_back(&aborts.emplace_back(session_, values_[i]->place, begun_[i].upload()));
      }
      session_.http().perform(calls);
    } catch (const Error&) {
      // The first failure is the one to be told.
    }
  }
  std::vector<bool> written() const {
    std::vector<bool> written;
    for (const auto& call : ended_) written.push_back(call.was_written());
    return written;
  }

 private:
  static std::uint64_t size_of(const S3Put& value) { return network::BodyReader(value.body).size(); }
  static std::uint64_t part_size(const S3Put& value) {
    return std::max(shortest_part, (size_of(value) + most_parts - 1) / most_parts);
  }
  static std::uint64_t part_count(const S3Put& value) {
    return (size_of(value) + part_size(value) - 1) / part_size(value);
  }

  void add_parts(const S3Put& value, const std::string& upload) {
    const auto size = size_of(value), step = part_size(value);
    std::size_t part_number = 0;
    for (std::uint64_t offset = 0; offset < size; offset += step)
      parts_.emplace_back(session_, value, upload, ++part_number, offset, std::min(step, size - offset));
  }

  template <class Call, class Add>
  void perform(std::deque<Call>& round, Add add) {
    for (const auto* value : values_) add(*value);
    std::vector<network::Exchange*> calls;
    for (auto& call : round) calls.push_back(&call);
    session_.http().perform(calls);
  }

  S3Session& session_;
  std::span<const S3Put* const> values_;
  std::deque<BeginCall> begun_;
  std::deque<PartCall> parts_;
  std::deque<EndCall> ended_;
};

}  // namespace

TextPairs headers_of(const S3Put& value, const S3Settings& settings) {
  TextPairs headers;
  if (!value.content_type.empty()) headers.emplace_back("content-type", value.content_type);
  if (!settings.encryption.empty()) headers.emplace_back("x-amz-server-side-encryption", settings.encryption);
  for (const auto& [name, text] : value.metadata) headers.emplace_back("x-amz-meta-" + name, text);
  return headers;
}

std::vector<bool> put_in_parts(S3Session& session, std::span<const S3Put* const> values) {
  if (values.empty()) return {};
  Uploads uploads(session, values);
  try {
    uploads.begin();
    uploads.send();
    uploads.end();
  } catch (...) {
    uploads.abort();
    throw;
  }
  auto written = uploads.written();
  if (std::ranges::find(written, false) != written.end()) uploads.abort();
  return written;
}

}  // namespace metaflow::aws
