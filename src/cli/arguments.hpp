#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Commands as tables of options, and the command line taken apart by them. One table serves parsing, environment
/// variables and help.
namespace metaflow::cli {

/// `pairs` takes two words each time: `--config NAME PATH`.
enum class OptionKind { flag, text, integer, repeated, pairs };

/// Whether help shows an option, or it is only accepted: for those that Python flows have and C++ flows need not.
enum class Visibility { shown, accepted };

struct Option {
  std::string name;             ///< without `--`
  std::string short_name = {};  ///< one letter, for `-p`; not for flags
  OptionKind kind = OptionKind::text;
  std::string type = "TEXT";  ///< as help shows it
  std::string help = {};
  /// Used when neither the command line nor the environment says anything.
  std::optional<std::string> default_text = std::nullopt;
  std::vector<std::string> choices = {};  ///< empty: any text
  std::string off_name = {};              ///< flags: the option that switches it off
  std::string variable = {};              ///< end of its environment variable; empty: the name, upper case
  long minimum = 0;                       ///< integers only
  bool required = false;
  bool is_parameter = false;  ///< of the flow: help shows it first
  Visibility visibility = Visibility::shown;

  /// `METAFLOW_RUN_MAX_WORKERS` for prefix `METAFLOW_RUN`.
  std::string environment_variable(std::string_view prefix) const;
};

struct Argument {
  std::string name;  ///< empty: usage does not show it
  bool required = true;
  bool repeated = false;  ///< takes all that are left; the last one only
};

struct Command {
  std::string name = {};     ///< empty for the program itself
  std::string summary = {};  ///< one line
  std::string description = {};
  std::vector<Option> options = {};
  std::vector<Argument> arguments = {};
};

/// What a command line gave for one Command.
class Arguments {
 public:
  /// Whether the command line or the environment said something.
  bool given(const std::string& option) const { return given_.contains(option); }
  /// The last value given, or the default; empty when there is none.
  std::string text(const std::string& option) const;
  /// The same, nothing when there is none.
  std::optional<std::string> optional_text(const std::string& option) const;
  long integer(const std::string& option) const;
  bool flag(const std::string& option) const { return text(option) == "true"; }
  /// All values of a repeated option; of pairs, all words one after another.
  const std::vector<std::string>& list(const std::string& option) const;
  std::optional<std::string> argument(std::size_t i) const;
  const std::vector<std::string>& arguments() const { return positional_; }
  bool help_wanted() const { return help_wanted_; }
  /// For a program with commands: the command and all after it.
  const std::vector<std::string>& rest() const { return rest_; }

 private:
  friend class Parser;
  std::map<std::string, std::vector<std::string>> given_;
  std::map<std::string, std::string> defaults_;
  std::vector<std::string> positional_, rest_;
  bool help_wanted_ = false;
};

/// What follows the options: this command's own arguments, or another command and its arguments.
enum class Followed { by_arguments, by_command };

/// Takes `words` apart. Error(usage) for unknown options, missing or wrong values. Environment variables
/// `<prefix>_<VARIABLE>` stand in for what the command line leaves out; with --help nothing is required.
/// `elsewhere` are options of another level, to be named when one is put here.
Arguments parse_arguments(const Command& command, const std::vector<std::string>& words,
                          const std::string& environment_prefix, Followed followed = Followed::by_arguments,
                          const Command* elsewhere = nullptr);

/// `METAFLOW_RUN` for the command `run`: what the variables that stand in for its options begin with.
std::string environment_prefix_of(std::string_view command);

/// Words of a text, as environment variables hold several values.
std::vector<std::string> split_at_spaces(const std::string& text);
/// The parts of `a,b`, as options hold several values; empty ones are left out.
std::vector<std::string> split_at_commas(const std::string& text);

}  // namespace metaflow::cli
