#include "lowbit/core/files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <stdexcept>

#include "lowbit/core/error.h"

namespace lowbit::core {
namespace fs = std::filesystem;
namespace {

class Files : public testing::Test {
 protected:
  Files() { fs::create_directories(folder_); }
  ~Files() override { fs::remove_all(folder_); }
  size_t entries() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), {}));
  }

  fs::path folder_ = fs::path(testing::TempDir()) / ("files_test." + std::to_string(::getpid()));
  fs::path file_ = folder_ / "state";
};

TEST_F(Files, ReplacedFileHasTheNewContentAndNothingLiesBeside) {
  replace_file(file_, "old");
  replace_file(file_, "new");
  EXPECT_EQ(read_file(file_), "new");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(Files, AWriterThatFailsLeavesTheOldContent) {
  replace_file(file_, "old");
  EXPECT_THROW(replace_file(file_,
                            [](const fs::path& path) {
                              replace_file(path, "half");
                              throw std::runtime_error("disk full");
                            }),
               std::runtime_error);
  EXPECT_EQ(read_file(file_), "old");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(Files, AFullDiskIsNamedAndLeavesTheOldContent) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  replace_file(file_, "old");
  EXPECT_THROW(replace_file(file_, [](const fs::path&) { replace_file("/dev/full/x", "content"); }),
               Error);
  EXPECT_EQ(read_file(file_), "old");
}

TEST_F(Files, AMissingFileIsNamedWithTheReason) {
  try {
    read_file(folder_ / "absent");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("absent': No such file"), std::string::npos)
        << error.what();
  }
}

TEST_F(Files, AnEmptyFileReadsAsEmpty) {
  replace_file(file_, "");
  EXPECT_EQ(read_file(file_), "");
}

TEST_F(Files, AFolderWhereAFileStandsIsAnError) {
  replace_file(file_, "x");
  EXPECT_THROW(make_writable_folder(file_ / "sub"), Error);
}

}  // namespace
}  // namespace lowbit::core
