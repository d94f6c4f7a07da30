#include "lowbit/core/unicode.h"

#include <gtest/gtest.h>

#include "support/random_values.h"

namespace lowbit::core {
namespace {

TEST(Unicode, OnlyWellFormedSequencesAreUtf8) {
  for (const char* text : {"", "abc", "\u00e9", "\u2603", "\U0001f40d", "\U0010ffff"})
    EXPECT_TRUE(is_utf8(text)) << text;
  for (const char* text : {"\xe9", "a\xc3", "\xc0\x80", "\xe0\x80\x80", "\xf4\x90\x80\x80", "\x80"})
    EXPECT_FALSE(is_utf8(text)) << text;
  EXPECT_FALSE(is_utf8("\xed\xb3\xa9"));
  EXPECT_TRUE(is_utf8("\xed\xb3\xa9", /*surrogates=*/true));
}

// os.fsdecode(b"abeille_\xe9").encode("utf-8", "surrogatepass")
TEST(Unicode, BytesThatAreNotUtf8AreSurrogatesInPython) {
  EXPECT_EQ(python_text("abeille_\xe9"), "abeille_\xed\xb3\xa9");
  EXPECT_EQ(python_text("\xe2\x98x"), "\xed\xb3\xa2\xed\xb2\x98x");
  EXPECT_EQ(python_text("na\u00efve \u2603"), "na\u00efve \u2603");
}

TEST(Unicode, SurrogatesThatStandForNoByteStay) {
  EXPECT_EQ(bytes_of_python_text("\xed\xa0\x80"), "\xed\xa0\x80");
  EXPECT_EQ(python_text("\xed\xa0\x80"), "\xed\xa0\x80");
}

TEST(Unicode, AnyBytesComeBackFromPythonsText) {
  test_support::RandomValues random(1);
  for (int i = 0; i < 20000; ++i) {
    const std::string bytes = random.text();
    const std::string text = python_text(bytes);
    ASSERT_TRUE(is_utf8(text, /*surrogates=*/true));
    ASSERT_EQ(bytes_of_python_text(text), bytes);
  }
}

}  // namespace
}  // namespace lowbit::core
