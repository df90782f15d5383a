// Output of tasks, on its way into a stored log and out again: no byte is lost or made up, and whatever a stored log
// holds can be shown.
#include "base/clock.hpp"
#include "base/utf8.hpp"
#include "client/task_log.hpp"
#include "fuzz.hpp"
#include "runtime/task_log.hpp"

namespace mf = metaflow;

namespace {

using Lines = std::vector<std::string>;

/// Lines that a splitter makes of `text`, given to it in pieces of `piece` bytes.
Lines split_in_pieces(std::string_view text, std::size_t piece) {
  Lines lines;
  const auto take = [&](std::string_view line) { lines.emplace_back(line); };
  mf::runtime::LineSplitter splitter;
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) splitter.add(text.substr(0, piece), take);
  splitter.finish(take);
  return lines;
}

Lines check_splitter(std::string_view text, std::size_t piece) {
  auto lines = split_in_pieces(text, piece);
  std::string joined;
  for (const auto& line : lines) joined.append(line).append("\n");
  if (!text.empty() && text.back() != '\n') joined.pop_back();
  fuzz::require(joined == text);
  return lines;
}

/// All lines, as they are shown, when the log has room for them.
void check_stored(const Lines& lines) {
  constexpr std::int64_t noon = 1'795'000'000'000'000;
  mf::runtime::StoredLog log(1 << 20);
  mf::runtime::LogStamper stamper;
  std::string expected;
  for (const auto& line : lines) {
    log.add_own_line(line, stamper.next(noon));
    // A line without a message is shown as well.
    expected += mf::sanitized_utf8(line) + '\n';
  }
  const auto stored = log.take();
  fuzz::require(mf::is_utf8(stored));
  fuzz::require(mf::client::log_text({stored}) == expected);
}

void check_limit(const Lines& lines, std::size_t limit) {
  mf::runtime::StoredLog log(limit);
  mf::runtime::LogStamper stamper;
  for (const auto& line : lines) log.add_task_line(line, stamper.next(0));
  constexpr std::size_t notice = 200;
  const auto stored = log.take();
  fuzz::require(stored.size() <= limit + notice && mf::is_utf8(stored));
  for (const auto& line : mf::client::merge_log_lines({stored})) fuzz::require(!line.timestamp.empty());
}

/// Both readers understand the same.
void check_structured(std::string_view line) {
  const auto structured = mf::runtime::parse_structured_line(line);
  if (!structured) return;
  const std::vector<std::string> stored = {std::string(line)};
  const auto lines = mf::client::merge_log_lines(stored);
  fuzz::require(lines.size() == 1 && lines[0].message == structured->message);
  fuzz::require(mf::read_utc_timestamp(lines[0].timestamp) == structured->microseconds);
}

void check_merging(const std::vector<std::string>& files) {
  std::size_t expected = 0;
  for (const auto& file : files)
    for (const auto& line : fuzz::split(file, '\n')) expected += line.empty() ? 0 : 1;
  const auto lines = mf::client::merge_log_lines(files);
  fuzz::require(lines.size() == expected);
  const mf::client::StampedLine* before = nullptr;
  for (const auto& line : lines) {
    if (before != nullptr && !line.timestamp.empty()) fuzz::require(before->timestamp <= line.timestamp);
    if (before != nullptr && before->timestamp.empty()) fuzz::require(line.timestamp.empty());
    before = &line;
    mf::client::is_mark_of_failure(line.message);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto text = fuzz::text_of(data + 1, size - 1);
  const auto lines = check_splitter(text, 1 + data[0] % 32);
  check_stored(lines);
  check_limit(lines, data[0] * 4);
  for (const auto& line : lines) check_structured(line);
  check_merging(fuzz::split(text, '\0'));
  return 0;
}
