#include "lowbit/core/file_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"

namespace lowbit::core {
namespace fs = std::filesystem;
namespace {

class FileLockTest : public testing::Test {
 protected:
  ~FileLockTest() override { fs::remove(path_); }

  // A process that holds the lock until it is killed.
  pid_t other_holder() const {
    int ready[2];
    EXPECT_EQ(::pipe(ready), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      const FileLock lock(path_, "the run");
      if (::write(ready[1], "x", 1) == 1) ::pause();
      ::_exit(1);
    }
    char byte = 0;
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    return child;
  }

  fs::path path_ = fs::path(testing::TempDir()) / ("lock_test." + std::to_string(::getpid()));
};

TEST_F(FileLockTest, ASecondProcessIsToldWhoHasItAndTheDeathOfThatOneFreesIt) {
  const pid_t child = other_holder();
  try {
    const FileLock lock(path_, "the run");
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), "the run is in use by process " + std::to_string(child));
    EXPECT_EQ(error.exit_status(), 1);
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(fs::exists(path_)) << "what a killed process leaves";
  const FileLock lock(path_, "the run");
  EXPECT_EQ(read_file(path_), std::to_string(::getpid()) + "\n");
}

TEST_F(FileLockTest, NothingIsLeftOfOneThatWasGivenBack) {
  { const FileLock lock(path_, "the run"); }
  EXPECT_FALSE(fs::exists(path_));
  const FileLock again(path_, "the run");
}

TEST_F(FileLockTest, AFolderThatIsNotThereIsNamed) {
  try {
    const FileLock lock(path_ / "none", "the run");
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("none"));
  }
}

}  // namespace
}  // namespace lowbit::core
