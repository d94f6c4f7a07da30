#include "lowbit/core/json_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lowbit/core/unicode.h"
#include "support/random_values.h"

namespace lowbit::core {
namespace {

using nlohmann::json;

// json.dumps(os.fsdecode(b"abeille_\xe9"))
TEST(JsonText, BytesThatAreNotUtf8AreWrittenAsPythonWritesThem) {
  EXPECT_EQ(json_text(json{{"root", "abeille_\xe9"}}), R"({"root":"abeille_\udce9"})");
  EXPECT_EQ(json_text("\u00e9 \u2603"), "\"\u00e9 \u2603\"");
}

TEST(JsonText, EscapesOfOthersKeepTheirMeaning) {
  EXPECT_EQ(parse_json(R"(["\ud83d\udc80", "\\udce9", "\u00e9", "\udce9"])"),
            json({"\U0001f480", "\\udce9", "\u00e9", "\xe9"}));
  EXPECT_THROW(parse_json(R"("\ud800")"), json::parse_error);
  EXPECT_THROW(parse_json("\"\xe9\""), json::parse_error);
}

TEST(JsonText, AnyTextsComeBack) {
  test_support::RandomValues random(2);
  for (int i = 0; i < 5000; ++i) {
    const json value = {{"texts", {random.text(), random.text()}},
                        {"real", random.real(/*any=*/false)},
                        {"integer", random.integer()}};
    const std::string text = json_text(value, static_cast<int>(random.below(3)) - 1);
    ASSERT_TRUE(is_utf8(text));
    const json again = parse_json(text);
    ASSERT_EQ(again, value) << text;
    ASSERT_TRUE(
        test_support::same_number(again["real"].get<double>(), value["real"].get<double>()));
  }
}

}  // namespace
}  // namespace lowbit::core
