#include "lowbit/runtime/pool.h"

namespace lowbit::runtime {
namespace {

// The steps of a network follow each other within microseconds: only a longer pause is worth the
// way through the system.
constexpr int kLooks = 4000;

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Until the number is another one.
template <class T>
void wait_while(const std::atomic<T>& number, T value) {
  for (int look = 0; look < kLooks; ++look) {
    if (number.load(std::memory_order_acquire) != value) return;
    pause();
  }
  number.wait(value, std::memory_order_acquire);
}

}  // namespace

Pool::Pool(int threads) : shares_(static_cast<size_t>(threads)) {
  try {
    for (int thread = 1; thread < threads; ++thread)
      workers_.emplace_back([this, thread] { work(thread); });
  } catch (...) {
    end();
    throw;
  }
}

Pool::~Pool() {
  end();
}

void Pool::end() {
  ends_ = true;
  ++generation_;
  generation_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void Pool::take_parts(int thread) {
  for (int other = 0; other < threads(); ++other) {
    Share& share = shares_[static_cast<size_t>((thread + other) % threads())];
    for (;;) {
      const int part = share.next.fetch_add(1, std::memory_order_relaxed);
      if (part >= share.end) break;
      call_(body_, part, thread);
    }
  }
}

void Pool::work(int thread) {
  for (uint32_t seen = 0;; ++seen) {
    wait_while(generation_, seen);
    if (ends_) return;
    take_parts(thread);
    if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_.notify_one();
  }
}

void Pool::run(int parts, const void* body, Call call) {
  if (workers_.empty() || parts <= 1) {
    for (int part = 0; part < parts; ++part) call(body, part, 0);
    return;
  }
  body_ = body;
  call_ = call;
  for (int thread = 0, first = 0; thread < threads(); ++thread) {
    Share& share = shares_[static_cast<size_t>(thread)];
    share.next.store(first, std::memory_order_relaxed);
    first += (parts - first) / (threads() - thread);
    share.end = first;
  }
  busy_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  take_parts(0);
  for (int left = busy_.load(std::memory_order_acquire); left != 0;
       left = busy_.load(std::memory_order_acquire))
    wait_while(busy_, left);
}

}  // namespace lowbit::runtime
