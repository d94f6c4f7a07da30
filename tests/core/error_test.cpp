#include "lowbit/core/error.h"

#include <gtest/gtest.h>

namespace lowbit::core {
namespace {

TEST(Error, SaysPlaceMessageAndNearestNameInOneLine) {
  Error error = usage_error("unknown option '{}'", "--lr_polcy");
  error.at("config/x", 3).suggest("--lr_policy").detail("more");
  EXPECT_STREQ(error.what(),
               "config/x:3: unknown option '--lr_polcy'; did you mean '--lr_policy'?");
  EXPECT_EQ(error.details(), "more");
  EXPECT_EQ(error.exit_status(), 2);
  EXPECT_EQ(failure("x").exit_status(), 1);
}

TEST(Error, KeepsThePlaceNearestToTheFault) {
  Error error = failure("bad");
  error.at("inner", 2).at("outer", 9);
  EXPECT_STREQ(error.what(), "inner:2: bad");
}

TEST(EditDistance, CountsASwapOfNeighborsAsOneEdit) {
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("cbas", "cbsa"), 1u);
}

TEST(NearestName, FindsTypingErrorsAndNothingElse) {
  const std::vector<std::string> names = {"resnet18", "resnet20", "momentum", "weight_decay"};
  EXPECT_EQ(nearest_name("momentun", names), "momentum");
  EXPECT_EQ(nearest_name("ResNet-20", names), "resnet20");
  EXPECT_EQ(nearest_name("zzzzzz", names), "");
}

}  // namespace
}  // namespace lowbit::core
