#include "lowbit/checkpoint/name_lists.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"

namespace lowbit::checkpoint {
namespace {

using testing::ElementsAre;

TEST(NameLists, SwapReordersEveryFewLines) {
  EXPECT_THAT(swapped({"a", "b", "c", "d", "e", "f"}, read_swap_order("3/1-0-2")),
              ElementsAre("b", "a", "c", "e", "d", "f"));
  EXPECT_THAT(swapped({"a", "b"}, read_swap_order("1/0")), ElementsAre("a", "b"));
}

TEST(NameLists, WhatIsLeftBehindTheLastGroupIsAnError) {
  EXPECT_THROW(swapped({"a", "b", "c"}, read_swap_order("2/1-0")), core::Error);
}

TEST(NameLists, AnOrderNamesEachLineOnce) {
  for (const char* text :
       {"", "3", "3/", "3/0-1", "3/0-1-1", "3/1-2-3", "2/0-1-2", "2/a-b", "/0", "2/1-0-", "-1/0"})
    EXPECT_THROW(read_swap_order(text), core::Error) << text;
}

TEST(NameLists, SortedByTheirBytes) {
  EXPECT_THAT(sorted({"b.10", "b.2", "B", "a"}), ElementsAre("B", "a", "b.10", "b.2"));
}

TEST(NameLists, BlankLinesAndCommentsAreNoNames) {
  const auto path =
      std::filesystem::path(testing::TempDir()) / ("name_lists." + std::to_string(::getpid()));
  core::replace_file(path, "# old\n\nconv1\r\n  \nbn1 ");
  EXPECT_THAT(read_names(path), ElementsAre("conv1", "bn1"));
  write_names(path, {"x", "y"});
  EXPECT_EQ(core::read_file(path), "x\ny\n");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace lowbit::checkpoint
