#include "lowbit/events/event_writer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"

namespace lowbit::events {
namespace fs = std::filesystem;
namespace {

// RFC 3720, appendix B.4, and the usual check value.
TEST(EventWriter, ChecksumsAreThoseOfTheStandard) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
}

TEST(EventWriter, ARecordHasItsLengthAndTwoMaskedChecksums) {
  const std::string framed = record("123456789");
  ASSERT_EQ(framed.size(), 8 + 4 + 9 + 4U);
  EXPECT_EQ(framed.substr(0, 8), std::string("\x09\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(framed.substr(12, 9), "123456789");
  // ((crc >> 15 | crc << 17) + 0xa282ead8) of 0xe3069283.
  EXPECT_EQ(framed.substr(21), "\xe5\xb0\x8a\xc7");
}

// A folder of its own, or where LOWBIT_EVENTS_OUTPUT says, for tensorboard_test.py.
class EventFiles : public testing::Test {
 protected:
  EventFiles() {
    const char* given = std::getenv("LOWBIT_EVENTS_OUTPUT");
    keep_ = given != nullptr;
    folder_ = keep_ ? fs::path(given)
                    : fs::path(testing::TempDir()) / ("events." + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  ~EventFiles() override {
    if (!keep_) fs::remove_all(folder_);
  }
  fs::path folder_;
  bool keep_;
};

TEST_F(EventFiles, EveryWriterHasAFileOfItsOwnThatBeginsWithTheVersion) {
  EventWriter first(folder_, 0);
  for (int step = 0; step < 4; ++step)
    first.add(step, {{"loss/train", 4.5 - step}, {"clip/a.fm", 0.25}},
              {{"codes/a.fm", {3, 0, 5, 2}}});
  // A run that goes on from step 2 takes the place of what came after.
  EventWriter second(folder_, 2);
  second.add(2, {{"loss/train", 20}}, {});
  EXPECT_NE(first.path(), second.path());
  EXPECT_TRUE(first.path().filename().string().starts_with("events.out.tfevents."));
  // wall_time (9 bytes), then field 3, 13 bytes long; step 0 is not written.
  EXPECT_EQ(core::read_file(second.path()).substr(12 + 9, 15),
            "\x1a\x0d"
            "brain.Event:2");
}

TEST_F(EventFiles, ATagThatIsNotUtf8ShowsItsBytes) {
  EventWriter writer(folder_, 0);
  writer.add(0, {{"clip/r\xe9seau", 1}}, {{"codes/r\xe9seau", {1}}});
  const std::string content = core::read_file(writer.path());
  EXPECT_NE(content.find("clip/r\\xe9seau"), content.npos);
  EXPECT_NE(content.find("codes/r\\xe9seau"), content.npos);
}

TEST_F(EventFiles, AFolderThatIsNotThereIsAnErrorThatNamesTheFile) {
  try {
    EventWriter writer(folder_ / "none", 0);
    FAIL();
  } catch (const core::Error& error) {
    EXPECT_NE(std::string(error.what()).find("events.out.tfevents."), std::string::npos);
  }
}

}  // namespace
}  // namespace lowbit::events
