#include "cli/arguments.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>

#include <metaflow/error.hpp>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/suggestion.hpp"

namespace metaflow::cli {

std::string Option::environment_variable(std::string_view prefix) const {
  std::string text = std::string(prefix) + '_';
  for (const char c : variable.empty() ? name : variable)
    text += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::string Arguments::text(const std::string& option) const { return optional_text(option).value_or(""); }

std::optional<std::string> Arguments::optional_text(const std::string& option) const {
  if (const auto found = given_.find(option); found != given_.end()) return found->second.back();
  if (const auto found = defaults_.find(option); found != defaults_.end()) return found->second;
  return std::nullopt;
}

long Arguments::integer(const std::string& option) const { return std::stol(text(option)); }

const std::vector<std::string>& Arguments::list(const std::string& option) const {
  static const std::vector<std::string> none;
  const auto found = given_.find(option);
  return found == given_.end() ? none : found->second;
}

std::optional<std::string> Arguments::argument(std::size_t i) const {
  if (i >= positional_.size()) return std::nullopt;
  return positional_[i];
}

namespace {

Error usage(const std::string& text) { return {ErrorCode::usage, text}; }

/// What shells and people write for a switch in an environment variable; nothing for anything else.
std::optional<bool> read_switch(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const auto* yes : {"1", "true", "t", "yes", "y", "on"})
    if (text == yes) return true;
  for (const auto* no : {"0", "false", "f", "no", "n", "off", ""})
    if (text == no) return false;
  return std::nullopt;
}

void check_integer(const Option& option, const std::string& text) {
  long value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size())
    throw usage(fmt::format("Invalid value for '--{}': {} is not a valid integer", option.name, text));
  if (value < option.minimum)
    throw usage(fmt::format("Invalid value for '--{}': {} is less than {}", option.name, text, option.minimum));
}

void check_value(const Option& option, const std::string& text) {
  if (option.kind == OptionKind::integer) check_integer(option, text);
  if (option.choices.empty() || std::find(option.choices.begin(), option.choices.end(), text) != option.choices.end())
    return;
  if (option.choices.size() == 1)
    throw usage(fmt::format("Invalid value for '--{}': '{}' is not available in this version; only '{}' is.",
                            option.name, text, option.choices.front()));
  throw usage(fmt::format("Invalid value for '--{}': '{}' is not one of {}.{}", option.name, text,
                          fmt::join(option.choices, ", "), did_you_mean(text, option.choices)));
}

std::vector<std::string> option_names(const Command& command) {
  std::vector<std::string> names = {"--help"};
  for (const auto& option : command.options) {
    names.push_back("--" + option.name);
    if (!option.off_name.empty()) names.push_back("--" + option.off_name);
  }
  return names;
}

}  // namespace

std::string environment_prefix_of(std::string_view command) {
  std::string prefix = "METAFLOW_";
  for (const char c : command)
    prefix += c == '-' || c == ' ' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return prefix;
}

std::vector<std::string> split_at_spaces(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text + ' ') {
    if (std::isspace(static_cast<unsigned char>(c)) == 0) {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::exchange(word, {}));
    }
  }
  return words;
}

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  std::string part;
  for (const char c : text + ',') {
    if (c != ',')
      part += c;
    else if (!part.empty())
      parts.push_back(std::exchange(part, {}));
  }
  return parts;
}

// No word of a command line has it inside.
constexpr char pair_separator = '\0';

/// One parse. CLI11 takes the words apart; what they mean is decided here.
class Parser {
 public:
  Parser(const Command& command, const Command* elsewhere, Followed followed)
      : command_(command), elsewhere_(elsewhere), followed_(followed) {
    app_.set_help_flag("");
    app_.add_flag("--help", result_.help_wanted_);
    for (const auto& option : command.options) add(option);
    if (followed == Followed::by_command) app_.prefix_command();
    app_.allow_extras();
  }

  Arguments parse(const std::vector<std::string>& words, const std::string& environment_prefix) {
    read_words(words);
    if (result_.help_wanted_) return std::move(result_);
    for (const auto& option : command_.options) {
      if (!result_.given_.contains(option.name)) read_environment(option, environment_prefix);
      if (option.default_text) result_.defaults_[option.name] = *option.default_text;
      if (result_.given_.contains(option.name))
        for (const auto& value : result_.given_[option.name]) check_value(option, value);
      else if (option.required)
        throw usage("Missing option '--" + option.name + "'.");
    }
    check_arguments();
    return std::move(result_);
  }

 private:
  void add(const Option& option) {
    auto& values = result_.given_;
    if (option.kind == OptionKind::flag) {
      app_.add_flag_callback("--" + option.name, [&values, &option] { values[option.name] = {"true"}; })
          ->trigger_on_parse();
      if (!option.off_name.empty())
        app_.add_flag_callback("--" + option.off_name, [&values, &option] { values[option.name] = {"false"}; })
            ->trigger_on_parse();
      return;
    }
    app_.add_option_function<std::string>(
            (option.short_name.empty() ? "" : "-" + option.short_name + ",") + "--" + option.name,
            [&values, &option](const std::string& value) {
              auto& list = values[option.name];
              if (option.kind == OptionKind::pairs) return add_pair(value, list);
              if (option.kind != OptionKind::repeated) list.clear();
              list.push_back(value);
            })
        ->trigger_on_parse();
  }

