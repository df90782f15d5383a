#pragma once

#include "cli/arguments.hpp"

/// `metaflow configure`: the file of settings of a profile.
namespace metaflow::cli {

Command configure_show_command();
int show_configuration(const Arguments& arguments);
Command configure_export_command();
int export_configuration(const Arguments& arguments);
Command configure_import_command();
int import_configuration(const Arguments& arguments);
Command configure_reset_command();
int reset_configuration(const Arguments& arguments);
Command configure_aws_command();
int configure_aws(const Arguments& arguments);

/// The lines of `metaflow status` about where things are stored: those of `configure show` for what holds here.
std::string configuration_status();

}  // namespace metaflow::cli
