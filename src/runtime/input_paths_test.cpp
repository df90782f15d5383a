#include "runtime/input_paths.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <metaflow/error.hpp>

namespace metaflow::runtime {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(InputPaths, OnePathStandsAsItIs) {
  const std::vector<std::string> paths = {"12/start/1"};
  EXPECT_EQ(encode_input_paths(paths), "12/start/1");
  EXPECT_THAT(decode_input_paths("12/start/1"), ElementsAre("12/start/1"));
}

TEST(InputPaths, TheCommonPrefixIsWrittenOnce) {
  const std::vector<std::string> paths = {"12/body/2", "12/body/3", "12/body/41"};
  EXPECT_EQ(encode_input_paths(paths), "12/body/:2,3,41");
  EXPECT_EQ(decode_input_paths("12/body/:2,3,41"), paths);
}

TEST(InputPaths, PathsWithNothingInCommonAreListed) {
  const std::vector<std::string> paths = {"1/a/2", "2/b/3"};
  EXPECT_EQ(encode_input_paths(paths), "1/a/2,2/b/3");
  EXPECT_EQ(decode_input_paths("1/a/2,2/b/3"), paths);
}

TEST(InputPaths, LongListsArePackedAndComeBackWhole) {
  std::vector<std::string> paths;
  for (int i = 0; i < 100'000; ++i) paths.push_back("1795443040916463/body/" + std::to_string(i * 7));
  const auto packed = encode_input_paths(paths);
  EXPECT_EQ(packed.front(), '!');
  EXPECT_LT(packed.size(), paths.size() * 7);
  EXPECT_EQ(decode_input_paths(packed), paths);
}

TEST(InputPaths, ReadsWhatPythonPacked) {
  // base64(zlib.compress(zlib.compress(b"1/b/:" + b",".join(b"%d" % i for i in range(300)))))
  const auto paths = decode_input_paths(
      "!eJyrmCN7+WYus4EA88U2jogl50otX+7vOPPL/IbKN5tT8/efLz/RtWzatr5187yetU9T9q88GW33aer8mFMBP+ZqBEeeCusrmrp"
      "8yrMLW9Tqi7L0zq6tNFn/7LLO2oWpazM+yk+/ds0qKvx15tRvF7aVbVluJp+RLf929d8t3ukvItStgtNffqjsP3e10mqpdcla6bs"
      "rd5ds14t//sru7iXpqmvd965EV0W/f/Exd37cyrZTq1Ysy1q57dWKdV0Ssc0yzXLNCs1KzSrNas0azVrNOs27483eWcVMf11yd93"
      "j0r3n3O2FL7zcd+fiBRcTUV+3yxdbTFR9vS5f2qy4Q3n5y8ymWYvUVmZmLZq1Sm11eHehe+Tka1tMC31jJ1//Ytrom/h+2dO+E8s"
      "2ncyxmn1h2RbP3KjZN+z2Mr57kds0+5Hazsy8RbNfqe1++e528sO+L8v2dua/mv1n2X5GA6a2A+vDj8pytR20kOBQTtToaT1oILV"
      "uXvz7fsZHgjZN7h845A4qV7D0PxD8HrDzMIQFEvZ4v5P9b7RJ+d6XcqXrd6Xf3f0u8TFIIs1/vjWKNptNv3oL2pEFmtzL7NXeoQh"
      "8OPEy/LgssgCH3M6/NsgWgpSvv29YjiJQseTXwev2unVXMgD9NgxG");
  EXPECT_EQ(paths.size(), 300u);
  EXPECT_EQ(paths.back(), "1/b/299");
}

TEST(InputPaths, NoTextMeansNoInputs) { EXPECT_THAT(decode_input_paths(""), IsEmpty()); }

TEST(InputPaths, AListThatWouldFillTheMemoryIsRefused) {
  EXPECT_THROW(decode_input_paths(std::string(40'000, 'p') + ':' + std::string(40'000, ',')), Error);
}

TEST(InputPaths, DamagedTextIsRefused) {
  for (const auto* text : {"!", "!AAAA", "!not base64", "!eJwDAAAAAAE="})
    EXPECT_THROW(decode_input_paths(text), Error) << text;
}

}  // namespace
}  // namespace metaflow::runtime
