// Any words are a command line or Error(usage), and what was understood, written out in full, is understood the same.
#include "cli/arguments.hpp"
#include "fuzz.hpp"

namespace mf = metaflow;
using namespace mf::cli;

namespace {

const Command command{.name = "run",
                      .options = {{.name = "quiet", .kind = OptionKind::flag, .off_name = "not-quiet"},
                                  {.name = "name", .default_text = "nobody"},
                                  {.name = "kind", .default_text = "local", .choices = {"local", "far"}},
                                  {.name = "max-workers", .kind = OptionKind::integer, .minimum = 1},
                                  {.name = "tag", .kind = OptionKind::repeated}},
                      .arguments = {{.name = "PATH"}, {.name = "MORE", .required = false, .repeated = true}}};

std::vector<std::string> written(const Arguments& arguments) {
  std::vector<std::string> words;
  for (const auto& option : command.options) {
    if (!arguments.given(option.name)) continue;
    if (option.kind == OptionKind::flag) {
      words.push_back("--" + (arguments.flag(option.name) ? option.name : option.off_name));
    } else {
      for (const auto& value : arguments.list(option.name)) words.push_back("--" + option.name + '=' + value);
    }
  }
  words.emplace_back("--");
  words.insert(words.end(), arguments.arguments().begin(), arguments.arguments().end());
  return words;
}

void check_arguments(const std::vector<std::string>& words) {
  const auto read = [&](const std::vector<std::string>& from) { return parse_arguments(command, from, "FUZZED"); };
  const auto arguments = fuzz::accepted({mf::ErrorCode::usage}, [&] { return read(words); });
  if (!arguments || arguments->help_wanted()) return;
  if (arguments->given("max-workers")) fuzz::require(arguments->integer("max-workers") >= 1);
  const auto again = read(written(*arguments));
  for (const auto& option : command.options) {
    fuzz::require(again.given(option.name) == arguments->given(option.name));
    fuzz::require(again.list(option.name) == arguments->list(option.name));
  }
  fuzz::require(again.arguments() == arguments->arguments());
}

/// What stands behind the command's name is not touched.
void check_program(const std::vector<std::string>& words) {
  const Command program{.options = command.options};
  const auto arguments = fuzz::accepted({mf::ErrorCode::usage}, [&] {
    return parse_arguments(program, words, "FUZZED", Followed::by_command, &command);
  });
  if (!arguments || arguments->help_wanted()) return;
  const auto& rest = arguments->rest();
  fuzz::require(rest.size() <= words.size());
  fuzz::require(std::equal(rest.rbegin(), rest.rend(), words.rbegin()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto words = fuzz::split(fuzz::text_of(data, size), '\0');
  check_arguments(words);
  check_program(words);
  return 0;
}
