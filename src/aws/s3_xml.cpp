#include "aws/s3_xml.hpp"

#include <charconv>
#include <ctime>
#include <sstream>

#include <metaflow/error.hpp>

#include <pugixml.hpp>

namespace metaflow::aws {
namespace {

/// With white space kept as it is: it may be the key.
constexpr unsigned parsing = pugi::parse_default | pugi::parse_ws_pcdata_single;

pugi::xml_document parsed(std::string_view xml, const char* root) {
  pugi::xml_document document;
  const auto outcome = document.load_buffer(xml.data(), xml.size(), parsing);
  if (!outcome || std::string_view(document.document_element().name()) != root)
    throw Error(ErrorCode::unavailable, "the answer of S3 is no " + std::string(root) +
                                            ". If a proxy stands between, set NO_PROXY for it; else try again later.");
  return document;
}

/// Unix time of `2026-11-24T15:04:05.000Z`; 0 for any other text.
std::int64_t read_time(const char* text) {
  std::tm parts{};
  return ::strptime(text, "%Y-%m-%dT%H:%M:%S", &parts) ? ::timegm(&parts) : 0;
}

std::string text_of(const pugi::xml_document& document) {
  std::ostringstream text;
  document.save(text, "", pugi::format_raw | pugi::format_no_declaration);
  return text.str();
}

void add(pugi::xml_node node, const char* name, const std::string& value) {
  node.append_child(name).text().set(value.c_str());
}

}  // namespace

std::string decode_text(std::string_view encoded) {
  std::string text;
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    unsigned byte = 0;
    if (encoded[i] == '%' && i + 2 < encoded.size() &&
        std::from_chars(&encoded[i + 1], &encoded[i + 1] + 2, byte, 16).ptr == &encoded[i + 1] + 2) {
      text += static_cast<char>(byte);
      i += 2;
    } else {
      text += encoded[i] == '+' ? ' ' : encoded[i];
    }
  }
  return text;
}

ListPage read_list_page(std::string_view xml) {
  const auto document = parsed(xml, "ListBucketResult");
  const auto root = document.document_element();
  // XML cannot hold every key, so they are asked for encoded; a server may not know how.
  const bool encoded = std::string_view(root.child_value("EncodingType")) == "url";
  const auto text = [&](const char* value) { return encoded ? decode_text(value) : std::string(value); };
  ListPage page;
  for (const auto& node : root.children("Contents"))
    page.listing.objects.push_back({.key = text(node.child_value("Key")),
                                    .size = node.child("Size").text().as_ullong(),
                                    .etag = node.child_value("ETag"),
                                    .modified_s = read_time(node.child_value("LastModified"))});
  for (const auto& node : root.children("CommonPrefixes"))
    page.listing.folders.push_back(text(node.child_value("Prefix")));
  if (root.child("IsTruncated").text().as_bool()) page.next = root.child_value("NextContinuationToken");
  return page;
}

std::string removal_xml(std::span<const std::string> keys) {
  pugi::xml_document document;
  auto root = document.append_child("Delete");
  add(root, "Quiet", "true");
  for (const auto& key : keys) add(root.append_child("Object"), "Key", key);
  return text_of(document);
}

std::vector<std::pair<std::string, ServiceError>> read_removal_failures(std::string_view xml) {
  const auto document = parsed(xml, "DeleteResult");
  std::vector<std::pair<std::string, ServiceError>> failures;
  for (const auto& node : document.document_element().children("Error")) {
    auto error = make_error(200, node.child_value("Code"), node.child_value("Message"));
    if (error.kind != Refusal::not_found) failures.emplace_back(node.child_value("Key"), std::move(error));
  }
  return failures;
}

std::string read_upload_id(std::string_view xml) {
  return parsed(xml, "InitiateMultipartUploadResult").document_element().child_value("UploadId");
}

std::string completion_xml(std::span<const std::string> etags) {
  pugi::xml_document document;
  auto root = document.append_child("CompleteMultipartUpload");
  for (std::size_t i = 0; i < etags.size(); ++i) {
    auto part = root.append_child("Part");
    add(part, "PartNumber", std::to_string(i + 1));
    add(part, "ETag", etags[i]);
  }
  return text_of(document);
}

}  // namespace metaflow::aws