  /// As `separated` has joined them.
  static void add_pair(const std::string& joined, std::vector<std::string>& list) {
    const auto end = joined.find(pair_separator);
    list.push_back(joined.substr(0, end));
    list.push_back(joined.substr(end + 1));
  }

  /// `--name=value` as two words: CLI11 would take the next word for an empty value. The two words of a pair as one.
  std::vector<std::string> separated(const std::vector<std::string>& words) const {
    std::vector<std::string> separate;
    bool is_value = false;
    for (auto word = words.begin(); word != words.end(); ++word) {
      if (!is_value && takes_pair(*word)) {
        if (words.end() - word < 3) throw usage("Option '" + *word + "' needs two values.");
        separate.push_back(*word);
        separate.push_back(word[1] + pair_separator + word[2]);
        word += 2;
        continue;
      }
      if (!is_value && ends_options(*word)) {
        separate.insert(separate.end(), word, words.end());
        break;
      }
      const auto equals = word->find('=');
      if (!is_value && equals != std::string::npos && takes_value(word->substr(0, equals))) {
        separate.push_back(word->substr(0, equals));
        separate.push_back(word->substr(equals + 1));
      } else {
        separate.push_back(*word);
        is_value = !is_value && takes_value(*word);
      }
    }
    return separate;
  }

  /// Whether this word, and what follows it, is left as it is.
  bool ends_options(const std::string& word) const {
    return word == "--" || (followed_ == Followed::by_command && (word == "-" || !word.starts_with('-')));
  }

  bool takes_value(const std::string& word) const {
    return std::any_of(command_.options.begin(), command_.options.end(), [&](const Option& option) {
      return option.kind != OptionKind::flag && option.kind != OptionKind::pairs &&
             (word == "--" + option.name || (!option.short_name.empty() && word == "-" + option.short_name));
    });
  }

  bool takes_pair(const std::string& word) const {
    return std::any_of(command_.options.begin(), command_.options.end(), [&](const Option& option) {
      return option.kind == OptionKind::pairs && word == "--" + option.name;
    });
  }

  void read_words(const std::vector<std::string>& words) {
    auto reversed = separated(words);
    std::reverse(reversed.begin(), reversed.end());
    try {
      app_.parse(std::move(reversed));
    } catch (const CLI::ArgumentMismatch&) {
      throw usage("Option '" + words.back() + "' needs a value.");
    } catch (const CLI::ParseError& error) {
      throw usage(error.what());
    }
    for (auto& word : app_.remaining()) take(std::move(word));
  }

  void take(std::string word) {
    if (followed_ == Followed::by_command && !result_.rest_.empty()) {
      result_.rest_.push_back(std::move(word));
    } else if (word == "--" && !only_arguments_) {
      only_arguments_ = true;
    } else if (word.size() > 1 && word.front() == '-' && !only_arguments_) {
      refuse(word.substr(0, word.find('=')));
    } else {
      (followed_ == Followed::by_command ? result_.rest_ : result_.positional_).push_back(std::move(word));
    }
  }

  [[noreturn]] void refuse(const std::string& option) const {
    if (elsewhere_ != nullptr) {
      const auto others = option_names(*elsewhere_);
      if (std::find(others.begin(), others.end(), option) != others.end())
        throw usage(fmt::format("No such option '{}' here. It belongs {} the command.", option,
                                followed_ == Followed::by_command ? "after" : "before"));
    }
    throw usage(fmt::format("No such option '{}'.{}", option, did_you_mean(option, option_names(command_))));
  }

  void read_environment(const Option& option, const std::string& prefix) {
    if (option.kind == OptionKind::pairs) return;
    const auto variable = option.environment_variable(prefix);
    const char* value = std::getenv(variable.c_str());
    if (value == nullptr || (*value == '\0' && !option.is_parameter)) return;
    if (option.kind == OptionKind::flag) {
      const auto on = read_switch(value);
      if (!on) throw usage(fmt::format("Invalid value for {}: '{}' is neither true nor false", variable, value));
      result_.given_[option.name] = {*on ? "true" : "false"};
    } else if (option.kind == OptionKind::repeated) {
      if (auto words = split_at_spaces(value); !words.empty()) result_.given_[option.name] = std::move(words);
    } else {
      result_.given_[option.name] = {value};
    }
  }

  void check_arguments() const {
    if (followed_ == Followed::by_command) return;
    const auto& given = result_.positional_;
    const bool takes_all = !command_.arguments.empty() && command_.arguments.back().repeated;
    if (given.size() > command_.arguments.size() && !takes_all)
      throw usage("Got unexpected extra argument (" + given[command_.arguments.size()] + ")");
    for (std::size_t i = given.size(); i < command_.arguments.size(); ++i)
      if (command_.arguments[i].required) throw usage("Missing argument '" + command_.arguments[i].name + "'.");
  }

  const Command& command_;
  const Command* elsewhere_;
  Followed followed_;
  Arguments result_;
  CLI::App app_;
  bool only_arguments_ = false;
};

Arguments parse_arguments(const Command& command, const std::vector<std::string>& words,
                          const std::string& environment_prefix, Followed followed, const Command* elsewhere) {
  return Parser(command, elsewhere, followed).parse(words, environment_prefix);
}

}  // namespace metaflow::cli
