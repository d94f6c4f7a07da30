#include "lowbit/core/shared_library.h"

#include <gmock/gmock.h>

#include <cmath>

#include "lowbit/core/error.h"

namespace lowbit::core {
namespace {

TEST(SharedLibraries, GiveTheirFunctions) {
  const SharedLibrary library({"liblowbit-nowhere.so.1", "libm.so.6", "liblowbit-nowhere.so.2"});
  ASSERT_TRUE(library.found());
  double (*root)(double) = nullptr;
  library.get("sqrt", root);
  EXPECT_EQ(root(9), 3);
}

TEST(SharedLibraries, NameWhatTheyLack) {
  const SharedLibrary library({"libm.so.6"});
  double (*root)(double) = nullptr;
  try {
    library.get("squareroot", root);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "the libm.so.6 of this machine lacks squareroot");
  }
}

TEST(SharedLibraries, MayBeMissing) {
  EXPECT_FALSE(SharedLibrary({"liblowbit-nowhere.so.1"}).found());
}

}  // namespace
}  // namespace lowbit::core
