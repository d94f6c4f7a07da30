#include "lowbit/distributed/meeting.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <optional>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "lowbit/core/error.h"
#include "lowbit/distributed/background.h"
#include "lowbit/distributed/peer_lost.h"
#include "lowbit/distributed/peer_watch.h"
#include "lowbit/distributed/port.h"

namespace lowbit::distributed {
namespace {

using StorePointer = c10::intrusive_ptr<c10d::Store>;

constexpr std::chrono::milliseconds kPollEvery(50);

// "10.0.0.1:29500"
std::string address_of(const Place& place) {
  return fmt::format("{}:{}", place.host, place.port);
}

// torchrun, which starts failed processes again, keeps one store for all attempts.
std::string prefix_of_attempt() {
  const char* attempt = std::getenv("TORCHELASTIC_RESTART_COUNT");
  return attempt ? fmt::format("lowbit/{}", attempt) : "lowbit";
}

std::string name_of_this(const Place& place) {
  char host[HOST_NAME_MAX + 1] = "";
  ::gethostname(host, sizeof host - 1);
  return fmt::format("process {} of {} (PID {} on {})", place.rank, place.size, ::getpid(), host);
}

std::string key(const char* what, int rank) {
  return fmt::format("{}/{}", what, rank);
}

// Runs on a thread of its own, as any of its steps may block.
class Meeting {
 public:
  Meeting(const Place& place, const Facts& facts, std::shared_ptr<Stages> stages,
          std::chrono::milliseconds longest)
      : place_(place), facts_(facts), stages_(std::move(stages)), longest_(longest) {
    facts_.insert(facts_.begin(), {"number of processes", std::to_string(place.size)});
  }

  Met meet() {
    try {
      connect();
    } catch (const core::Error&) {
      throw;
    } catch (const std::exception& error) {
      throw core::failure("{}", not_first()).detail(reason_of(error));
    }
    try {
      register_here();
      await_all();
      std::vector<std::string> names;
      for (int rank = 0; rank < place_.size; ++rank)
        names.push_back(store_->get_to_str(key("name", rank)));
      return {store_, store_of_watch_, names};
    } catch (const core::Error&) {
      throw;
    } catch (const std::exception& error) {
      PeerLost lost(
          fmt::format("process 0 of {}, which was at {}", place_.size, address_of(place_)));
      lost.detail(reason_of(error));
      throw lost;
    }
  }

 private:
  std::string not_first() const {
    return fmt::format(
        "what answers at {} is not process 0 of this run: another program has that port "
        "(MASTER_ADDR, MASTER_PORT)",
        address_of(place_));
  }

  void connect() {
    std::optional<int> listening;
    if (place_.leads() && !place_.store_is_open)
      listening = open_port(place_.port, place_.size == place_.local_size);
    else
      await_first();
    // Whoever listens there answers within seconds, unless it is another service.
    constexpr std::chrono::milliseconds kLongestAnswer = std::chrono::seconds(15);
    stages_->enter({.what = "an answer of " + address_of(place_),
                    .longest = std::min(longest_, kLongestAnswer),
                    .if_late = not_first()});
    c10d::TCPStoreOptions options;
    options.port = static_cast<std::uint16_t>(place_.port);
    options.waitWorkers = false;
    options.timeout = kLongestAnswer;
    options.isServer = listening.has_value();
    options.masterListenFd = listening;
    const auto shared = c10::make_intrusive<c10d::TCPStore>(place_.host, options);
    options.isServer = false;
    options.masterListenFd.reset();
    const auto of_watch = c10::make_intrusive<c10d::TCPStore>(place_.host, options);
    shared->setTimeout(kNoLimit);
    of_watch->setTimeout(kNoLimit);
    store_ = prefixed(shared);
    store_of_watch_ = prefixed(of_watch);
  }

  static StorePointer prefixed(StorePointer store) {
    return c10::make_intrusive<c10d::PrefixStore>(prefix_of_attempt(), std::move(store));
  }

