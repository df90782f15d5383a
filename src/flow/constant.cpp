#include <metaflow/constant.hpp>

namespace metaflow::detail {

model::Constant make_constant(std::string_view name, const Encoded& value) {
  model::Constant constant{.name = std::string(name), .type = value.type, .pickle = {}};
  constant.pickle.reserve(value.pickle.size());
  for (std::size_t i = 0; i < value.pickle.count(); ++i) {
    const auto piece = value.pickle.piece(i);
    constant.pickle.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  return constant;
}

}  // namespace metaflow::detail
