#include "lowbit/distributed/peer_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "lowbit/core/error.h"
#include "lowbit/core/interrupt.h"
#include "lowbit/core/number.h"
#include "lowbit/distributed/peer_lost.h"

namespace lowbit::distributed {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongestBeat(500);
// Beats that a process may miss, on a busy machine.
constexpr int kMissedBeats = 6;
// For the main thread to take an error, before the process is ended without it.
constexpr milliseconds kLongestUnheeded = std::chrono::seconds(15);
constexpr size_t kLongestReason = 1000;

// What a process writes into the store: how often it has, how many waits it has begun, and, where
// it leaves, why.
std::string beat_text(int64_t number, int64_t waits, const std::optional<std::string>& left) {
  return fmt::format("{} {}{}", number, waits, left ? " " + *left : "");
}

std::string beat_key(int rank) {
  return fmt::format("beat/{}", rank);
}

}  // namespace

// Shared with the threads, as the one that uses the store may block for ever.
struct PeerWatch::State {
  struct Peer {
    std::string beat;  // as last read
    int64_t waits = 0;
    std::optional<std::string> left;
    milliseconds silent{0};

    void read(const std::string& text) {
      if (text == beat) return;
      beat = text;
      silent = {};
      const size_t first = text.find(' '), second = text.find(' ', first + 1);
      waits = core::number_of<int64_t>(text.substr(first + 1, second - first - 1)).value_or(0);
      if (second != std::string::npos) left = text.substr(second + 1);
    }
  };

  explicit State(Setup given)
      : setup(std::move(given)),
        beat(std::clamp(setup.patience.longest / 10, milliseconds(20), kLongestBeat)),
        peers(setup.names.size()),
        reminder(setup.patience.quiet) {}

  void exchange_beats();
  void watch();
  void read(const std::vector<std::vector<uint8_t>>& beats, bool prompt);
  void go_on(milliseconds step);
  std::exception_ptr judge() const;
  std::string reminder_line();
  bool is_silent(size_t rank) const {
    return static_cast<int>(rank) != setup.place.rank && !peers[rank].left &&
           silence(rank) >= kMissedBeats * beat;
  }
  // Where the store does not answer, nothing is known of the others but that of the process that
  // holds it.
  milliseconds silence(size_t rank) const {
    const bool blind = round >= kMissedBeats * beat;
    return !blind ? peers[rank].silent : rank == 0 ? round : milliseconds(0);
  }
  std::optional<size_t> most_silent() const;
  std::string whom() const;

  const Setup setup;
  const milliseconds beat;

  std::atomic<int64_t> waits = 0;
  std::atomic<bool> waiting = false, bounded = true;

  mutable std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false, said_farewell = false;
  std::optional<std::string> left;  // why this process leaves
  std::vector<Peer> peers;
  milliseconds round{0};  // since the store answered last
  bool store_is_gone = false;
  milliseconds waited{0}, since_signal{0}, unheeded{0};
  int64_t seen_wait = 0;
  std::exception_ptr verdict;
  Reminder reminder;
};

void PeerWatch::State::exchange_beats() {
  std::vector<std::string> keys;
  for (size_t rank = 0; rank < peers.size(); ++rank)
    keys.push_back(beat_key(static_cast<int>(rank)));
  RunningTime time(std::chrono::hours(24));
  std::unique_lock lock(mutex);
  for (int64_t number = 0;; ++number) {
    const bool last = stopping;
    const std::string own = beat_text(number, waits, left);
    lock.unlock();
    std::vector<std::vector<uint8_t>> beats;
    time.step();
    try {
      setup.store->set(keys[static_cast<size_t>(setup.place.rank)], own);
      if (!last) beats = setup.store->multiGet(keys);
    } catch (const std::exception&) {
      lock.lock();
      store_is_gone = true;
      break;
    }
    lock.lock();
    if (last) break;
    read(beats, time.step() < kMissedBeats * beat);
    changed.wait_for(lock, beat, [this] { return stopping; });
  }
  said_farewell = true;
  changed.notify_all();
}

void PeerWatch::State::read(const std::vector<std::vector<uint8_t>>& beats, bool prompt) {
  for (size_t rank = 0; rank < peers.size(); ++rank) {
    peers[rank].read({beats[rank].begin(), beats[rank].end()});
    // While the store hung the others could not write either.
    if (!prompt) peers[rank].silent = {};
  }
  round = {};
}

void PeerWatch::State::watch() {
  RunningTime time(2 * beat);
  std::unique_lock lock(mutex);
  while (!changed.wait_for(lock, beat, [this] { return stopping; })) {
    go_on(std::chrono::duration_cast<milliseconds>(time.step()));
    verdict = judge();
    unheeded = verdict ? unheeded + beat : milliseconds(0);
    const std::string line = verdict ? "" : reminder_line();
    if (!line.empty()) {
      lock.unlock();
      setup.patience.say(line);
      lock.lock();
    }
    if (setup.end && unheeded >= kLongestUnheeded) {
      const std::exception_ptr error = verdict;
      lock.unlock();
      setup.end(error);
      return;
    }
  }
}

