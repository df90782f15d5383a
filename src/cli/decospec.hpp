#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <metaflow/model.hpp>

namespace metaflow::cli {

/// The decorator that a `--with` text stands for.
///
///     spec  = name [ ":" pair { "," pair } ]
///     pair  = word "=" value        a comma ends a value only before `word=`
///
/// A value is JSON (after \" became "), an integer, a number, or else text. Error(invalid) for an unknown name
/// or attribute, with those known, and for a value that makes no sense.
model::Decorator parse_decospec(std::string_view spec);

/// Adds the decorators of `specs` to every step, after its own. A step that has one of that name already keeps it.
void apply_decospecs(model::Flow& flow, const std::vector<std::string>& specs);

}  // namespace metaflow::cli
