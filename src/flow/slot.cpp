#include <metaflow/detail/slot.hpp>

#include <cstdlib>
#include <memory>

#include <cxxabi.h>

#include <metaflow/error.hpp>

namespace metaflow::detail {

std::string type_text(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(type.name(), nullptr, nullptr, &status),
                                                         &std::free);
  std::string name = text ? text.get() : type.name();
  // What everybody calls std::string.
  for (const std::string_view spelling :
       {"std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >",
        "std::basic_string<char, std::char_traits<char>, std::allocator<char> >"})
    for (auto at = name.find(spelling); at != std::string::npos; at = name.find(spelling))
      name.replace(at, spelling.size(), "std::string");
  return name;
}

std::optional<ArtifactReference> Slot::stored() const {
  if (!source_ || change_ == Change::forgotten) return std::nullopt;
  return source_->find(stored_name_);
}

Buffer Slot::load() const {
  const auto reference = stored();
  if (!reference) throw_unset();
  return source_->load(stored_name_, *reference);
}

void Slot::throw_unset() const {
  if (!task_) throw Error(ErrorCode::not_found, "this artifact has no value: it belongs to no running task");
  const std::string name(name_);
  std::string message =
      "flow " + task_->flow_name + " has no artifact '" + name + "' in step '" + task_->step_name + "'";
  if (!is_artifact())
    message += ": the parameter --" + name + " was given no value and has no default";
  else if (change_ == Change::forgotten)
    message += ": this step has reset it";
  else if (task_->is_join)
    message +=
        ": a join begins with parameters only; read it from one of the inputs, or call mf::merge_artifacts first";
  else
    message += ": neither this step nor one before it has set it; assign to it there, or ask has_value() first";
  throw Error(ErrorCode::not_found, message, "Artifact not set");
}

void Slot::rethrow_as_unreadable(const std::type_info& asked) const {
  const auto reference = stored();
  const std::string stored_type = reference ? reference->type : "nothing";
  try {
    throw;
  } catch (const Error& error) {
    throw Error(ErrorCode::invalid, "cannot read artifact '" + std::string(stored_name_) + "' of " +
                                        source_->task_pathspec() + " as " + type_text(asked) + ": it holds " +
                                        stored_type + " (" + error.what() + "); give the member another type, or use " +
                                        "mf::Artifact<mf::Value>, which takes anything");
  }
}

void Slot::pass_from(const Slot& other) {
  if (!other.stored()) other.throw_unset();
  source_ = other.source_;
  stored_name_ = other.stored_name_;
  change_ = Change::passed;
}

void SlotAccess::bind(Slot& slot, const TaskView& task, std::string_view name) {
  slot.task_ = &task;
  slot.source_ = task.source;
  slot.name_ = slot.stored_name_ = name;
}

bool SlotAccess::has_value(const Slot& slot) { return slot.change_ == Slot::Change::set || slot.stored().has_value(); }

void SlotAccess::pass(Slot& slot, const ArtifactSource& source, std::string_view name) {
  slot.source_ = &source;
  slot.stored_name_ = name;
  slot.change_ = Slot::Change::passed;
}

void SlotAccess::save(const Slot& slot, std::vector<NamedArtifact>& values, TaskContext& task) {
  switch (slot.change_) {
    case Slot::Change::none:
      break;
    case Slot::Change::set:
      values.push_back({std::string(slot.name_), slot.encode_value()});
      break;
    case Slot::Change::passed:
      task.pass(slot.name_, slot.stored().value());
      break;
    case Slot::Change::forgotten:
      task.drop(slot.name_);
      break;
  }
}

}  // namespace metaflow::detail