void PeerWatch::State::go_on(milliseconds step) {
  round += step;
  for (Peer& peer : peers) peer.silent += step;
  const int64_t wait = waits;
  waited = waiting && wait == seen_wait ? waited + step : milliseconds(0);
  seen_wait = wait;
  since_signal = core::interrupted() ? since_signal + step : milliseconds(0);
}

std::optional<size_t> PeerWatch::State::most_silent() const {
  std::optional<size_t> found;
  for (size_t rank = 0; rank < peers.size(); ++rank)
    if (is_silent(rank) && (!found || silence(rank) > silence(*found))) found = rank;
  return found;
}

// What is waited for.
std::string PeerWatch::State::whom() const {
  if (const auto silent = most_silent()) return setup.names[*silent] + ", which does not answer";
  for (size_t rank = 0; rank < peers.size(); ++rank)
    if (static_cast<int>(rank) != setup.place.rank && peers[rank].waits < waits)
      return setup.names[rank] + ", which is busy";
  return "the other processes";
}

std::exception_ptr PeerWatch::State::judge() const {
  constexpr const char* kGoOn =
      "the same command with -r goes on from the last state that was saved";
  const auto silent = most_silent();
  const milliseconds longest = setup.patience.longest, grace = setup.patience.grace;
  if (const int signal = core::interrupted()) {
    const bool hopeless = silent && (waited > milliseconds(0) || since_signal >= grace);
    if (!hopeless && std::min(waited, since_signal) < grace) return nullptr;
    core::Interrupted error(signal, "while waiting for " + whom());
    error.detail(kGoOn);
    return std::make_exception_ptr(error);
  }
  if ((silent && silence(*silent) >= longest) || (bounded && waited >= longest)) {
    core::Error error =
        core::failure("gave up waiting for {}, after {}", whom(), seconds_text(longest));
    error.detail(fmt::format("--peer_timeout says how long to wait; {}", kGoOn));
    return std::make_exception_ptr(error);
  }
  // Without a GPU the main thread sees the end of a connection itself.
  if (setup.end && store_is_gone && !setup.place.store_is_open && round >= grace)
    return std::make_exception_ptr(PeerLost(setup.names[0]));
  return nullptr;
}

// "" if none is due.
std::string PeerWatch::State::reminder_line() {
  const auto silent = most_silent();
  const milliseconds time = std::max(waited, silent ? silence(*silent) : milliseconds(0));
  if (time == milliseconds(0)) reminder.restart();
  // One process says it: the first that answers.
  size_t speaker = 0;
  while (speaker < peers.size() && is_silent(speaker)) ++speaker;
  const bool speaks = static_cast<int>(speaker) == setup.place.rank;
  if (!reminder.is_due(time) || !speaks) return "";
  return fmt::format("waiting for {}, for {}", whom(), seconds_text(time));
}

void PeerWatch::announce(c10d::Store& store, int rank) {
  store.set(beat_key(rank), beat_text(-1, 0, {}));
}

PeerWatch::PeerWatch(Setup setup) : state_(std::make_shared<State>(std::move(setup))) {
  std::thread([state = state_] { state->exchange_beats(); }).detach();
  watcher_ = std::thread([state = state_.get()] { state->watch(); });
}

PeerWatch::~PeerWatch() {
  // Nobody waits for long for a process that is about to end.
  constexpr std::chrono::seconds kLongest(1);
  {
    std::unique_lock lock(state_->mutex);
    if (!state_->left) state_->left = "";
    state_->stopping = true;
    state_->changed.notify_all();
    state_->changed.wait_for(lock, kLongest, [this] { return state_->said_farewell; });
  }
  watcher_.join();
}

PeerWatch::Waiting::Waiting(PeerWatch& watch, Limit limit) : watch_(watch) {
  State& state = *watch_.state_;
  state.bounded.store(limit == Limit::patience, std::memory_order_relaxed);
  state.waits.fetch_add(1, std::memory_order_relaxed);
  state.waiting.store(true, std::memory_order_relaxed);
}

PeerWatch::Waiting::~Waiting() {
  watch_.state_->waiting.store(false, std::memory_order_relaxed);
}

void PeerWatch::check() const {
  const std::lock_guard lock(state_->mutex);
  if (state_->verdict) std::rethrow_exception(state_->verdict);
}

void PeerWatch::leave(const std::string& reason) {
  const std::lock_guard lock(state_->mutex);
  state_->left = reason.substr(0, kLongestReason);
}

std::string PeerWatch::find_lost() const {
  const State& state = *state_;
  std::unique_lock lock(state_->mutex);
  for (int beats = 0; beats < 5; ++beats) {
    for (size_t rank = 0; rank < state.peers.size(); ++rank) {
      const auto& left = state.peers[rank].left;
      if (left || state.is_silent(rank))
        return state.setup.names[rank] + (left && !left->empty() ? ": " + *left : "");
    }
    if (state.store_is_gone) return state.setup.names[0];
    state_->changed.wait_for(lock, state.beat);
  }
  return "another process of the run";
}

}  // namespace lowbit::distributed
