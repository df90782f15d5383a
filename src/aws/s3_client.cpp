#include "aws/s3_client.hpp"

#include <deque>

#include "aws/s3_call.hpp"
#include "aws/s3_read.hpp"
#include "aws/s3_write.hpp"
#include "aws/s3_xml.hpp"

namespace metaflow::aws {
namespace {

/// All pages of one listing, one after another.
class ListCall final : public S3Call {
 public:
  ListCall(S3Session& session, const S3List& wanted)
      : S3Call(session, "ListBucket", {.method = "GET", .place = {wanted.prefix.bucket}}),
        query_({{"list-type", "2"}, {"encoding-type", "url"}}) {
    if (!wanted.prefix.key.empty()) query_.emplace_back("prefix", wanted.prefix.key);
    if (!wanted.delimiter.empty()) query_.emplace_back("delimiter", wanted.delimiter);
    request_.query = query_;
  }
  S3Listing take() { return std::move(listing_); }

 private:
  Next succeeded(network::Response response) override {
    auto page = read_list_page(response.body.text());
    std::ranges::move(page.listing.objects, std::back_inserter(listing_.objects));
    std::ranges::move(page.listing.folders, std::back_inserter(listing_.folders));
    if (page.next.empty()) return over;
    request_.query = query_;
    request_.query.emplace_back("continuation-token", page.next);
    return at_once;
  }

  TextPairs query_;
  S3Listing listing_;
};

}  // namespace

S3Client::S3Client(network::HttpClient& http, Credentials& credentials, Clock& clock, S3Settings settings)
    : session_(std::make_unique<S3Session>(http, credentials, clock, std::move(settings))) {}

S3Client::~S3Client() = default;

std::vector<std::optional<S3ObjectInfo>> S3Client::head(std::span<const S3Place> places) {
  return head_all(*session_, places);
}

std::vector<std::optional<S3Object>> S3Client::get(std::span<const S3Get> wanted) { return get_all(*session_, wanted); }

std::vector<bool> S3Client::put(std::span<const S3Put> values) { return put_all(*session_, values); }

void S3Client::remove(std::span<const S3Place> places) { remove_all(*session_, places); }

std::vector<S3Listing> S3Client::list(std::span<const S3List> wanted) {
  std::deque<ListCall> lists;
  std::vector<network::Exchange*> calls;
  for (const auto& one : wanted) calls.push_back(&lists.emplace_back(*session_, one));
  session_->http().perform(calls);
  std::vector<S3Listing> listings;
  for (auto& call : lists) listings.push_back(call.take());
  return listings;
}

std::optional<S3ObjectInfo> S3Client::head(const S3Place& place) { return head(std::span(&place, 1)).front(); }

std::optional<S3Object> S3Client::get(const S3Get& wanted) { return std::move(get(std::span(&wanted, 1)).front()); }

bool S3Client::put(const S3Put& value) { return put(std::span(&value, 1)).front(); }

S3Listing S3Client::list(const S3List& wanted) { return std::move(list(std::span(&wanted, 1)).front()); }

}  // namespace metaflow::aws
