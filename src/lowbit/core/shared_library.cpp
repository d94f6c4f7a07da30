#include "lowbit/core/shared_library.h"

#include <dlfcn.h>

#include "lowbit/core/error.h"

namespace lowbit::core {

SharedLibrary::SharedLibrary(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (handle_) return;
    name_ = name;
    handle_ = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
  }
}

void* SharedLibrary::address(const char* name) const {
  void* found = ::dlsym(handle_, name);
  if (!found) throw failure("the {} of this machine lacks {}", name_, name);
  return found;
}

}  // namespace lowbit::core
