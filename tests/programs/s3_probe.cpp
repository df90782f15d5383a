// Does in S3 what each line of its input says, in JSON, and says in a line what came of it, so that tests can compare it with what others do.
// The server is METAFLOW_S3_ENDPOINT_URL. Bytes are text.
#include <cstdlib>
#include <iostream>
#include <string>

#include <metaflow/error.hpp>

#include "aws/s3_client.hpp"
#include "base/json.hpp"

namespace {

using metaflow::JsonValue;
namespace aws = metaflow::aws;

class TestKeys final : public aws::Credentials {
 public:
  aws::SigningKeys keys() override { return {"AKIDEXAMPLE", "secret"}; }
  bool replace(const aws::SigningKeys&) override { return false; }
};

JsonValue info_of(const aws::S3ObjectInfo& info) {
  return {{"size", info.size}, {"type", info.content_type}, {"metadata", info.metadata}, {"modified", info.modified_s}};
}

JsonValue put(aws::S3Client& client, const aws::S3Place& place, const JsonValue& given) {
  metaflow::Pieces bytes;
  for (int i = 0; i < given.value("times", 1); ++i) bytes.own(given["text"].get<std::string>());
  return client.put(
      {.place = place,
       .body = &bytes,
       .condition = given.value("if_absent", false) ? aws::S3Condition::if_absent : aws::S3Condition::none,
       .content_type = given.value("type", ""),
       .metadata = given.value("metadata", aws::UserMetadata())});
}

JsonValue get(aws::S3Client& client, const aws::S3Place& place, const JsonValue& given) {
  aws::S3Get wanted{.place = place};
  if (given.contains("offset")) wanted.range = aws::S3Range{given["offset"].get<std::uint64_t>()};
  if (given.contains("length")) wanted.range->length = given["length"].get<std::uint64_t>();
  const auto object = client.get(wanted);
  if (!object) return nullptr;
  auto answer = info_of(object->info);
  answer["text"] = object->bytes.text();
  return answer;
}

JsonValue list(aws::S3Client& client, const aws::S3Place& place, const JsonValue& given) {
  const auto listing = client.list({.prefix = place, .delimiter = given.value("delimiter", "")});
  auto keys = JsonValue::array();
  for (const auto& object : listing.objects) keys.push_back(object.key);
  return {{"keys", keys}, {"folders", listing.folders}};
}

JsonValue answer(aws::S3Client& client, const JsonValue& given) {
  const auto what = given["do"].get<std::string>();
  const aws::S3Place place{given["bucket"].get<std::string>(), given.value("key", "")};
  if (what == "put") return put(client, place, given);
  if (what == "get") return get(client, place, given);
  if (what == "list") return list(client, place, given);
  if (what == "head") {
    const auto info = client.head(place);
    return info ? info_of(*info) : JsonValue();
  }
  if (what == "remove") {
    client.remove({&place, 1});
    return nullptr;
  }
  throw metaflow::Error(metaflow::ErrorCode::usage, "nothing is called '" + what + "'");
}

}  // namespace

int main() {
  metaflow::network::HttpClient http;
  TestKeys keys;
  aws::S3Client client(http, keys, metaflow::system_clock(),
                       {.region = "us-east-1", .endpoint = std::getenv("METAFLOW_S3_ENDPOINT_URL")});
  for (std::string line; std::getline(std::cin, line);) {
    JsonValue said;
    try {
      said = answer(client, metaflow::parse_json(line, "the input"));
    } catch (const metaflow::Error& error) {
      said = {{"error", error.what()}};
    }
    std::cout << metaflow::dump_json(said) << std::endl;
  }
}
