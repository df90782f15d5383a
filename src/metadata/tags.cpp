#include <algorithm>

#include <metaflow/error.hpp>

#include "base/utf8.hpp"
#include "metadata/metadata.hpp"

namespace metaflow::metadata {
namespace {

constexpr std::size_t most_tags = 50, most_characters = 500;

std::size_t character_count(std::string_view text) {
  const auto is_first_byte = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
  return static_cast<std::size_t>(std::ranges::count_if(text, is_first_byte));
}

void validate_tag(const std::string& tag) {
  if (tag.empty()) throw Error(ErrorCode::usage, "a tag must not be empty");
  if (!is_utf8(tag)) throw Error(ErrorCode::usage, "tag '" + sanitized_utf8(tag) + "' is not valid UTF-8");
  if (character_count(tag) > most_characters) {
    // Cut in the middle of a character, the start would be no text any more.
    throw Error(ErrorCode::usage, "the tag '" + sanitized_utf8(tag.substr(0, 30)) + "...' is longer than " +
                                      std::to_string(most_characters) + " characters");
  }
}

}  // namespace

void validate_tags(const std::set<std::string>& tags) {
  std::ranges::for_each(tags, validate_tag);
  if (tags.size() > most_tags) {
    throw Error(ErrorCode::usage, "a run can have at most " + std::to_string(most_tags) + " tags, but these are " +
                                      std::to_string(tags.size()));
  }
}

std::set<std::string> changed_tags(const RunRecord& record, const std::set<std::string>& add,
                                   const std::set<std::string>& remove) {
  for (const auto& tag : remove) {
    if (record.system_tags.contains(tag)) {
      throw Error(ErrorCode::usage, "'" + tag + "' is a system tag of run " + record.run + " and cannot be removed");
    }
  }
  auto tags = record.tags;
  for (const auto& tag : remove) tags.erase(tag);
  for (const auto& tag : add) {
    if (!record.system_tags.contains(tag)) tags.insert(tag);
  }
  validate_tags(tags);
  return tags;
}

}  // namespace metaflow::metadata
