// Opens the latest run of the flow Wide and reads one number of each task of its step `body`.
#include <metaflow/client.hpp>

#include <cstdio>

int main() {
  const auto run = metaflow::client::Flow("Wide").latest_run().value();
  long total = 0;
  std::size_t count = 0;
  for (const auto& task : run.step("body").tasks()) {
    total += task.artifact<int>("number").value();
    ++count;
  }
  std::printf("%zu tasks, total %ld\n", count, total);
}
