#include <csignal>
#include <cstdlib>
#include <map>
#include <random>

#include <unistd.h>

#include "compute/run_fixture.hpp"
#include "model/check.hpp"
#include "model/graph.hpp"
#include "runtime/task_inputs.hpp"

/// Flows made at random, with tasks that fail at random: whatever a run and its resumed runs leave is what a plain
/// evaluation of the same flow gives, which knows nothing of graphs, plans and processes.
namespace metaflow::compute {
namespace {

constexpr std::size_t deepest = 4;
constexpr std::size_t most_tasks = 40;

/// A step and what it opens: the branches of a split, the body of a foreach, the cases of a switch, or its own rounds.
struct Block {
  enum class Kind { step, split, foreach, switch_on, loop } kind = Kind::step;
  std::string name;
  std::size_t count = 0;                          ///< items of a foreach, rounds of a loop
  std::vector<std::vector<Block>> branches = {};  ///< one for a foreach
  std::string last() const { return kind == Kind::step ? name : name + "_end"; }  ///< the step that ends it
};
using Sequence = std::vector<Block>;

class Maker {
 public:
  explicit Maker(std::uint64_t seed) : random_(seed) {}

  Sequence sequence(std::size_t depth) {
    Sequence blocks;
    for (auto left = between(1, depth == 0 ? 3 : 2); left > 0; --left) blocks.push_back(block(depth));
    return blocks;
  }
  std::size_t between(std::size_t least, std::size_t most) {
    return std::uniform_int_distribution<std::size_t>(least, most)(random_);
  }

 private:
  Block block(std::size_t depth) {
    Block block;
    block.kind = depth == deepest ? Block::Kind::step : static_cast<Block::Kind>(between(0, 4));
    block.name = "s" + std::to_string(++names_);
    block.count = between(1, 3);
    std::size_t branches = 0;
    if (block.kind == Block::Kind::split || block.kind == Block::Kind::switch_on) branches = between(2, 3);
    if (block.kind == Block::Kind::foreach) branches = 1;
    for (; branches > 0; --branches) block.branches.push_back(sequence(depth + 1));
    return block;
  }

  std::mt19937_64 random_;
  std::size_t names_ = 0;
};

/// A task, whatever its id: step, position in the foreaches around it, round.
using Place = std::tuple<std::string, std::vector<std::int64_t>, std::int64_t>;
using Results = std::map<Place, std::int64_t>;

std::int64_t mix(std::int64_t value, std::int64_t more) {
  auto bits = static_cast<std::uint64_t>(value) * 0x9e3779b97f4a7c15 ^ static_cast<std::uint64_t>(more);
  bits ^= bits >> 29;
  return static_cast<std::int64_t>(bits * 0xbf58476d1ce4e5b9 >> 2);
}
std::int64_t number_of(const std::string& name) {
  return static_cast<std::int64_t>(std::hash<std::string>()(name) >> 1);
}
/// What a step makes of what it starts from.
std::int64_t worked(const std::string& step, const std::vector<std::int64_t>& indices, std::int64_t value) {
  for (const auto index : indices) value = mix(value, index);
  return mix(value, number_of(step));
}
std::int64_t joined(const std::vector<std::int64_t>& values) {
  std::int64_t all = 17;
  for (const auto value : values) all = mix(all, value);
  return all;
}
std::size_t choice(std::int64_t value, std::size_t count) { return static_cast<std::size_t>(value) % count; }

/// The plain evaluation.
class Evaluation {
 public:
  Results results;

  std::int64_t sequence(const Sequence& blocks, const std::vector<std::int64_t>& indices, std::int64_t value) {
    for (const auto& block : blocks) value = this->block(block, indices, value);
    return value;
  }
  std::int64_t task(const std::string& step, const std::vector<std::int64_t>& indices, std::int64_t value,
                    std::int64_t round = 0) {
    return results[{step, indices, round}] = worked(step, indices, value);
  }

