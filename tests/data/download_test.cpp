#include "lowbit/data/download.h"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <cstdlib>

#include "local_server.h"
#include "lowbit/core/files.h"
#include "made_files.h"

namespace lowbit::data {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

constexpr size_t kSize = 200'000;
constexpr const char* kSha256 = "d2979f63fc353288130be1837d34f088e378e76c5baa67b8a6077c950db3c286";

class Download : public FolderTest {
 protected:
  static Published from(std::vector<std::string> addresses) {
    return {.addresses = std::move(addresses), .size = kSize, .sha256 = kSha256};
  }
  void fetch(std::vector<std::string> addresses) const {
    download(from(std::move(addresses)), destination_, patience_);
  }
  core::Error failure_of(std::vector<std::string> addresses) const {
    try {
      fetch(std::move(addresses));
    } catch (const core::Error& error) {
      return error;
    }
    return {core::ErrorKind::usage, "nothing was thrown"};
  }
  // The file stands there alone, whole.
  void expect_arrived() const {
    EXPECT_TRUE(core::read_file(destination_) == content_);
    EXPECT_EQ(std::distance(fs::directory_iterator(folder()), {}), 1);
  }
  void expect_nothing_left() const { EXPECT_TRUE(fs::is_empty(folder())); }
  fs::path part() const { return destination_.string() + ".part"; }

