// No flow: reads one number from each task of a step, and prints their sum.
#include <cstdint>
#include <cstdio>
#include <exception>

#include <metaflow/client.hpp>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  try {
    std::int64_t sum = 0;
    for (const auto& task : metaflow::client::Step(argv[1]).tasks())
      sum += task.artifact<std::int64_t>(argv[2]).value();
    std::printf("%lld\n", static_cast<long long>(sum));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