 private:
  std::int64_t block(const Block& block, const std::vector<std::int64_t>& indices, std::int64_t value) {
    value = task(block.name, indices, value);
    if (block.kind == Block::Kind::step) return value;
    std::vector<std::int64_t> ends;
    if (block.kind == Block::Kind::split)
      for (const auto& branch : block.branches) ends.push_back(sequence(branch, indices, value));
    if (block.kind == Block::Kind::foreach)
      for (std::size_t i = 0; i < block.count; ++i) {
        auto inner = indices;
        inner.push_back(static_cast<std::int64_t>(i));
        ends.push_back(sequence(block.branches[0], inner, value));
      }
    if (block.kind == Block::Kind::switch_on)
      value = sequence(block.branches[choice(value, block.branches.size())], indices, value);
    if (block.kind == Block::Kind::loop)
      for (std::size_t round = 1; round < block.count; ++round)
        value = task(block.name, indices, value, static_cast<std::int64_t>(round));
    return task(block.last(), indices, ends.empty() ? value : joined(ends));
  }
};

/// Which attempts fail, and how.
struct Trouble {
  std::int64_t seed = 0;
  std::int64_t percent = 0;

  void strike(const std::string& step, std::int64_t value, int attempt) const {
    const auto dice = static_cast<std::uint64_t>(mix(mix(seed, number_of(step)), value + attempt));
    if (static_cast<std::int64_t>(dice % 100) >= percent) return;
    if (dice / 100 % 3 == 0) ::_exit(3);
    if (dice / 100 % 3 == 1) ::raise(SIGKILL);
    throw std::runtime_error("as the dice fell");
  }
};

/// Lowers blocks to a flow, as a binding would.
class Lowering {
 public:
  Lowering(HandMadeFlow& flow, const Trouble& trouble, Maker& maker) : flow_(flow), trouble_(trouble), maker_(maker) {}

  void sequence(const Sequence& blocks, const std::string& after) {
    for (std::size_t i = 0; i < blocks.size(); ++i)
      block(blocks[i], i + 1 < blocks.size() ? blocks[i + 1].name : after);
  }
  void linear(const std::string& name, const std::string& after) { retried(flow_.linear(name, after, body(name))); }

 private:
  void block(const Block& block, const std::string& after) {
    std::vector<std::string> firsts;
    for (const auto& branch : block.branches) firsts.push_back(branch.front().name);
    switch (block.kind) {
      case Block::Kind::step:
        return linear(block.name, after);
      case Block::Kind::split:
        retried(flow_.step(block.name, model::Transition::split, firsts, body(block.name)));
        break;
      case Block::Kind::foreach: {
        std::vector<std::string> items;
        for (std::size_t i = 0; i < block.count; ++i) items.push_back("item " + std::to_string(i));
        auto& step = flow_.step(block.name, model::Transition::foreach, firsts,
                                body(block.name, [items](std::int64_t, std::int64_t, StepResult& result) {
                                  result.foreach_values = items;
                                }));
        step.foreach_artifact = "items";
        retried(step);
        break;
      }
      case Block::Kind::switch_on:
        choosing(block.name, firsts, [firsts](std::int64_t value, std::int64_t, StepResult& result) {
          result.chosen = firsts[choice(value, firsts.size())];
        });
        break;
      case Block::Kind::loop:
        choosing(block.name, {block.name, block.last()}, [block](std::int64_t, std::int64_t round, StepResult& result) {
          result.chosen = round + 1 < static_cast<std::int64_t>(block.count) ? block.name : block.last();
        });
        break;
    }
    for (const auto& branch : block.branches) sequence(branch, block.last());
    if (block.kind == Block::Kind::split || block.kind == Block::Kind::foreach)
      retried(flow_.join(block.last(), after, body(block.last())));
    else
      linear(block.last(), after);
  }

  using Finish = std::function<void(std::int64_t value, std::int64_t round, StepResult& result)>;

  void choosing(const std::string& name, const std::vector<std::string>& targets, Finish finish) {
    auto& step = flow_.step(name, model::Transition::switch_on, targets, body(name, std::move(finish)));
    step.condition = "choice";
    for (const auto& target : targets) step.cases.push_back({target, target});
    retried(step);
  }

  Body body(const std::string& name, Finish finish = {}) {
    return [name, finish, &trouble = trouble_](TaskContext& task) {
      StepResult result;
      try {
        std::vector<std::int64_t> indices;
        for (const auto& frame : task.current().foreach_stack) indices.push_back(frame.index);
        const auto round = get(task.inherited(), "round " + name);
        const auto value = worked(name, indices, before(task));
        trouble.strike(name, value, task.current().retry_count);
        put(task, "value", value);
        put(task, "round " + name, round.is_none() ? 1 : round.as_integer() + 1);
        if (finish) finish(value, round.is_none() ? 0 : round.as_integer(), result);
      } catch (const std::runtime_error& error) {
        result.failure = Failure{"std::runtime_error", error.what(), error.what(), ""};
      }
      return result;
    };
  }
  static std::int64_t before(const TaskContext& task) {
    if (task.input_count() == 1 && task.inherited().find("value")) return get(task.inherited(), "value").as_integer();
    std::vector<std::int64_t> values;
    for (std::size_t i = 0; i < task.input_count(); ++i)
      if (task.input(i).find("value")) values.push_back(get(task.input(i), "value").as_integer());
    return values.empty() ? 0 : joined(values);
  }

