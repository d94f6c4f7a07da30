#include "lowbit/core/file_kind.h"

#include <gmock/gmock.h>

#include <string>

namespace lowbit::core {
namespace {

using namespace std::string_view_literals;

std::string name_of(std::string_view start) {
  const auto kind = file_kind(start);
  return kind ? std::string(kind->name) : "";
}

TEST(FileKind, IsKnownByTheFirstBytes) {
  EXPECT_EQ(name_of("\x1f\x8b\x08"sv), "compressed by gzip");
  EXPECT_EQ(name_of("plain.pth" + std::string(248, '\0') + "ustar  \0"), "a tar archive");
  EXPECT_EQ(name_of("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
            "a pointer of Git LFS, not the file itself");
  EXPECT_EQ(name_of("<!DOCTYPE html><html>"), "a web page (HTML or XML)");
  EXPECT_EQ(name_of("\xef\xbb\xbf\r\n <HTML lang=en>"), "a web page (HTML or XML)");
  EXPECT_EQ(name_of(""), "an empty file");
  EXPECT_EQ(name_of(std::string(5000, '\0')), "a file of zeros");
  EXPECT_EQ(name_of("\x08\x0a\x12\x07pytorch\x1a\x05"sv), "an ONNX file");
  EXPECT_EQ(name_of("\x93NUMPY\x01\0"sv), "an array of numpy");
  EXPECT_EQ(name_of("\x89HDF\r\n\x1a\n"), "an HDF5 file, as Keras writes it");
  EXPECT_EQ(name_of("\x1c\0\0\0LBIT"sv), "a packed network");
}

TEST(FileKind, WhatHasOnlyCharactersIsAText) {
  EXPECT_TRUE(file_kind("dataset='cifar100'\n")->text);
  EXPECT_TRUE(file_kind("# r\xe9seau\n")->text);
  EXPECT_FALSE(file_kind("<html>")->text);
}

TEST(FileKind, OtherBytesAreOfNoKind) {
  EXPECT_EQ(name_of("\x80\x02}."), "");
  EXPECT_EQ(name_of("\x01\x02\x03\x04"), "");
}

}  // namespace
}  // namespace lowbit::core
