// Constants of several types, in a foreach with a join that reads one before it has merged anything.
#include <string>
#include <vector>

#include <metaflow/flow.hpp>

namespace mf = metaflow;

enum class Mode { quick, slow };

struct Constants {
  mf::Parameter<int> depth{1, "A parameter beside them"};
  mf::Constant<int> folds{5};
  mf::Constant<std::string> unit{"Ωcm"};
  mf::Constant<std::vector<std::string>> genres{std::vector<std::string>{"comedy", "drama"}};
  mf::Constant<mf::Array<double>> weights{mf::Array<double>({3})};
  mf::Constant<Mode> mode{Mode::quick};
  mf::Artifact<std::string> seen;
  mf::Artifact<int> total, rounds;

  void start() {}
  void work(const std::string& genre) { seen = genre + " in " + *unit; }
  void join(mf::Inputs<Constants> inputs) {
    total = *folds * static_cast<int>(inputs.size()) + *inputs[1].folds;
    mf::merge_artifacts(*this, inputs, {.exclude = {"seen"}});
  }
  void quick() { rounds = 1; }
  void slow() { rounds = 100; }
  void end() {}

  static constexpr auto graph() {
    using F = Constants;
    return mf::graph(
        mf::step<&F::start>().foreach<&F::genres, &F::work>(), mf::step<&F::work>().to<&F::join>(),
        mf::step<&F::join>().to<&F::choose>(),
        mf::step<&F::choose>().switch_on<&F::mode>(mf::when<&F::quick>(Mode::quick), mf::when<&F::slow>(Mode::slow)),
        mf::step<&F::quick>().to<&F::end>(), mf::step<&F::slow>().to<&F::end>(), mf::step<&F::end>());
  }

  void choose() {}
};

int main(int argc, char** argv) { return mf::main<Constants>(argc, argv); }
