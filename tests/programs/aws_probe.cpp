// Shows what the AWS layer makes of its input, one JSON value a line, so that tests can compare it with others' results.
#include <iostream>
#include <string>

#include <metaflow/error.hpp>

#include "aws/key_chain.hpp"
#include "aws/signature.hpp"
#include "base/clock.hpp"
#include "base/json.hpp"

namespace {

using metaflow::JsonValue;
namespace aws = metaflow::aws;

aws::TextPairs pairs_of(const JsonValue& list) {
  aws::TextPairs pairs;
  for (const auto& pair : list) pairs.emplace_back(pair[0].get<std::string>(), pair[1].get<std::string>());
  return pairs;
}

JsonValue sign(const JsonValue& given) {
  aws::RequestToSign request{
      .method = given["method"].get<std::string>(),
      .path = given["path"].get<std::string>(),
      .query = pairs_of(given["query"]),
      .headers = pairs_of(given["headers"]),
      .payload_digest = given["payload_digest"].get<std::string>(),
      .path_rule = given["service"] == "s3" ? aws::PathRule::as_sent : aws::PathRule::normalised,
  };
  const aws::SigningKeys keys{given["key_id"].get<std::string>(), given["secret"].get<std::string>(),
                              given["token"].get<std::string>()};
  const aws::SigningScope scope{given["region"].get<std::string>(), given["service"].get<std::string>()};
  const auto time = given["time"].get<std::int64_t>();
  const auto valid = given["valid"].get<std::int64_t>();
  const auto signature =
      valid > 0 ? aws::sign_query(request, keys, scope, time, valid) : aws::sign_headers(request, keys, scope, time);
  return {{"canonical_request", signature.canonical_request},
          {"string_to_sign", signature.string_to_sign},
          {"signature", signature.signature},
          {"headers", signature.headers},
          {"query", signature.query}};
}

JsonValue find_keys(const JsonValue& given) {
  const auto environment = given["environment"].get<aws::Environment>();
  metaflow::network::HttpClient http;
  aws::Surroundings around{.environment = environment,
                           .home = given["home"].get<std::string>(),
                           .http = http,
                           .clock = metaflow::system_clock()};
  if (given.contains("code"))
    around.ask_code = [&](const std::string& serial) { return given["code"].get<std::string>() + " of " + serial; };
  const auto found = aws::find_keys(around);
  return {{"key_id", found.keys.key_id}, {"secret", found.keys.secret},
          {"token", found.keys.token},   {"expiry", found.expiry_s ? JsonValue(*found.expiry_s) : JsonValue()},
          {"origin", found.origin},      {"watched_file", found.watched_file}};
}

JsonValue answer(const std::string& question, const JsonValue& given) {
  if (question == "sign") return sign(given);
  if (question == "find_keys") return find_keys(given);
  if (question == "encode_path") return aws::encode_path(given.get<std::string>());
  throw metaflow::Error(metaflow::ErrorCode::usage, "no question '" + question + "'");
}

}  // namespace

int main(int count, char** arguments) {
  for (std::string line; count == 2 && std::getline(std::cin, line);) {
    try {
      std::cout << metaflow::dump_json(answer(arguments[1], metaflow::parse_json(line, "the input"))) << '\n';
    } catch (const metaflow::Error& error) {
      std::cout << metaflow::dump_json({{"error", error.what()}}) << '\n';
    }
  }
  return 0;
}
