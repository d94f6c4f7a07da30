#include "lowbit/distributed/place.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "lowbit/core/error.h"
#include "lowbit/core/threads.h"

namespace lowbit::distributed {
namespace {

std::optional<int> number_from_environment(const char* name, int least, int most) {
  const char* text = std::getenv(name);
  if (!text) return {};
  const std::string_view word(text);
  int value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size() || value < least || value > most)
    throw core::usage_error("{}='{}' in the environment: not a number from {} to {}", name, word,
                            least, most);
  return value;
}

constexpr int kMostProcesses = 1 << 20, kLargestPort = 65535;

}  // namespace

void meet_as_the_environment_says(Place& place) {
  if (const char* host = std::getenv("MASTER_ADDR")) place.host = host;
  if (place.host.empty()) throw core::usage_error("MASTER_ADDR='' in the environment: no host");
  place.port = number_from_environment("MASTER_PORT", 1, kLargestPort).value_or(place.port);
}

std::optional<Place> place_from_environment() {
  const auto size = number_from_environment("WORLD_SIZE", 1, kMostProcesses);
  if (!size) return {};
  const auto rank = number_from_environment("RANK", 0, *size - 1);
  if (!rank) return {};
  Place place{.rank = *rank, .size = *size};
  place.local_size = number_from_environment("LOCAL_WORLD_SIZE", 1, *size).value_or(1);
  place.local_rank = number_from_environment("LOCAL_RANK", 0, place.local_size - 1).value_or(0);
  meet_as_the_environment_says(place);
  const char* open = std::getenv("TORCHELASTIC_USE_AGENT_STORE");
  place.store_is_open = open && std::string_view(open) == "True";
  return place;
}

std::string incomplete_place() {
  const bool rank = std::getenv("RANK") != nullptr, size = std::getenv("WORLD_SIZE") != nullptr;
  if (rank == size) return "";
  return fmt::format("the environment has {}, but not {}: this process trains alone",
                     rank ? "RANK" : "WORLD_SIZE", rank ? "WORLD_SIZE" : "RANK");
}

void take_part_of_cores(const Place& place) {
  if (place.local_size == 1) return;
  const std::vector<int> cores = core::allowed_cores();
  const size_t count = cores.size(), rank = static_cast<size_t>(place.local_rank),
               size = static_cast<size_t>(place.local_size);
  if (count == 0) return;
  // With more processes than cores several share one.
  const size_t first = count < size ? rank % count : count * rank / size;
  const size_t last = count < size ? first + 1 : count * (rank + 1) / size;
  core::stay_on({cores.begin() + static_cast<std::ptrdiff_t>(first),
                 cores.begin() + static_cast<std::ptrdiff_t>(last)});
}

}  // namespace lowbit::distributed
