#include <algorithm>
#include <filesystem>
#include <variant>

#include <metaflow/error.hpp>
#include <metaflow/pickle.hpp>

#include "base/configuration.hpp"
#include "base/files.hpp"
#include "base/gzip.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/utf8.hpp"
#include "datastore/artifacts.hpp"

namespace metaflow::datastore {
namespace {

constexpr std::string_view local_scheme = "local://";

Error unusable(const std::string& path, const std::string& why) {
  return Error(ErrorCode::usage, "cannot include file '" + path + "': " + why);
}

/// `~` and `~/x` mean the user's home folder.
std::string expanded(const std::string& path) {
  if (path != "~" && !path.starts_with("~/")) return path;
  return home_directory() + path.substr(1);
}

Buffer read_included(const std::string& path, bool is_text) {
  if (path.find("://") != path.npos)
    throw unusable(path, "only files of this machine can be included; download it first");
  const auto file = expanded(path);
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored)) throw unusable(path, "it is a folder");
  if (std::filesystem::exists(file, ignored) && !std::filesystem::is_regular_file(file, ignored)) {
    throw unusable(path, "it is a device or pipe, not a file");
  }
  std::optional<Buffer> content;
  try {
    content = read_file(file);
  } catch (const Error& error) {
    throw Error(ErrorCode::usage, error.what());
  }
  if (!content) throw unusable(path, "there is no such file");
  if (is_text && !is_utf8(content->text())) {
    throw unusable(path, "it is not valid UTF-8 text; convert it, or include it as bytes");
  }
  return std::move(*content);
}

using Descriptor = std::vector<std::pair<std::string, std::variant<std::string, bool, std::int64_t>>>;

/// An IncludedFile object as the reference pickles it.
Encoded encode_descriptor(const Descriptor& descriptor) {
  pickle::Writer writer;
  writer.begin_build();
  writer.begin_create();
  writer.global("metaflow.includefile", "IncludedFile");
  writer.begin_tuple(0);
  writer.begin_dict(2);
  writer.text("_descriptor");
  writer.begin_dict(descriptor.size());
  for (const auto& [key, value] : descriptor) {
    writer.text(key);
    if (const auto* text = std::get_if<std::string>(&value)) writer.text(*text);
    if (const auto* truth = std::get_if<bool>(&value)) writer.boolean(*truth);
    if (const auto* number = std::get_if<std::int64_t>(&value)) writer.integer(*number);
  }
  writer.text("_cached_size");
  writer.none();
  auto encoded = writer.finish();
  encoded.type = "<class 'metaflow.includefile.IncludedFile'>";
  return encoded;
}

std::string_view file_name(std::string_view url) { return url.substr(url.rfind('/') + 1); }

/// One descriptor given as JSON; all its complaints name it.
class GivenDescriptor {
 public:
  explicit GivenDescriptor(std::string_view text) : text_(text) {
    json_ = JsonValue::parse(text, nullptr, false);
    if (json_.is_discarded()) refuse("it is not valid JSON");
    if (!json_.is_object()) refuse("it is no JSON object");
  }

  Descriptor check() const {
    check_kind();
    check_place();
    Descriptor descriptor;
    for (const auto& [key, value] : json_.items()) {
      if (value.is_string())
        descriptor.emplace_back(key, value.get<std::string>());
      else if (value.is_boolean())
        descriptor.emplace_back(key, value.get<bool>());
      else if (value.is_number_integer())
        descriptor.emplace_back(key, value.get<std::int64_t>());
      else
        refuse("'" + key + "' is neither text nor integer nor truth value");
    }
    return descriptor;
  }

 private:
  void check_kind() const {
    const auto type = text_member("type");
    if (type == "uploader-v2") {
      if (text_member("sub-type") != "uploaded") refuse("its 'sub-type' is not 'uploaded'");
    } else if (type != "uploader-v1" && type != "external") {
      refuse("its 'type' is none of uploader-v2, uploader-v1 and external");
    }
    if (!member("is_text").is_boolean()) refuse("its 'is_text' is neither true nor false");
    if (text_member("encoding") != "utf-8") refuse("its 'encoding' is not 'utf-8'");
  }

  void check_place() const {
    const auto url = text_member("url");
    if (!url.starts_with(local_scheme))
      refuse("its 'url' does not begin with 'local://', so it is not on this machine");
    // Who reads it goes by the name.
    if ((text_member("type") == "external") == is_content_address(url))
      refuse("the 'url' of an uploaded file, and of no other, ends in the SHA-1 of its content");
    if (!file_size(url.substr(local_scheme.size()))) refuse("there is no file at its 'url'");
  }

  const JsonValue& member(const char* name) const {
    const auto found = json_.find(name);
    if (found == json_.end()) refuse("it has no '" + std::string(name) + "'");
    return *found;
  }
  std::string text_member(const char* name) const {
    const auto& value = member(name);
    if (!value.is_string()) refuse("its '" + std::string(name) + "' is no text");
    return value.get<std::string>();
  }
  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(ErrorCode::usage, "'" + sanitized_utf8(text_) + "' describes no file that was included before: " + why);
  }

  std::string_view text_;
  JsonValue json_;
};

}  // namespace

bool is_content_address(std::string_view url) {
  const auto name = file_name(url);
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return name.size() == 40 && std::ranges::all_of(name, is_digit);
}

Encoded store_included_file(const std::string& data_tools_root, const std::string& flow_name, const std::string& path,
                            bool is_text) {
  const auto content = read_included(path, is_text);
  const auto stored = data_tools_root + '/' + flow_name + '/' + sha1_hex(content.span());
  if (file_size(stored).value_or(0) == 0) {
    Pieces pieces;
    pieces.borrow(content.span());
    DraftFile draft(stored);
    draft.write(gzip_pack(pieces));
    draft.keep();
  }
  return encode_descriptor({{"type", "uploader-v2"},
                            {"url", std::string(local_scheme) + stored},
                            {"is_text", is_text},
                            {"encoding", "utf-8"},
                            {"note", "Internal representation of IncludeFile"},
                            {"sub-type", "uploaded"},
                            {"size", static_cast<std::int64_t>(content.size())}});
}

Encoded reuse_included_file(std::string_view descriptor) {
  return encode_descriptor(GivenDescriptor(descriptor).check());
}

Buffer load_included_file(std::string_view url, bool packed) {
  const auto shown = "cannot read include file '" + std::string(url) + "': ";
  if (!url.starts_with(local_scheme) && !url.starts_with("/")) {
    throw Error(ErrorCode::invalid, shown + "it is not on this machine");
  }
  const std::string path(url.starts_with(local_scheme) ? url.substr(local_scheme.size()) : url);
  auto file = read_file(path);
  if (!file) throw Error(ErrorCode::not_found, shown + "there is no such file");
  if (!packed) return std::move(*file);
  try {
    auto content = gzip_unpack(file->span());
    if (is_content_address(url) && sha1_hex(content.span()) != file_name(url)) {
      throw Error(ErrorCode::corrupt, "its content does not match its name");
    }
    return content;
  } catch (const Error& error) {
    throw Error(error.code(), shown + error.what());
  }
}

std::string data_tools_root(const std::string& datastore_root) {
  auto root = setting("DATATOOLS_LOCALROOT").value_or("");
  if (root.empty()) {
    const auto sysroot = setting("DATASTORE_SYSROOT_LOCAL").value_or("");
    root = (sysroot.empty() ? datastore_root : sysroot) + "/data";
  }
  return std::filesystem::absolute(root).lexically_normal().string();
}

}  // namespace metaflow::datastore
