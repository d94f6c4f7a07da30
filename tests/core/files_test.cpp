#include "lowbit/core/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "lowbit/core/descriptor.h"
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

  // The message of the Error that `call` throws; "" if it throws none.
  template <class Call>
  static std::string error_of(const Call& call) {
    try {
      call();
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }
  fs::path make_fifo() const {
    const fs::path fifo = folder_ / "fifo";
    EXPECT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    return fifo;
  }
  // Whether the file has this type (S_IFREG, ...), links not followed.
  static bool is(const fs::path& path, mode_t type) {
    struct stat status = {};
    return ::lstat(path.c_str(), &status) == 0 && (status.st_mode & S_IFMT) == type;
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

TEST_F(Files, BehindASymbolicLink_AreReplacedAndTheLinkStays) {
  fs::create_directories(folder_ / "elsewhere");
  replace_file(folder_ / "elsewhere/target", "old");
  fs::create_symlink("elsewhere/target", folder_ / "second");
  fs::create_symlink("second", file_);
  require_writable(file_, Special::refused);
  replace_file(file_, "new", folder_ / "kept");
  EXPECT_TRUE(is(file_, S_IFLNK));
  EXPECT_EQ(read_file(folder_ / "elsewhere/target"), "new");
  EXPECT_EQ(read_file(folder_ / "kept"), "old");
  EXPECT_EQ(entries(), 4u);
}

TEST_F(Files, BehindADanglingLink_AreMade) {
  fs::create_symlink("target", file_);
  replace_file(file_, "new");
  EXPECT_TRUE(is(file_, S_IFLNK));
  EXPECT_EQ(read_file(folder_ / "target"), "new");
}

TEST_F(Files, BehindALinkToNowhere_AreAnErrorThatNamesTheFolder) {
  fs::create_symlink("/nowhere/at/all", file_);
  const std::string expected =
      "cannot write '" + file_.string() + "': there is no folder '/nowhere/at'";
  EXPECT_EQ(error_of([&] { replace_file(file_, "x"); }), expected);
  EXPECT_EQ(error_of([&] { require_writable(file_, Special::refused); }), expected);
  EXPECT_TRUE(is(file_, S_IFLNK));
}

TEST_F(Files, AFolderBehindADanglingLink_IsMade) {
  fs::create_directories(folder_ / "sub");
  fs::create_symlink("../target", folder_ / "sub/link");
  make_writable_folder(folder_ / "sub/link");
  EXPECT_TRUE(is_folder(folder_ / "target"));
}

TEST_F(Files, LinksInACircle_AreAnError) {
  fs::create_symlink("other", file_);
  fs::create_symlink("state", folder_ / "other");
  EXPECT_NE(error_of([&] { replace_file(file_, "x"); }).find("symbolic links"), std::string::npos);
}

TEST_F(Files, AFolderInThePlace_IsNamedBeforeAndWhenWriting) {
  fs::create_directories(file_);
  const std::string expected = "cannot write '" + file_.string() + "': it is a folder";
  EXPECT_EQ(error_of([&] { replace_file(file_, "x"); }), expected);
  EXPECT_EQ(error_of([&] { require_writable(file_, Special::written); }), expected);
  EXPECT_TRUE(is(file_, S_IFDIR));
}

TEST_F(Files, AFifoThatIsRead_IsWrittenAndStays) {
  const fs::path fifo = make_fifo();
  std::string received;
  const std::string content(300'000, 'x');  // more than it holds at once
  const Descriptor ready(fifo, O_RDWR);     // so that a reader is there before the writer
  std::thread reader([&] {
    std::vector<char> buffer(content.size());
    while (received.size() < content.size()) {
      const ssize_t count = ::read(ready.get(), buffer.data(), buffer.size());
      if (count > 0) received.append(buffer.data(), static_cast<size_t>(count));
    }
  });
  replace_file(fifo, content);
  reader.join();
  EXPECT_EQ(received, content);
  EXPECT_TRUE(is(fifo, S_IFIFO));
}

TEST_F(Files, AFifoThatNobodyReadsOrWrites_IsAnErrorAtOnce) {
  const fs::path fifo = make_fifo();
  const std::string name = "'" + fifo.string() + "': ";
  EXPECT_EQ(error_of([&] { replace_file(fifo, "x"); }),
            "cannot write " + name + "it is a FIFO that no process reads");
  EXPECT_EQ(error_of([&] { append_file(fifo, "x"); }),
            "cannot write " + name + "it is a FIFO that no process reads");
  EXPECT_EQ(error_of([&] { read_file(fifo); }),
            "cannot read " + name + "it is a FIFO that no process writes to");
  EXPECT_EQ(error_of([&] { require_writable(fifo, Special::written); }),
            "cannot write " + name + "it is a FIFO that no process reads");
  EXPECT_EQ(error_of([&] { require_writable(fifo, Special::refused); }),
            "cannot write " + name + "it is a FIFO");
  EXPECT_EQ(read_start(fifo, 2), "");
  EXPECT_TRUE(is(fifo, S_IFIFO));
}

TEST_F(Files, AFifoToBeWritten_HasNoEndForItsReaderYet) {
  const fs::path fifo = make_fifo();
  const Descriptor reader(fifo, O_RDONLY);
  char byte = 0;
  require_writable(fifo, Special::written);
  EXPECT_EQ(::read(reader.get(), &byte, 1), -1);
  EXPECT_EQ(errno, EAGAIN) << "not the end, which 0 bytes would say";
  replace_file(fifo, "x");
  EXPECT_EQ(::read(reader.get(), &byte, 1), 1);
}

TEST_F(Files, AFifoThatIsWritten_IsReadToItsEnd) {
  const fs::path fifo = make_fifo();
  std::thread writer([&] {
    const Descriptor file(fifo, O_RDWR);
    write_all(file, fifo, "first ");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    write_all(file, fifo, "second");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  });
  std::string content;
  while (content.empty()) error_of([&] { content = read_file(fifo); });
  writer.join();
  EXPECT_EQ(content, "first second");
}

TEST_F(Files, AnotherWriterThanOfContent_RefusesAFifo) {
  const fs::path fifo = make_fifo();
  const auto write = [](const fs::path&) { FAIL() << "the FIFO would be replaced"; };
  EXPECT_EQ(error_of([&] { replace_file(fifo, write); }),
            "cannot write '" + fifo.string() + "': it is a FIFO");
  EXPECT_TRUE(is(fifo, S_IFIFO));
}

// As /dev/null is, but of this test alone.
TEST_F(Files, ADevice_IsWrittenInPlace) {
  const fs::path device = folder_ / "null";
  if (::mknod(device.c_str(), S_IFCHR | 0600, ::makedev(1, 3)) != 0 ||
      Descriptor(device, O_WRONLY).get() < 0)
    GTEST_SKIP() << "no right to make a device here";
  require_writable(device, Special::written);
  replace_file(device, "x");
  EXPECT_TRUE(is(device, S_IFCHR));
  EXPECT_EQ(error_of([&] { replace_file(device, [](const fs::path&) {}); }),
            "cannot write '" + device.string() + "': it is a device");
  EXPECT_EQ(error_of([&] { read_file(device); }),
            "cannot read '" + device.string() + "': it is a device");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(Files, ReplacedFiles_KeepTheirPermissions) {
  replace_file(file_, "old");
  fs::permissions(file_, fs::perms(0640));
  replace_file(file_, "new");
  EXPECT_EQ(fs::status(file_).permissions(), fs::perms(0640));
}

TEST_F(Files, ANameThatIsTooLong_IsKnownBefore) {
  // The unfinished file beside it has a longer one.
  const fs::path path = folder_ / std::string(250, 'n');
  EXPECT_NE(error_of([&] { require_writable(path, Special::refused); }).find("name too long"),
            std::string::npos);
  require_writable(file_, Special::refused);
  EXPECT_EQ(entries(), 0u);
}

TEST_F(Files, TheOutputOfTheProgram_IsNotReplaced) {
  const Descriptor output(file_, O_WRONLY | O_CREAT);
  const int before = ::dup(STDOUT_FILENO);
  ::dup2(output.get(), STDOUT_FILENO);
  const std::string error = error_of([&] { replace_file("/proc/self/fd/1", "x"); });
  ::dup2(before, STDOUT_FILENO);
  ::close(before);
  EXPECT_EQ(error, "cannot write '/proc/self/fd/1': the output of this program goes there");
}

}  // namespace
}  // namespace lowbit::core
