#include "lowbit/runtime/pool.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "lowbit/core/error.h"

namespace lowbit::runtime {
namespace {

// The steps of a network follow each other within microseconds, and the threads finish a step some
// tens of them apart: looking so often (about 0.3 ms) is faster than sleeping. Where it was in
// vain, as the other thread had no core or there was nothing to do, the next time has half as many
// looks, so that the core is soon left to those that need it.
constexpr int kMostLooks = 12'000, kFewestLooks = 1'000;

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Until the number is another one, which it returns.
template <class T>
T wait_while(const std::atomic<T>& number, T value, int& looks) {
  for (int look = 0; look < looks; ++look) {
    const T now = number.load(std::memory_order_acquire);
    if (now != value) {
      looks = std::min(2 * looks, kMostLooks);
      return now;
    }
    pause();
  }
  looks = std::max(looks / 2, kFewestLooks);
  number.wait(value, std::memory_order_acquire);
  return number.load(std::memory_order_acquire);
}

constexpr int kTaskBits = 16;
constexpr uint64_t kTaskMask = (1 << kTaskBits) - 1;

}  // namespace

Pool::Pool(int threads)
    : shares_(static_cast<size_t>(threads)), looks_(kMostLooks), process_(::getpid()) {
  workers_.reserve(static_cast<size_t>(threads) - 1);  // threads have pointers to them
  for (int thread = 1; thread < threads; ++thread) {
    Worker& worker = workers_.emplace_back(Worker{this, thread, {}});
    const int error = pthread_create(
        &worker.handle, nullptr,
        [](void* self) -> void* {
          const Worker& own = *static_cast<const Worker*>(self);
          own.pool->serve(own.thread);
          return nullptr;
        },
        &worker);
    if (error == 0) continue;
    workers_.pop_back();
    end();
    throw core::failure("thread {} of {} cannot be started: {}", thread + 1, threads,
                        std::strerror(error));
  }
}

Pool::~Pool() {
  notice_fork();
  if (!alone_) end();
}

void Pool::notice_fork() {
  alone_ = alone_ || ::getpid() != process_;
}

void Pool::end() {
  ends_ = true;
  ++work_;
  work_.notify_all();
  for (const Worker& worker : workers_) pthread_join(worker.handle, nullptr);
}

void Pool::take_tasks(uint32_t work, int thread) {
  for (int other = 0; other < threads(); ++other) {
    std::atomic<uint64_t>& share = shares_[static_cast<size_t>((thread + other) % threads())].state;
    uint64_t state = share.load(std::memory_order_acquire);
    for (;;) {
      if (state >> 2 * kTaskBits != work) return;  // it is done, and perhaps there is other work
      const uint64_t next = state >> kTaskBits & kTaskMask;
      if (next >= (state & kTaskMask)) break;
      if (!share.compare_exchange_weak(state, state + (kTaskMask + 1), std::memory_order_acq_rel,
                                       std::memory_order_acquire))
        continue;
      call_(body_, static_cast<int>(next), thread);
      if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_one();
      state = share.load(std::memory_order_acquire);
    }
  }
}

void Pool::serve(int thread) {
  int looks = kMostLooks;
  for (uint32_t seen = 0;;) {
    seen = wait_while(work_, seen, looks);
    if (ends_) return;
    take_tasks(seen, thread);
  }
}

void Pool::run(int tasks, const void* body, Call call) {
  if (workers_.empty() || tasks <= 1 || alone_) {
    for (int task = 0; task < tasks; ++task) call(body, task, 0);
    return;
  }
  const uint32_t work = work_.load(std::memory_order_relaxed) + 1;
  body_ = body;
  call_ = call;
  unfinished_.store(tasks, std::memory_order_relaxed);
  for (int thread = 0, first = 0; thread < threads(); ++thread) {
    const int end = first + (tasks - first) / (threads() - thread);
    shares_[static_cast<size_t>(thread)].state.store(uint64_t{work} << 2 * kTaskBits |
                                                         static_cast<uint64_t>(first) << kTaskBits |
                                                         static_cast<uint64_t>(end),
                                                     std::memory_order_release);
    first = end;
  }
  work_.store(work, std::memory_order_release);
  work_.notify_all();
  take_tasks(work, 0);
  for (int left = unfinished_.load(std::memory_order_acquire); left != 0;)
    left = wait_while(unfinished_, left, looks_);
}

}  // namespace lowbit::runtime
