// no_memory LIBRARY MODEL: without memory, opening a network is a status and never ends the
// process, nor does it leave anything behind. For n = 1, 2, ... all allocations from the n-th on
// fail, or the n-th alone, in a process of its own, which has thrown nothing before.
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>

#include "lowbit/runtime/lowbit.h"

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void __libc_free(void*);
}

namespace {

bool armed = false, from_there_on = false;
long count = 0, fails_at = 0, alive = 0;

bool fails() {
  if (!armed) return false;
  ++count;
  const bool now = from_there_on ? count >= fails_at : count == fails_at;
  if (now) errno = ENOMEM;
  return now;
}
void* counted(void* memory) {
  if (armed && memory) ++alive;
  return memory;
}

}  // namespace

extern "C" {

void* malloc(size_t bytes) noexcept {
  return fails() ? nullptr : counted(__libc_malloc(bytes));
}
void* calloc(size_t number, size_t bytes) noexcept {
  return fails() ? nullptr : counted(__libc_calloc(number, bytes));
}
void* realloc(void* old, size_t bytes) noexcept {
  if (fails()) return nullptr;
  return old ? __libc_realloc(old, bytes) : counted(__libc_realloc(old, bytes));
}
void* memalign(size_t alignment, size_t bytes) noexcept {
  return fails() ? nullptr : counted(__libc_memalign(alignment, bytes));
}
void* aligned_alloc(size_t alignment, size_t bytes) noexcept {
  return memalign(alignment, bytes);
}
int posix_memalign(void** place, size_t alignment, size_t bytes) noexcept {
  void* memory = memalign(alignment, bytes);
  if (!memory) return ENOMEM;
  *place = memory;
  return 0;
}
void free(void* memory) noexcept {
  if (armed && memory) --alive;
  __libc_free(memory);
}

}  // extern "C"

namespace {

decltype(&lowbit_open) open_file;
decltype(&lowbit_close) close_model;
decltype(&lowbit_session_open) open_session;
decltype(&lowbit_session_close) close_session;

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
}

// What a child found.
enum Found { kRight = 0, kEnded = 10, kLeftSomething = 100, kWrong = 101 };

Found try_it(const char* path, lowbit_status without_memory, long n, bool all) {
  fails_at = n;
  from_there_on = all;
  int anything = 0;
  auto* model = reinterpret_cast<lowbit_model*>(&anything);
  lowbit_session* session = nullptr;
  lowbit_message message;
  armed = true;
  lowbit_status status = open_file(path, "auto", &model, &message);
  if (status == LOWBIT_OK) {
    status = open_session(model, 1, &session, &message);
    close_session(session);
    close_model(model);
  } else if (model) {
    return kWrong;
  }
  armed = false;
  if (alive != 0) return kLeftSomething;
  if (count < n) return kEnded;  // none has failed
  return status == LOWBIT_NO_MEMORY || status == without_memory ? kRight : kWrong;
}

// Whether each is right. without_memory: what else it may say.
bool try_all(const char* path, lowbit_status without_memory, bool all) {
  for (long n = 1;; ++n) {
    const pid_t child = fork();
    if (child == 0) _exit(try_it(path, without_memory, n, all));
    int status;
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == kEnded) return n > 1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == kRight) continue;
    std::fprintf(stderr, "%s: allocation %ld%s: %s %d\n", path, n, all ? " and all others" : "",
                 WIFEXITED(status) ? "found" : "ended by signal",
                 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return false;
  }
}

}  // namespace

int main(int argc, char** argv) {
  void* library = argc == 3 ? dlopen(argv[1], RTLD_NOW) : nullptr;
  if (!library) return 2;
  find(library, "lowbit_open", open_file);
  find(library, "lowbit_close", close_model);
  find(library, "lowbit_session_open", open_session);
  find(library, "lowbit_session_close", close_session);
  bool right = true;
  for (const bool all : {false, true}) {
    right &= try_all(argv[2], LOWBIT_OK, all);        // a network
    right &= try_all(argv[1], LOWBIT_BAD_FILE, all);  // something else
    right &= try_all("/nonexistent", LOWBIT_BAD_FILE, all);
  }
  return right ? 0 : 1;
}
