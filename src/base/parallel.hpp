#pragma once

#include <cstddef>
#include <functional>

namespace metaflow {

/// Calls produce(0) … produce(count - 1) on as many threads as the machine has cores, the caller's included, and
/// meanwhile consume(0), consume(1), … in order on the caller's, each after its produce. The first exception of either
/// stops the rest and is thrown to the caller once all threads have ended.
void produce_in_order(std::size_t count, const std::function<void(std::size_t)>& produce,
                      const std::function<void(std::size_t)>& consume);

/// Calls job(0) … job(count - 1), started in this order, on as many threads as the machine has cores.
void for_each_index(std::size_t count, const std::function<void(std::size_t)>& job);

}  // namespace metaflow
