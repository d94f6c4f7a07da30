#include "latency.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>

namespace lowbit::app {

std::vector<double> latencies(double seconds, const std::function<void()>& run) {
  using Clock = std::chrono::steady_clock;
  run();
  std::vector<double> times;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  do {
    const auto start = Clock::now();
    run();
    times.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  } while (Clock::now() < end);
  return times;
}

double median(std::vector<double> numbers) {
  const auto middle = numbers.begin() + static_cast<int64_t>(numbers.size() / 2);
  std::ranges::nth_element(numbers, middle);
  return *middle;
}

std::vector<uint8_t> noise(const lowbit_description& description) {
  std::vector<uint8_t> image(static_cast<size_t>(description.height) *
                             static_cast<size_t>(description.width) *
                             static_cast<size_t>(description.channels));
  std::mt19937 random(1);  // NOLINT: the same image every time
  for (uint8_t& byte : image) byte = static_cast<uint8_t>(random());
  return image;
}

std::string threads_text(int threads) {
  if (threads == 0) return "all cores";
  return threads == 1 ? "1 thread" : fmt::format("{} threads", threads);
}

}  // namespace lowbit::app
