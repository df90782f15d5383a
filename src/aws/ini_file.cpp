#include "aws/ini_file.hpp"

#include <algorithm>

#include <metaflow/error.hpp>

#include "base/text.hpp"

namespace metaflow::aws {
namespace {

constexpr std::string_view blanks = " \t\r\f\v";

class Parser {
 public:
  Parser(std::string_view text, std::string_view file) : text_(text), file_(file) {}

  IniFile parse() {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
    while (!text_.empty()) {
      const auto end = std::min(text_.find('\n'), text_.size());
      ++line_;
      take_line(text_.substr(0, end));
      text_.remove_prefix(std::min(end + 1, text_.size()));
    }
    return std::move(result_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::invalid, "'" + std::string(file_) + "' cannot be used: line " + std::to_string(line_) + " " +
                                        what + "; correct that line");
  }

  void take_line(std::string_view line) {
    const auto content = trimmed(line);
    if (content.empty() || content.front() == '#' || content.front() == ';') return;
    const auto indent = line.find_first_not_of(blanks);
    if (value_ && indent > indent_) return take_indented(content);
    indent_ = indent;
    if (content.front() == '[') return take_section(content);
    take_setting(content);
  }

  void take_section(std::string_view content) {
    const auto end = content.find(']');
    if (end == std::string_view::npos) fail("begins a section without ']'");
    const std::string name(trimmed(content.substr(1, end - 1)));
    if (name.empty()) fail("begins a section without a name");
    const auto [place, is_new] = result_.try_emplace(name);
    if (!is_new) fail("begins section [" + name + "] again, which began in line " + std::to_string(place->second.line));
    section_ = &place->second;
    section_->line = line_;
    value_ = nullptr;
  }

  struct Setting {
    std::string name;
    std::string_view value;
  };

  Setting read_setting(std::string_view content) const {
    const auto end = content.find_first_of("=:");
    if (end == std::string_view::npos) fail("is neither a section nor 'name = value'");
    if (end == 0) fail("has no name before '" + std::string(1, content[0]) + "'");
    return {lower_case(trimmed(content.substr(0, end))), trimmed(content.substr(end + 1))};
  }

  void take_setting(std::string_view content) {
    if (!section_) fail("comes before any [section]");
    const auto [name, value] = read_setting(content);
    const auto [place, is_new] = section_->values.try_emplace(name);
    if (!is_new) fail("sets '" + name + "' again, which line " + std::to_string(place->second.line) + " has set");
    value_ = &place->second;
    *value_ = {.text = std::string(value), .line = line_};
    is_block_ = value.empty();
  }

  void take_indented(std::string_view content) {
    if (!is_block_) {
      value_->text.append("\n").append(content);
      return;
    }
    const auto [name, value] = read_setting(content);
    value_->block[name] = value;
  }

  std::string_view text_, file_;
  int line_ = 0;
  IniFile result_;
  IniSection* section_ = nullptr;
  IniValue* value_ = nullptr;
  std::size_t indent_ = 0;  // of the line that began the value
  bool is_block_ = false;
};

}  // namespace

IniFile parse_ini(std::string_view text, std::string_view file) { return Parser(text, file).parse(); }

}  // namespace metaflow::aws