  // Until somebody answers at the place of process 0.
  void await_first() {
    // The names of machines that start together may appear late.
    constexpr std::chrono::milliseconds kLongestWithoutHost = std::chrono::seconds(30);
    constexpr std::chrono::milliseconds kRetryEvery(200);
    const std::string what = "process 0 at " + address_of(place_);
    stages_->enter({.what = what, .longest = longest_});
    for (bool known = true;; stages_->sleep(kRetryEvery)) {
      const Reach reached = reach(place_.host, place_.port);
      if (reached.trouble.empty()) return;
      if (known != !reached.no_such_host) {
        known = !reached.no_such_host;
        stages_->enter(known ? Stage{.what = what, .longest = longest_}
                             : Stage{.what = what,
                                     .longest = std::min(longest_, kLongestWithoutHost),
                                     .if_late = fmt::format("there is no host '{}' (MASTER_ADDR)",
                                                            place_.host)});
      }
      stages_->update(fmt::format("{} ({})", what, reached.trouble));
    }
  }

  void register_here() {
    if (store_->add(key("claim", place_.rank), 1) > 1)
      throw core::usage_error("two processes at {} have rank {} (RANK)", address_of(place_),
                              place_.rank);
    store_->add("present", 1);
    if (place_.leads()) store_->set("facts", to_text(facts_));
    stages_->enter({.what = "process 0 at " + address_of(place_), .longest = longest_});
    while (!store_->check({"facts"})) stages_->sleep(kPollEvery);
    const std::string wrong =
        differences(facts_of(store_->get_to_str("facts")), facts_, place_.rank);
    PeerWatch::announce(*store_, place_.rank);
    if (wrong.empty())
      store_->set(key("name", place_.rank), name_of_this(place_));
    else
      store_->compareSet("differences", "", wrong);
  }

  void await_all() {
    std::vector<int> missing(static_cast<size_t>(place_.size));
    for (int rank = 0; rank < place_.size; ++rank) missing[static_cast<size_t>(rank)] = rank;
    stages_->enter({.longest = longest_});
    // The more ask, the more rarely.
    for (;; stages_->sleep(kPollEvery + std::chrono::milliseconds(place_.size))) {
      if (store_->check({"differences"})) disagree();
      std::erase_if(missing, [this](int rank) { return store_->check({key("name", rank)}); });
      if (missing.empty()) return;
      stages_->update(fmt::format("{} of {} processes at {} (rank {})", missing.size(), place_.size,
                                  address_of(place_), list_of(missing)),
                      another_says_it(missing));
    }
  }

  static std::string list_of(const std::vector<int>& ranks) {
    constexpr size_t kShown = 8;
    const auto shown = static_cast<std::ptrdiff_t>(std::min(ranks.size(), kShown));
    return fmt::format("{}{}", fmt::join(ranks.begin(), ranks.begin() + shown, ", "),
                       ranks.size() > kShown ? ", ..." : "");
  }

  // One process of each machine speaks: the first of those there.
  bool another_says_it(const std::vector<int>& missing) const {
    for (int rank = place_.rank - place_.local_rank; rank < place_.rank; ++rank)
      if (std::ranges::find(missing, rank) == missing.end()) return true;
    return false;
  }

  [[noreturn]] void disagree() {
    constexpr std::chrono::seconds kLongest(2);
    const std::string found = store_->get_to_str("differences");
    const int64_t present = store_->add("present", 0);
    store_->add("read", 1);
    // Process 0 holds the table: it stays until those that are there have read it.
    if (place_.leads()) {
      const auto end = std::chrono::steady_clock::now() + kLongest;
      while (store_->add("read", 0) < present && std::chrono::steady_clock::now() < end)
        stages_->sleep(kPollEvery);
    }
    throw disagreement(found);
  }

  const Place place_;
  Facts facts_;
  const std::shared_ptr<Stages> stages_;
  const std::chrono::milliseconds longest_;
  StorePointer store_, store_of_watch_;
};

}  // namespace

Met meet(const Place& place, const Facts& facts, const Patience& patience) {
  return in_background(
      [=, longest = patience.longest](std::shared_ptr<Stages> stages) {
        return Meeting(place, facts, std::move(stages), longest).meet();
      },
      patience);
}

}  // namespace lowbit::distributed
