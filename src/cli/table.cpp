#include "cli/table.hpp"

#include <algorithm>
#include <array>
#include <cassert>

#include <fmt/format.h>

#include "cli/help_text.hpp"

namespace metaflow::cli {
namespace {

std::string line_of(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths,
                    const std::vector<Column>& columns) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string padding(widths[i] - column_count(cells[i]), ' ');
    line += i == 0 ? "" : "  ";
    line += columns[i].align == Align::right ? padding + cells[i] : cells[i] + padding;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + '\n';
}

}  // namespace

void Table::add(std::vector<std::string> row) {
  assert(row.size() == columns_.size());
  rows_.push_back(std::move(row));
}

std::string Table::text() const {
  std::vector<std::string> headings;
  for (const auto& column : columns_) headings.push_back(column.heading);
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    widths.push_back(column_count(headings[i]));
    for (const auto& row : rows_) widths[i] = std::max(widths[i], column_count(row[i]));
  }
  auto text = line_of(headings, widths, columns_);
  for (const auto& row : rows_) text += line_of(row, widths, columns_);
  return text;
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::array units = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 1000) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  // What would be rounded to 1000 is one of the next unit.
  for (; value >= 999.5 && unit + 1 < units.size(); ++unit) value /= 1000;
  return value < 99.95 ? fmt::format("{:.1f} {}", value, units[unit]) : fmt::format("{:.0f} {}", value, units[unit]);
}

std::string clipped(std::string_view text, std::size_t most) {
  std::string line;
  std::size_t count = 0;
  for (const char c : text) {
    const bool is_first_byte = (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    if (is_first_byte && ++count > most) break;
    line += c == '\n' || c == '\r' || c == '\t' ? ' ' : c;
  }
  if (count <= most) return line;
  while (!line.empty() && (static_cast<unsigned char>(line.back()) & 0xc0) == 0x80) line.pop_back();
  if (!line.empty()) line.pop_back();
  return line + "…";
}

}  // namespace metaflow::cli
