// The threads of a session.
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <vector>

namespace lowbit::runtime {

class Pool {
 public:
  // `threads` >= 1, the calling one among them. An Error (failure) if the system starts no more.
  explicit Pool(int threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int threads() const { return static_cast<int>(shares_.size()); }

  // Calls body(task, thread) for each task below `tasks` < 2^16, at most once at a time for each
  // thread below threads(); returns when all are done. A thread begins with the same share of the
  // tasks each time: what it has written lies in its cache. A thread that gets no core, as others
  // are busy, keeps nobody waiting: the others do its tasks. Nothing is allocated, and bodies do
  // not throw.
  template <class Body>
  void each(int tasks, const Body& body) {
    run(tasks, &body, [](const void* what, int task, int thread) {
      (*static_cast<const Body*>(what))(task, thread);
    });
  }

  // In a process that was forked off, the other threads do not exist: after this call each() does
  // without them there.
  void notice_fork();

 private:
  using Call = void (*)(const void* body, int task, int thread);

  // The tasks of one thread, of which others take some when they are done with theirs: the number
  // of the work in 32 bits, so that nobody takes tasks of other work than it knows, the next task
  // and the end in 16 bits each.
  struct alignas(64) Share {
    std::atomic<uint64_t> state{0};
  };
  struct Worker {
    Pool* pool;
    int thread;
    pthread_t handle;
  };

  void run(int tasks, const void* body, Call call);
  void take_tasks(uint32_t work, int thread);
  void serve(int thread);
  void end();

  // Of the work at hand; changed only while no task of it is left.
  const void* body_ = nullptr;
  Call call_ = nullptr;
  std::vector<Share> shares_;       // of each thread
  std::atomic<int> unfinished_{0};  // tasks
  std::atomic<uint32_t> work_{0};   // how often there was some
  std::atomic<bool> ends_{false};
  int looks_;  // of the calling thread, as in wait_while
  pid_t process_;
  bool alone_ = false;
  std::vector<Worker> workers_;
};

}  // namespace lowbit::runtime
