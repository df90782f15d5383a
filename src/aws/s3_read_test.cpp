#include "aws/s3_read.hpp"

#include <sys/mman.h>

#include "aws/s3_test_support.hpp"

namespace metaflow::aws {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

std::string bytes_of_size(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
  return bytes;
}

class S3ReadTest : public S3Test {
 protected:
  std::vector<std::string> ranges() const {
    std::vector<std::string> ranges;
    for (const auto& request : requests()) ranges.push_back(header_of(request, "range"));
    return ranges;
  }
  void serve_object(const std::string& whole) {
    serve([whole](const std::string& request) { return range_reply(request, whole); });
  }

  S3Get get_{.place = {"bucket", "key"}};
};

TEST_F(S3ReadTest, AHeadTellsWhatIsKnown) {
  serve_in_order(
      {{"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nETag: \"e\"\r\nContent-Type: text/plain\r\n"
        "Last-Modified: Tue, 24 Nov 2026 15:04:05 GMT\r\nX-Amz-Meta-Some-Name: some text\r\n"
        "x-amz-server-side-encryption: AES256\r\n\r\n"}});
  const auto info = client().head({"bucket", "key"});
  ASSERT_TRUE(info);
  EXPECT_EQ(info->size, 1234u);
  EXPECT_EQ(info->etag, "\"e\"");
  EXPECT_EQ(info->content_type, "text/plain");
  EXPECT_EQ(info->encryption, "AES256");
  EXPECT_EQ(info->modified_s, 1795532645);
  EXPECT_THAT(info->metadata, ElementsAre(std::pair("some-name", "some text")));
}

TEST_F(S3ReadTest, ASmallObjectTakesOneRequest) {
  serve_object("small");
  const auto object = client().get(get_);
  ASSERT_TRUE(object);
  EXPECT_EQ(object->bytes.text(), "small");
  EXPECT_EQ(object->read, 5u);
  EXPECT_EQ(object->info.size, 5u);
  EXPECT_THAT(ranges(), ElementsAre("bytes=0-8388607"));
}

TEST_F(S3ReadTest, AnEmptyObjectIsRead) {
  serve([](const std::string& request) {
    return header_of(request, "range").empty() ? reply("200 OK", "", "x-amz-meta-a: b\r\n")
                                               : error_reply("416 Requested Range Not Satisfiable", "InvalidRange");
  });
  const auto object = client().get(get_);
  ASSERT_TRUE(object);
  EXPECT_EQ(object->bytes.size(), 0u);
  EXPECT_EQ(object->info.metadata.at("a"), "b");
}

TEST_F(S3ReadTest, AServerWithoutRangesSendsAll) {
  serve_in_order({reply("200 OK", "0123456789")});
  EXPECT_EQ(client().get(get_)->bytes.text(), "0123456789");
  get_.range = S3Range{3, 4};
  EXPECT_EQ(client().get(get_)->bytes.text(), "3456");
}

TEST_F(S3ReadTest, RangesAreThoseAskedFor) {
  serve_object("0123456789");
  get_.range = S3Range{3, 4};
  const auto part = client().get(get_);
  EXPECT_EQ(part->bytes.text(), "3456");
  EXPECT_EQ(part->info.size, 10u);
  get_.range = S3Range{7};
  EXPECT_EQ(client().get(get_)->bytes.text(), "789");
  get_.range = S3Range{7, 100};
  EXPECT_EQ(client().get(get_)->bytes.text(), "789");
  get_.range = S3Range{7, 0};
  EXPECT_EQ(client().get(get_)->bytes.text(), "");
  EXPECT_THAT(ranges(), ElementsAre("bytes=3-6", "bytes=7-8388614", "bytes=7-106", "bytes=7-7"));
}

TEST_F(S3ReadTest, BehindTheEndIsNothing) {
  serve_in_order(
      {error_reply("416 Requested Range Not Satisfiable", "InvalidRange", "", "Content-Range: bytes */10\r\n")});
  get_.range = S3Range{10};
  const auto object = client().get(get_);
  ASSERT_TRUE(object);
  EXPECT_EQ(object->bytes.size(), 0u);
  EXPECT_EQ(object->info.size, 10u);
}

TEST_F(S3ReadTest, AServerThatSaysNoLengthIsAskedForIt) {
  serve([](const std::string& request) -> Reply {
    if (line_of(request).starts_with("GET")) return reply("416 Requested Range Not Satisfiable");
    return {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"};
  });
  get_.range = S3Range{12, 5};
  const auto object = client().get(get_);
  ASSERT_TRUE(object);
  EXPECT_EQ(object->read, 0u);
  EXPECT_EQ(object->info.size, 10u);
}

TEST_F(S3ReadTest, ALargeObjectComesInPartsOfOneVersion) {
  const auto whole = bytes_of_size((20 << 20) + 5);
  serve_object(whole);
  const auto object = client().get(get_);
  EXPECT_TRUE(object->bytes.text() == whole);
  EXPECT_THAT(ranges(), UnorderedElementsAre("bytes=0-8388607", "bytes=8388608-16777215", "bytes=16777216-20971524"));
  EXPECT_EQ(header_of(requests().back(), "if-match"), "\"e1\"");
}

TEST_F(S3ReadTest, APartThatFailsIsReadAgainAlone) {
  const auto whole = bytes_of_size(17 << 20);
  std::atomic<int> failures = 0;
  serve([&](const std::string& request) -> Reply {
    auto full = range_reply(request, whole);
    if (header_of(request, "range") == "bytes=8388608-16777215" && failures++ < 2)
      return {full.bytes.substr(0, 1 << 20), After::reset};
    return full;
  });
  EXPECT_TRUE(client().get(get_)->bytes.text() == whole);
  EXPECT_EQ(count(), 5u);
}

TEST_F(S3ReadTest, AnObjectThatIsReplacedMeanwhileIsReadAnew) {
  const auto first = bytes_of_size(9 << 20), second = std::string(9 << 20, 'n');
  serve([&](const std::string& request) {
    if (count() == 1) return range_reply(request, first, "old");
    const auto wanted = header_of(request, "if-match");
    return wanted.empty() || wanted == "\"new\"" ? range_reply(request, second, "new")
                                                 : error_reply("412 Precondition Failed", "PreconditionFailed");
  });
  EXPECT_TRUE(client().get(get_)->bytes.text() == second);
  EXPECT_EQ(count(), 4u);
}

TEST_F(S3ReadTest, AnObjectThatGoesMeanwhileIsMissing) {
  const auto whole = bytes_of_size(9 << 20);
  serve([&](const std::string& request) {
    return count() == 1 ? range_reply(request, whole) : error_reply("404 Not Found", "NoSuchKey");
  });
  EXPECT_FALSE(client().get(get_));
}

TEST_F(S3ReadTest, BytesGoIntoAFile) {
  const auto whole = bytes_of_size((9 << 20) + 1);
  serve_object(whole);
  const FileDescriptor file(::memfd_create("object", MFD_CLOEXEC));
  get_.into = network::FilePlace{.descriptor = file.get(), .offset = 3, .room = whole.size()};
  const auto object = client().get(get_);
  EXPECT_EQ(object->read, whole.size());
  EXPECT_EQ(object->bytes.size(), 0u);
  EXPECT_TRUE(read_file("/proc/self/fd/" + std::to_string(file.get()))->text() == std::string(3, '\0') + whole);
}

TEST_F(S3ReadTest, BytesGoIntoMemoryThatHasRoom) {
  serve_object("0123456789");
  std::string memory(12, '.');
  get_.into = std::as_writable_bytes(std::span(memory));
  EXPECT_EQ(client().get(get_)->read, 10u);
  EXPECT_EQ(memory, "0123456789..");
}

TEST_F(S3ReadTest, TooLittleRoomIsAnErrorAndNothingIsTriedAgain) {
  serve_object("0123456789");
  std::string memory(9, '.');
  get_.into = std::as_writable_bytes(std::span(memory));
  const auto [code, words] = error_of([&] { (void)client().get(get_); });
  EXPECT_EQ(code, ErrorCode::invalid);
  EXPECT_THAT(words, HasSubstr("s3://bucket/key has 10 bytes, more than the 9 there is room for"));
  EXPECT_EQ(count(), 1u);
}

TEST_F(S3ReadTest, ManyAreReadAtATimeInTheOrderAsked) {
  serve([](const std::string& request) {
    const auto key = line_of(request).substr(std::string("GET /bucket/").size());
    return key == "k7" ? error_reply("404 Not Found", "NoSuchKey") : range_reply(request, "of " + key);
  });
  std::vector<S3Get> wanted;
  for (int i = 0; i < 100; ++i) wanted.push_back({.place = {"bucket", "k" + std::to_string(i)}});
  const auto objects = client().get(wanted);
  ASSERT_EQ(objects.size(), 100u);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(objects[i].has_value(), i != 7);
    if (i != 7) {
      EXPECT_EQ(objects[i]->bytes.text(), "of k" + std::to_string(i));
    }
  }
  EXPECT_EQ(count(), 100u);
}

}  // namespace
}  // namespace metaflow::aws
