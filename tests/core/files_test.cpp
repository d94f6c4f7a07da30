#include "lowbit/core/files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <stdexcept>
#include <vector>

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

TEST_F(Files, TheOldContentIsKeptUnderAnotherNameIfOneIsGiven) {
  const fs::path kept = folder_ / "state before";
  replace_file(file_, "first", kept);
  EXPECT_FALSE(fs::exists(kept));
  for (const std::string content : {"second", "third"}) {
    const std::string before = read_file(file_);
    replace_file(file_, content, kept);
    EXPECT_EQ(read_file(file_), content);
    EXPECT_EQ(read_file(kept), before);
  }
  EXPECT_EQ(entries(), 2u);
}

// As after a death between the two renames.
TEST_F(Files, TheOldContentMayHaveBothNamesAlready) {
  const fs::path kept = folder_ / "state before";
  replace_file(file_, "old");
  fs::create_hard_link(file_, kept);
  replace_file(file_, "new", kept);
  EXPECT_EQ(read_file(file_), "new");
  EXPECT_EQ(read_file(kept), "old");
  EXPECT_EQ(entries(), 2u);
}

TEST_F(Files, AWriterThatFailsLeavesWhatWasKeptToo) {
  const fs::path kept = folder_ / "state before";
  replace_file(file_, "old");
  replace_file(kept, "older");
  const auto fails = [](const fs::path&) { throw std::runtime_error("disk full"); };
  EXPECT_THROW(replace_file(file_, fails, kept), std::runtime_error);
  EXPECT_EQ(read_file(file_), "old");
  EXPECT_EQ(read_file(kept), "older");
}

TEST_F(Files, OnlyWhatADeadProcessLeftOfOurFilesIsRemoved) {
  const std::string dead = "4194305";  // beyond the largest process id
  const std::string living = std::to_string(::getppid());
  const fs::path left = folder_ / ("state." + dead + ".tmp");
  const std::vector<fs::path> stay = {folder_ / ("state." + living + ".tmp"),
                                      folder_ / ("other." + dead + ".tmp"),
                                      folder_ / "state.x1.tmp", folder_ / "state.tmp", file_};
  replace_file(left, "half");
  for (const fs::path& path : stay) replace_file(path, "x");
  remove_unfinished(folder_, [this](const fs::path& path) { return path == file_; });
  EXPECT_FALSE(fs::exists(left));
  for (const fs::path& path : stay) EXPECT_TRUE(fs::exists(path)) << path;
}

TEST_F(Files, AFullDiskIsNamedAndLeavesTheOldContent) {
  replace_file(file_, "old");
  EXPECT_THROW(replace_file(file_, [](const fs::path&) { replace_file("/dev/full/x", "content"); }),
               Error);
  EXPECT_EQ(read_file(file_), "old");
}

TEST_F(Files, WhatIsAppendedStandsAtTheEnd) {
  append_file(file_, "first\n");
  append_file(file_, "second\n");
  EXPECT_EQ(read_file(file_), "first\nsecond\n");
}

TEST_F(Files, AFullDiskIsNamedByWhatAppends) {
  try {
    append_file("/dev/full", "x");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "cannot write '/dev/full': No space left on device");
  }
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
