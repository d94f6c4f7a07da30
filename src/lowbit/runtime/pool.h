// The threads of a session.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace lowbit::runtime {

class Pool {
 public:
  // `threads` >= 1, the calling one among them.
  explicit Pool(int threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(part, thread) for each part below `parts`, at most once at a time for each thread
  // below threads(); returns when all are done. A thread begins with the same share of the parts
  // each time: what it has written lies in its cache. Nothing is allocated, and bodies do not
  // throw.
  template <class Body>
  void each(int parts, const Body& body) {
    run(parts, &body, [](const void* what, int part, int thread) {
      (*static_cast<const Body*>(what))(part, thread);
    });
  }

 private:
  using Call = void (*)(const void* body, int part, int thread);

  // Parts [next, end) of one thread, of which others take some when they are done with theirs.
  struct alignas(64) Share {
    std::atomic<int> next{0};
    int end = 0;
  };

  void run(int parts, const void* body, Call call);
  void take_parts(int thread);
  void work(int thread);
  void end();

  // Of the work at hand; changed only while no worker is at it.
  const void* body_ = nullptr;
  Call call_ = nullptr;
  std::vector<Share> shares_;            // of each thread
  std::atomic<int> busy_{0};             // workers that are not done with it
  std::atomic<uint32_t> generation_{0};  // how often there was work
  std::atomic<bool> ends_{false};
  std::vector<std::thread> workers_;
};

}  // namespace lowbit::runtime
