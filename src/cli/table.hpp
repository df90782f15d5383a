#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace metaflow::cli {

enum class Align { left, right };

struct Column {
  std::string heading;
  Align align = Align::left;
};

/// Rows of text in columns that line up, two spaces apart.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// One text for each column.
  void add(std::vector<std::string> row);
  bool empty() const { return rows_.empty(); }
  /// Headings and rows, each line ended.
  std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// `512 B`, `1.5 MB`, `230 GB`: in powers of 1000.
std::string size_text(std::uint64_t bytes);

/// `text` without line breaks and at most `most` characters long; what is left out is marked by `…`.
std::string clipped(std::string_view text, std::size_t most);

}  // namespace metaflow::cli
