#include "lowbit/core/zip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lowbit/core/error.h"

namespace lowbit::core {
namespace {

using testing::HasSubstr;

std::string archive() {
  StoredZipWriter writer;
  writer.add("folder/first", "one");
  writer.add("folder/empty", "");
  writer.add("folder/last", std::string(1000, 'x'));
  return std::move(writer).finish();
}

std::string zip_error_of(std::string_view bytes) {
  try {
    read_zip(bytes);
    return "no error";
  } catch (const Error& error) {
    return error.what();
  }
}

// The bytes of the first entry of the directory, which begins where the last data end.
constexpr size_t kMethod = 10, kChecksum = 16, kOffset = 42;
size_t directory_of(std::string_view bytes) {
  return bytes.find("PK\1\2");
}

TEST(StoredZip, EntriesAreReadBackInTheirOrder) {
  const std::string bytes = archive();
  const std::vector<ZipEntry> entries = read_zip(bytes);
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].name, "folder/first");
  EXPECT_EQ(entries[0].data, "one");
  EXPECT_EQ(entries[1].name, "folder/empty");
  EXPECT_EQ(entries[1].data, "");
  EXPECT_EQ(entries[2].data, std::string(1000, 'x'));
}

TEST(StoredZip, DataOfEveryEntryIsAligned) {
  const std::string bytes = archive();
  for (const ZipEntry& entry : read_zip(bytes))
    EXPECT_EQ((entry.data.data() - bytes.data()) % StoredZipWriter::alignment, 0u);
}

TEST(StoredZip, ACommentBehindTheEndIsSkipped) {
  std::string bytes = archive();
  bytes[bytes.size() - 2] = 5;
  EXPECT_EQ(read_zip(bytes + "words").size(), 3u);
}

TEST(StoredZip, AnArchiveIsKnownByItsFirstBytes) {
  EXPECT_TRUE(is_zip(archive()));
  EXPECT_FALSE(is_zip("\x80\x02N."));
  EXPECT_FALSE(is_zip(""));
}

TEST(StoredZip, EveryCutIsAnError) {
  const std::string whole = archive();
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_THAT(zip_error_of(std::string_view(whole).substr(0, length)), HasSubstr("damaged zip"));
}

TEST(StoredZip, EveryChangedByteGivesTheSameDataOrAnError) {
  const std::string whole = archive();
  std::string bytes = whole;
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const int flip : {0x01, 0x04, 0x40, 0x80, 0xff}) {
      bytes[i] = static_cast<char>(whole[i] ^ flip);
      try {
        for (const ZipEntry& entry : read_zip(bytes))
          EXPECT_TRUE(entry.name != "folder/first" || entry.data == "one") << "byte " << i;
      } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("zip archive"));
      }
    }
    bytes[i] = whole[i];
  }
}

TEST(StoredZip, AChecksumOf0IsNotChecked) {
  std::string bytes = archive();
  for (size_t i = 0; i < 4; ++i) bytes[directory_of(bytes) + kChecksum + i] = 0;
  bytes[bytes.find("one")] = 'O';
  EXPECT_EQ(read_zip(bytes)[0].data, "One");
}

// One deflated entry, as Python's zipfile writes it.
std::string deflated_archive() {
  static constexpr char kBytes[] =
      "PK\x03\x04\x14\x00\x00\x00\x08\x00\x00\x00\x21\x00\x2d\xfa\x91\xe1\x08\x00\x00\x00\x3c\x00"
      "\x00\x00\x03\x00\x00\x00"
      "f/aKLJN$\x17\x01\x00PK\x01\x02\x14\x00\x14\x00\x00\x00\x08\x00\x00\x00\x21\x00\x2d\xfa\x91"
      "\xe1\x08\x00\x00\x00\x3c\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01"
      "\x00\x00\x00\x00"
      "f/aPK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00\x31\x00\x00\x00\x29\x00\x00\x00\x00\x00";
  return {kBytes, sizeof kBytes - 1};
}

constexpr size_t kSize = 24;

TEST(Zip, ACompressedEntryIsUnpacked) {
  std::string text;
  for (int i = 0; i < 20; ++i) text += "abc";
  const std::vector<ZipEntry> entries = read_zip(deflated_archive());
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].data, text);
}

TEST(Zip, EveryChangedByteOfACompressedEntryIsAnErrorOrTheSame) {
  const std::string whole = deflated_archive();
  std::string bytes = whole;
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const int flip : {0x01, 0x04, 0x40, 0x80, 0xff}) {
      bytes[i] = static_cast<char>(whole[i] ^ flip);
      try {
        for (const ZipEntry& entry : read_zip(bytes))
          EXPECT_TRUE(entry.name != "f/a" || entry.data.size() == 60) << "byte " << i;
      } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("zip archive"));
      }
    }
    bytes[i] = whole[i];
  }
}

TEST(Zip, WhatWouldUnpackToFarMoreThanTheArchiveIsRefused) {
  std::string bytes = deflated_archive();
  bytes[directory_of(bytes) + kSize + 3] = 0x7f;  // says 2 GB
  EXPECT_EQ(zip_error_of(bytes), "zip archive that unpacks to more than 100 times its size");
}

TEST(Zip, AnotherMethodOrEncryptionIsNamed) {
  std::string bytes = archive();
  bytes[directory_of(bytes) + kMethod] = 12;
  EXPECT_THAT(zip_error_of(bytes), HasSubstr("entry 'folder/first' is compressed by method 12"));
  bytes = archive();
  bytes[directory_of(bytes) + kMethod - 2] |= 1;
  EXPECT_EQ(zip_error_of(bytes), "zip archive with the encrypted entry 'folder/first'");
}

TEST(StoredZip, EntriesThatShareBytesAreRefused) {
  StoredZipWriter writer;
  writer.add("a", "same");
  writer.add("b", "same");
  std::string bytes = std::move(writer).finish();
  const size_t second = bytes.find("PK\1\2", directory_of(bytes) + 1);
  for (size_t i = 0; i < 4; ++i) bytes[second + kOffset + i] = 0;
  EXPECT_EQ(zip_error_of(bytes), "damaged zip archive: entries 'a' and 'b' overlap");
}

}  // namespace
}  // namespace lowbit::core
