#pragma once

#include <optional>
#include <set>
#include <string>

#include <metaflow/client.hpp>

#include "cli/arguments.hpp"

/// Runs chosen by options, the same for `metaflow ls` and `metaflow gc`.
namespace metaflow::cli {

Option status_option(std::string help);
Option tag_option();
Option user_option();

/// What `--status`, `--tag`, `--user`, `--since`, `--until` and `--older-than` ask for, as far as the command has them.
class RunFilter {
 public:
  explicit RunFilter(const Arguments& arguments);

  /// All of these must be there; `client::Flow::runs` takes them.
  const std::set<std::string>& tags() const { return tags_; }
  bool takes(client::Status status) const { return !status_ || *status_ == client::status_name(status); }
  /// Apart from tags.
  bool takes(const client::Run& run) const;

 private:
  std::optional<std::string> status_, user_;
  std::set<std::string> tags_;
  std::optional<client::Time> since_, until_;
};

}  // namespace metaflow::cli
