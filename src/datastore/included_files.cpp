#include <algorithm>
#include <filesystem>

#include <metaflow/error.hpp>
#include <metaflow/pickle.hpp>

#include "base/configuration.hpp"
#include "base/files.hpp"
#include "base/gzip.hpp"
#include "base/hash.hpp"
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

/// An IncludedFile object as the reference pickles it.
Encoded encode_descriptor(const std::string& url, bool is_text, std::size_t size) {
  pickle::Writer writer;
  writer.begin_build();
  writer.begin_create();
  writer.global("metaflow.includefile", "IncludedFile");
  writer.begin_tuple(0);
  writer.begin_dict(2);
  writer.text("_descriptor");
  writer.begin_dict(7);
  const auto pair = [&](std::string_view key, std::string_view value) {
    writer.text(key);
    writer.text(value);
  };
  pair("type", "uploader-v2");
  pair("url", url);
  writer.text("is_text");
  writer.boolean(is_text);
  pair("encoding", "utf-8");
  pair("note", "Internal representation of IncludeFile");
  pair("sub-type", "uploaded");
  writer.text("size");
  writer.integer(static_cast<std::uint64_t>(size));
  writer.text("_cached_size");
  writer.none();
  auto encoded = writer.finish();
  encoded.type = "<class 'metaflow.includefile.IncludedFile'>";
  return encoded;
}

std::string_view file_name(std::string_view url) { return url.substr(url.rfind('/') + 1); }

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
  return encode_descriptor(std::string(local_scheme) + stored, is_text, content.size());
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
