// A library that is looked for when it is needed, so that the program starts without it.
#pragma once

#include <initializer_list>

namespace lowbit::core {

// Once loaded it stays for the rest of the process.
class SharedLibrary {
 public:
  // The first of these names that the machine has; see found().
  explicit SharedLibrary(std::initializer_list<const char*> names);

  bool found() const { return handle_ != nullptr; }

  // Sets a pointer to the function of this name. An Error (failure) if the library lacks it.
  template <class Function>
  void get(const char* name, Function& function) const {
    function = reinterpret_cast<Function>(address(name));
  }

 private:
  void* address(const char* name) const;

  const char* name_ = nullptr;
  void* handle_ = nullptr;
};

}  // namespace lowbit::core
