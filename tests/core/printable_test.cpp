#include "lowbit/core/printable.h"

#include <gtest/gtest.h>

#include <random>

#include "lowbit/core/error.h"

namespace lowbit::core {
namespace {

TEST(Printable, PlainText_Stays) {
  for (const std::string text : {"", "a b\\n'c'", "größe", "犬", "\U0001F600", "نمی\u200Cخواهم"})
    EXPECT_EQ(printable(text), text);
}

TEST(Printable, ControlCharacters_AreEscaped) {
  EXPECT_EQ(printable("\x1b]0;title\x07\x1b[2J"), "\\x1b]0;title\\x07\\x1b[2J");
  EXPECT_EQ(printable("a\nlowbit: b\r\tc\x7f"), "a\\nlowbit: b\\r\\tc\\x7f");
  EXPECT_EQ(printable(std::string("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable("\u009b31m\u0085"), "\\u009b31m\\u0085") << "C1";
}

TEST(Printable, TextThatReordersOrHides_IsEscaped) {
  EXPECT_EQ(printable("\u202egnp.exe\u2066"), "\\u202egnp.exe\\u2066");
  EXPECT_EQ(printable("a\u2028b\u200bc\ufeff"), "a\\u2028b\\u200bc\\ufeff");
  EXPECT_EQ(printable("\U000E0041"), "\\U000e0041");
}

TEST(Printable, BytesThatAreNotUtf8_AreEscaped) {
  EXPECT_EQ(printable("caf\xe9"), "caf\\xe9") << "Latin-1";
  EXPECT_EQ(printable("\x9b"
                      "31m"),
            "\\x9b31m");
  EXPECT_EQ(printable("\xc0\x8a"), "\\xc0\\x8a") << "an overlong line feed";
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "a surrogate";
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "above U+10FFFF";
  EXPECT_EQ(printable("\xe7\x8a"), "\\xe7\\x8a") << "cut";
}

TEST(Printable, Lines_KeepLineFeedsAlone) {
  EXPECT_EQ(printable_lines("a\nb\r\n\x1b"), "a\nb\\r\n\\x1b");
}

TEST(Printable, RandomBytes_BecomePrintableOnce) {
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string text(random() % 20, '\0');
    for (char& c : text) c = static_cast<char>(random());
    const std::string shown = printable(text);
    EXPECT_EQ(printable(shown), shown);
    for (const char c : shown) EXPECT_FALSE(static_cast<unsigned char>(c) < 0x20 || c == 0x7f);
  }
}

TEST(Printable, ErrorsOfNamesWithEscapes_HaveNoFurtherLines) {
  Error error = usage_error("no file '{}'", "a\n\x1b[2J");
  error.at("b\nc").suggest("d\x07").detail("looked for e\x1b\nthen f").detail("g");
  EXPECT_STREQ(error.what(), "b\\nc: no file 'a\\n\\x1b[2J'; did you mean 'd\\x07'?");
  EXPECT_EQ(error.details(), "looked for e\\x1b\\nthen f\ng");
}

}  // namespace
}  // namespace lowbit::core
