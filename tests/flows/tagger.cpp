// No flow: changes the tags of a run. Each word after the pathspec is +TAG, -TAG or -TAG+TAG.
#include <cstdio>
#include <exception>
#include <string>

#include <metaflow/client.hpp>

namespace {

void change(const metaflow::client::Run& run, const std::string& word) {
  const auto plus = word.find('+');
  if (plus == 0)
    run.add_tag(word.substr(1));
  else if (plus == std::string::npos)
    run.remove_tag(word.substr(1));
  else
    run.replace_tag(word.substr(1, plus - 1), word.substr(plus + 1));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  try {
    const metaflow::client::Run run(argv[1]);
    for (int i = 2; i < argc; ++i) change(run, argv[i]);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
