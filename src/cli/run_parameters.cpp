#include "cli/run_parameters.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <numeric>

#include <fcntl.h>
#include <sys/stat.h>

#include <metaflow/pickle.hpp>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/utf8.hpp"
#include "datastore/artifacts.hpp"

namespace metaflow::cli {
namespace {

Error invalid_value(const model::Parameter& parameter, const std::string& reason) {
  return {ErrorCode::usage, fmt::format("Invalid value for '--{}': {}", parameter.name, reason)};
}

std::string expand_home(const std::string& path) {
  const char* home = std::getenv("HOME");
  if (home == nullptr || (path != "~" && !path.starts_with("~/"))) return path;
  return home + path.substr(1);
}

/// The path of an include file that can be read now.
std::string readable_file(const model::Parameter& parameter, const std::string& text) {
  if (text.find("://") != std::string::npos)
    throw invalid_value(parameter, fmt::format("'{}' is no local file; copy it here first", text));
  const auto path = expand_home(text);
  try {
    const auto file = open_file(path, O_RDONLY | O_NONBLOCK);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode))
      throw invalid_value(parameter, fmt::format("'{}' is no regular file", path));
  } catch (const Error& error) {
    if (error.code() == ErrorCode::usage) throw;
    throw invalid_value(parameter, error.what());
  }
  return path;
}

Error failed_default(const model::Parameter& parameter, const std::exception& error) {
  return Error(ErrorCode::invalid,
               fmt::format("The default of parameter '{}' could not be computed: {}", parameter.name, error.what()),
               "Parameter field failed");
}

std::optional<Encoded> default_value(const FlowProgram& program, std::size_t i, const std::string& user) {
  const auto& parameter = program.flow.parameters[i];
  const auto& binding = program.parameters.at(i);
  if (!binding.default_value) return std::nullopt;
  try {
    return binding.default_value({.flow_name = program.flow.name, .user_name = user, .parameter_name = parameter.name});
  } catch (const Error& error) {
    if (error.code() == ErrorCode::usage || !error.headline().empty()) throw;
    throw failed_default(parameter, error);
  } catch (const std::exception& error) {
    throw failed_default(parameter, error);
  }
}

Encoded parse_value(const FlowProgram& program, std::size_t i, const std::string& text) {
  const auto& parameter = program.flow.parameters[i];
  if (!is_utf8(text)) throw invalid_value(parameter, fmt::format("'{}' is not UTF-8 text", sanitized_utf8(text)));
  return program.parameters.at(i).parse(text);
}

std::string bytes_of(const Encoded& encoded) {
  std::string bytes;
  for (std::size_t i = 0; i < encoded.pickle.count(); ++i) {
    const auto piece = encoded.pickle.piece(i);
    bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  return bytes;
}

std::string text_of(const Encoded& encoded) {
  const auto bytes = bytes_of(encoded);
  return std::string(pickle::decode(std::as_bytes(std::span(bytes))).as_text());
}

/// `12KB`, as the line about an include file says it.
std::string rounded_size(std::uint64_t bytes) {
  constexpr std::array units = {"B", "KB", "MB", "GB", "TB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < units.size(); ++unit) bytes /= 1024;
  return fmt::format("{}{} {}", bytes, units[unit], unit >= 3 ? "- this may take a while" : "");
}

}  // namespace

std::vector<Option> parameter_options(const model::Flow& flow) {
  std::vector<const model::Parameter*> sorted;
  for (const auto& parameter : flow.parameters) sorted.push_back(&parameter);
  std::sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return a->attribute < b->attribute; });
  std::vector<Option> options;
  for (const auto* parameter : sorted)
    options.push_back({.name = parameter->name,
                       .type = parameter->type_name,
                       .help = parameter->help,
                       .default_text = parameter->default_text,
                       .required = parameter->required,
                       .is_parameter = true});
  return options;
}

RunParameters::RunParameters(const FlowProgram& program, const Arguments& arguments, const std::string& user)
    : flow_(program.flow) {
  for (std::size_t i = 0; i < flow_.parameters.size(); ++i) {
    const auto& parameter = flow_.parameters[i];
    const bool is_given = arguments.given(parameter.name);
    auto value = is_given ? std::nullopt : default_value(program, i, user);
    if (parameter.kind == model::ParameterKind::include_file && (is_given || value)) {
      add_file(i, is_given ? arguments.text(parameter.name) : text_of(*value));
    } else if (is_given) {
      values_.push_back(parse_value(program, i, arguments.text(parameter.name)));
    } else {
      values_.push_back(value ? std::move(*value) : pickle::encode(Value()));
    }
  }
}

void RunParameters::add_file(std::size_t i, const std::string& text) {
  const auto& parameter = flow_.parameters[i];
  if (!text.starts_with('{')) {
    files_.push_back({i, readable_file(parameter, text)});
    values_.emplace_back();
    return;
  }
  try {
    values_.push_back(datastore::reuse_included_file(text));
  } catch (const Error& error) {
    throw invalid_value(parameter, error.what());
  }
}

runtime::ParameterValues RunParameters::store(const std::string& data_tools_root,
                                              const std::function<void(const std::string&)>& say) && {
  for (const auto& file : files_) {
    const auto& parameter = flow_.parameters[file.parameter];
    say(fmt::format("Including file {} of size {}", file.path, rounded_size(file_size(file.path).value_or(0))));
    values_[file.parameter] = datastore::store_included_file(data_tools_root, flow_.name, file.path, parameter.is_text);
  }
  return std::move(values_);
}

}  // namespace metaflow::cli