  void retried(model::Step& step) {
    if (const auto times = maker_.between(0, 2); times > 0)
      step.decorators = {{"retry", {{"times", std::to_string(times)}}}};
  }

  HandMadeFlow& flow_;
  const Trouble& trouble_;
  Maker& maker_;
};

class RandomFlowTest : public RunTest {
 protected:
  /// What finished tasks of the latest run left.
  Results stored() const {
    Results results;
    const datastore::TaskStore tasks(*objects_, flow_);
    const datastore::BlobStore blobs(*objects_, flow_);
    for (const auto& [step, created] : metadata_->steps(flow_, run_)) {
      if (step == "_parameters") continue;
      for (const auto& task : tasks_of(step)) {
        const auto table = tasks.read(path(step, task));
        if (!table) continue;
        const auto source = datastore::make_artifact_source(blobs, flow_, path(step, task), *table);
        std::vector<std::int64_t> indices;
        for (const auto& frame : source->foreach_stack()) indices.push_back(frame.index);
        const auto rounds = get(*source, "_iteration_stack");
        const auto round = rounds.items().empty() ? 0 : rounds.items().back().as_integer();
        results[{step, indices, round}] = get(*source, "value").as_integer();
      }
    }
    return results;
  }

  /// Runs one flow to its end, by `resume` as often as it takes; true when it took some.
  bool run_whole(std::uint64_t seed) {
    Maker maker(seed);
    Evaluation evaluation;
    const auto blocks = pick(maker, evaluation);
    Trouble trouble{.seed = static_cast<std::int64_t>(seed),
                    .percent = static_cast<std::int64_t>(maker.between(0, 20))};
    HandMadeFlow flow("Random");
    Lowering lowering(flow, trouble, maker);
    lowering.linear("start", blocks.front().name);
    lowering.sequence(blocks, "end");
    flow.end("end", [](TaskContext& task) {
      put(task, "value", worked("end", {}, get(task.inherited(), "value").as_integer()));
      return StepResult();
    });
    const auto findings = model::check(flow.program.flow);
    EXPECT_TRUE(findings.empty()) << findings.front().message;

    const runtime::RunOptions options{.max_workers = maker.between(0, 1) == 0 ? 1 : 16};
    int code = run(flow, options), resumes = 0;
    for (; code != 0 && resumes < 3; ++resumes) {
      EXPECT_EQ(code, 1) << message_;
      ++trouble.seed;
      if (resumes == 2) trouble.percent = 0;
      code = resume(flow);
    }
    EXPECT_EQ(code, 0) << out_ << err_ << message_;
    EXPECT_EQ(stored(), evaluation.results);
    return resumes > 0;
  }

  /// Blocks that make neither too few tasks to be of interest nor too many to be fast.
  static Sequence pick(Maker& maker, Evaluation& evaluation) {
    for (;;) {
      auto blocks = maker.sequence(0);
      evaluation.results.clear();
      const auto first = evaluation.task("start", {}, 0);
      evaluation.task("end", {}, evaluation.sequence(blocks, {}, first));
      if (evaluation.results.size() >= 6 && evaluation.results.size() <= most_tasks) return blocks;
    }
  }
};

TEST_F(RandomFlowTest, WhateverFailsTheResultIsThatOfAPlainEvaluation) {
  const char* only = std::getenv("METAFLOW_TEST_SEED");
  const char* all = std::getenv("METAFLOW_TEST_ALL");
  const std::uint64_t count = all != nullptr && *all != '\0' ? 1000 : 100;
  std::uint64_t resumed = 0;
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    if (only != nullptr && std::to_string(seed) != only) continue;
    SCOPED_TRACE("METAFLOW_TEST_SEED=" + std::to_string(seed) + " repeats this flow alone");
    resumed += run_whole(seed) ? 1 : 0;
    if (HasFailure()) return;
  }
  EXPECT_TRUE(only != nullptr || resumed >= count / 4) << "too few runs fail to say much about resume: " << resumed;
}

}  // namespace
}  // namespace metaflow::compute