  const std::string content_ = counting_bytes(kSize, 3);
  const std::string wrong_ = counting_bytes(kSize, 4);
  const fs::path destination_ = folder() / "set.tar.gz";
  Patience patience_ = {.pause = std::chrono::milliseconds(1)};
};

TEST_F(Download, BringsTheFileWithTheFoldersOnTheWay) {
  const LocalServer server({serves(content_)});
  const fs::path deep = folder() / "a/b/set.tar.gz";
  download(from({server.address("/base/set.tar.gz")}), deep, patience_);
  EXPECT_TRUE(core::read_file(deep) == content_);
  EXPECT_THAT(server.requests(),
              ElementsAre(AllOf(HasSubstr("GET /base/set.tar.gz HTTP"), Not(HasSubstr("Range:")))));
}

TEST_F(Download, AFileThatIsThereIsNotAskedFor) {
  write("set.tar.gz", "the user's own");
  const LocalServer server({serves(content_)});
  fetch({server.address()});
  EXPECT_EQ(core::read_file(destination_), "the user's own");
  EXPECT_THAT(server.requests(), SizeIs(0));
}

TEST_F(Download, GoesOnAfterACut) {
  const LocalServer server({cuts_after(content_, 70'000), serves(content_)});
  fetch({server.address()});
  expect_arrived();
  ASSERT_THAT(server.requests(), SizeIs(2));
  EXPECT_THAT(server.requests()[1], HasSubstr("Range: bytes=70000-\r\n"));
}

TEST_F(Download, CutsThatEachBringAPieceDoNotCountAsFailures) {
  const LocalServer server({cuts_after(content_, 10'000)});
  fetch({server.address()});
  expect_arrived();
  EXPECT_THAT(server.requests(), SizeIs(20));
}

TEST_F(Download, GoesOnInALaterCall) {
  const LocalServer cut({cuts_after(content_, 90'000), cuts_after(content_, 0)});
  const core::Error error = failure_of({cut.address()});
  EXPECT_THAT(error.details(), HasSubstr(part().string()));
  EXPECT_FALSE(fs::exists(destination_));
  EXPECT_TRUE(core::read_file(part()) == content_.substr(0, 90'000));
  const LocalServer server({serves(content_)});
  fetch({server.address()});
  expect_arrived();
  EXPECT_THAT(server.requests(), ElementsAre(HasSubstr("Range: bytes=90000-\r\n")));
}

TEST_F(Download, AWholePartNeedsNoServer) {
  write("set.tar.gz.part", content_);
  fetch({"http://127.0.0.1:1/none"});
  expect_arrived();
}

TEST_F(Download, WrongBytesOfAnEarlierRunAreFetchedAgain) {
  write("set.tar.gz.part", wrong_.substr(0, 50'000));
  const LocalServer server({serves(content_)});
  fetch({server.address()});
  expect_arrived();
  ASSERT_THAT(server.requests(), SizeIs(2));
  EXPECT_THAT(server.requests()[1], Not(HasSubstr("Range:")));
}

TEST_F(Download, ALongerPartIsFetchedAgain) {
  write("set.tar.gz.part", content_ + "x");
  const LocalServer server({serves(content_)});
  fetch({server.address()});
  expect_arrived();
}

TEST_F(Download, AStalledConnectionIsGivenUpAndGoneOnWith) {
  patience_.stall_seconds = 1;
  const LocalServer server({stalls_after(content_, 120'000), serves(content_)});
  fetch({server.address()});
  expect_arrived();
  EXPECT_THAT(server.requests()[1], HasSubstr("Range: bytes=120000-\r\n"));
}

TEST_F(Download, AServerWithoutRangesStartsFromTheFirstByte) {
  const LocalServer server({cuts_after(content_, 70'000), ignores_range(content_, kSize)});
  fetch({server.address()});
  expect_arrived();
  EXPECT_THAT(server.requests(), SizeIs(2));
}

TEST_F(Download, AServerWithoutRangesThatAlwaysCutsIsGivenUp) {
  const LocalServer server({ignores_range(content_, 70'000)}), mirror({serves(content_)});
  fetch({server.address(), mirror.address()});
  expect_arrived();
  EXPECT_THAT(server.requests(), SizeIs(patience_.attempts));
}

TEST_F(Download, AServerThatSendsAnotherRangeIsGivenUp) {
  write("set.tar.gz.part", content_.substr(0, 50'000));
  const LocalServer server({sends(fmt::format(
      "HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\nContent-Range: bytes 7-16/{}\r\n\r\n"
      "0123456789",
      kSize))});
  EXPECT_THAT(failure_of({server.address()}).what(),
              HasSubstr("other bytes than those from 50000"));
  EXPECT_TRUE(core::read_file(part()) == content_.substr(0, 50'000));
}

TEST_F(Download, ARefusedRangeStartsFromTheFirstByte) {
  write("set.tar.gz.part", content_.substr(0, 50'000));
  const LocalServer server({status("416 Range Not Satisfiable"), serves(content_)});
  fetch({server.address()});
  expect_arrived();
}

TEST_F(Download, AnotherLengthThanExpectedIsNotTaken) {
  const LocalServer server({serves("<html>please log in</html>")});
  EXPECT_THAT(failure_of({server.address()}).what(),
              AllOf(HasSubstr(server.address()), HasSubstr("has 26 bytes, expected 200000")));
  EXPECT_THAT(server.requests(), SizeIs(1));
  expect_nothing_left();
}

TEST_F(Download, MoreBytesThanExpectedAreNotTaken) {
  // Without a length: the end of the connection is that of the file.
  const LocalServer server({sends("HTTP/1.1 200 OK\r\n\r\n" + content_ + "x")});
  EXPECT_THAT(failure_of({server.address()}).what(), HasSubstr("more than the expected 200000"));
  expect_nothing_left();
}

TEST_F(Download, FewerBytesThanExpectedAreNotTaken) {
  const LocalServer server({sends("HTTP/1.1 200 OK\r\n\r\n" + content_.substr(1))});
  EXPECT_THAT(failure_of({server.address()}).what(), HasSubstr("199999 bytes, expected 200000"));
  expect_nothing_left();
}

TEST_F(Download, WrongBytesAreNamedWithBothChecksumsAndNotKept) {
  const LocalServer server({serves(wrong_)});
  const core::Error error = failure_of({server.address()});
  EXPECT_EQ(error.kind(), core::ErrorKind::failure);
  EXPECT_THAT(error.what(), AllOf(HasSubstr(server.address()), HasSubstr(destination_.string()),
                                  testing::ContainsRegex("SHA-256 is [0-9a-f]{64}, expected"),
                                  HasSubstr(kSha256)));
  EXPECT_THAT(server.requests(), SizeIs(1));
  expect_nothing_left();
}

TEST_F(Download, WrongBytesOfOneMirrorAreNotMixedWithTheNext) {
  const LocalServer wrong({serves(wrong_)}), right({serves(content_)});
  fetch({wrong.address(), right.address()});
  expect_arrived();
  EXPECT_THAT(right.requests(), ElementsAre(Not(HasSubstr("Range:"))));
}

TEST_F(Download, AMissingFileIsAskedOfTheNextMirror) {
  const LocalServer missing({status("404 Not Found")}), right({serves(content_)});
  fetch({missing.address(), "http://127.0.0.1:1/none", right.address()});
  expect_arrived();
  EXPECT_THAT(missing.requests(), SizeIs(1));
}

TEST_F(Download, ABusyServerIsAskedAgain) {
  const LocalServer server({status("503 Service Unavailable"), serves(content_)});
  fetch({server.address()});
  expect_arrived();
}

TEST_F(Download, TheErrorNamesEveryAddress) {
  const LocalServer first({status("404 Not Found")}), second({status("403 Forbidden")});
  const core::Error error = failure_of({first.address(), second.address()});
  EXPECT_THAT(error.what(), AllOf(HasSubstr(second.address()), HasSubstr("403")));
  EXPECT_THAT(error.details(), AllOf(HasSubstr(first.address()), HasSubstr("404")));
  expect_nothing_left();
}

TEST_F(Download, AFolderThatCannotBeMadeIsNamed) {
  write("a_file", "");
  try {
    download(from({"http://127.0.0.1:1/none"}), folder() / "a_file/set", patience_);
    ADD_FAILURE() << "no error";
  } catch (const core::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("a_file"));
  }
}

TEST_F(Download, ASecondProcessWaitsForTheFirst) {
  // The second answer comes only when the second process has been started.
  int started[2];
  ASSERT_EQ(::pipe(started), 0);
  const LocalServer server({cuts_after(content_, 60'000), [&](int connection, const auto& request) {
                              char byte;
                              EXPECT_EQ(::read(started[0], &byte, 1), 1);
                              serves(content_)(connection, request);
                            }});
  const std::string address = server.address();
  const auto start = [&](bool second) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    if (second && ::write(started[1], "x", 1) != 1) ::_exit(1);
    try {
      fetch({address});
    } catch (const core::Error&) {
      ::_exit(1);
    }
    ::_exit(0);
  };
  const pid_t first = start(false);
  while (server.requests().size() < 2) std::this_thread::yield();
  const pid_t second = start(true);
  for (const pid_t child : {first, second}) {
    int result = -1;
    ::waitpid(child, &result, 0);
    EXPECT_EQ(result, 0);
  }
  expect_arrived();
  EXPECT_THAT(server.requests(), SizeIs(2));
  ::close(started[0]);
  ::close(started[1]);
}

TEST(Addresses, MirrorsOfTheOptionComeFirstThenThoseOfTheEnvironment) {
  ::setenv("LOWBIT_MIRROR", "http://c/d/,,http://e", 1);
  const std::vector<std::string> mirrors = {"http://a", "http://b/"};
  EXPECT_THAT(addresses_of("x.gz", mirrors, "https://p"),
              ElementsAre("http://a/x.gz", "http://b/x.gz", "http://c/d/x.gz", "http://e/x.gz",
                          "https://p/x.gz"));
  ::unsetenv("LOWBIT_MIRROR");
  EXPECT_THAT(addresses_of("x.gz", {}, "https://p"), ElementsAre("https://p/x.gz"));
}

// What the options of a data set make of it. A proxy that is not there keeps the publisher's server
// out of the tests.
class Obtain : public FolderTest {
 protected:
  Obtain() { ::setenv("https_proxy", "http://127.0.0.1:1", 1); }
  ~Obtain() override { ::unsetenv("https_proxy"); }

  core::Error obtain(const config::DataOptions& options) const {
    try {
      obtain_files(options, Split::train);
    } catch (const core::Error& error) {
      return error;
    }
    return {core::ErrorKind::usage, "nothing was thrown"};
  }

  const LocalServer server_{{status("404 Not Found")}};
};

TEST_F(Obtain, AMissingArchiveIsAskedOfTheMirrorAndThePublisher) {
  config::DataOptions options = options_for("cifar100", folder() / "new");
  options.mirrors = {server_.address("/sets")};
  const core::Error error = obtain(options);
  EXPECT_THAT(server_.requests(), ElementsAre(HasSubstr("GET /sets/cifar-100-binary.tar.gz ")));
  EXPECT_THAT(error.what(), AllOf(HasSubstr((folder() / "new/cifar-100-binary.tar.gz").string()),
                                  HasSubstr("https://www.cs.toronto.edu/~kriz/cifar-100-binary")));
  EXPECT_THAT(error.details(), AllOf(HasSubstr("404"), HasSubstr("to get cifar100: curl -LO")));
}

TEST_F(Obtain, RootMayNameTheArchiveThatIsMissing) {
  config::DataOptions options = options_for("cifar10", folder() / "cifar-10-binary.tar.gz");
  options.mirrors = {server_.address("")};
  EXPECT_THAT(obtain(options).what(), Not(HasSubstr("gz/cifar-10-binary.tar.gz'")));
  EXPECT_THAT(server_.requests(), SizeIs(1));
}

TEST_F(Obtain, NothingIsAskedForOffline) {
  config::DataOptions options = options_for("cifar100", folder() / "new");
  options.mirrors = {server_.address("")};
  options.offline = true;
  const core::Error error = obtain(options);
  EXPECT_THAT(error.what(), HasSubstr("does not exist"));
  EXPECT_THAT(error.details(), HasSubstr("to get cifar100: curl -LO"));
  EXPECT_THAT(server_.requests(), SizeIs(0));
  EXPECT_FALSE(fs::exists(folder() / "new"));
}

TEST_F(Obtain, NothingIsAskedForThatIsThere) {
  write("train.bin", "as it is");
  config::DataOptions options = options_for("cifar100", folder());
  options.mirrors = {server_.address("")};
  EXPECT_STREQ(obtain(options).what(), "nothing was thrown");
  EXPECT_THAT(server_.requests(), SizeIs(0));
}

TEST_F(Obtain, ASetThatIsNotDownloadedIsAsRequired) {
  EXPECT_THAT(obtain(options_for("fashion", folder() / "new")).what(), HasSubstr("does not exist"));
}

}  // namespace
}  // namespace lowbit::data
