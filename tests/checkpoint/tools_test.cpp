#include "lowbit/checkpoint/tools.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "lowbit/checkpoint/checkpoint_file.h"
#include "lowbit/core/error.h"
#include "lowbit/core/files.h"

namespace lowbit::checkpoint {
namespace fs = std::filesystem;
namespace {

using core::Error;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class Tools : public testing::Test {
 protected:
  Tools() { fs::create_directories(folder_); }
  ~Tools() override { fs::remove_all(folder_); }

  NameMapping mapping(std::string_view from, std::string_view to) const {
    core::replace_file(folder_ / "from", from);
    core::replace_file(folder_ / "to", to);
    return read_name_mapping(folder_ / "from", folder_ / "to");
  }
  std::string mapping_error(std::string_view from, std::string_view to) const {
    try {
      mapping(from, to);
      return "no error";
    } catch (const Error& error) {
      return error.what();
    }
  }

  fs::path folder_ = fs::path(testing::TempDir()) / ("tools." + std::to_string(::getpid()));
};

NamedTensors tensors(const std::vector<std::string>& names) {
  NamedTensors result;
  for (const std::string& name : names) result.emplace_back(name, torch::zeros({1}));
  return result;
}

std::vector<std::string> renamed(const std::vector<std::string>& names, const NameMapping& by) {
  std::vector<std::string> result;
  for (const auto& [name, tensor] : rename(tensors(names), by).tensors) result.push_back(name);
  return result;
}

TEST_F(Tools, MappingLinesLoseQuotesBlanksAndComments) {
  EXPECT_THAT(mapping("# old names\n\n 'conv1' \n\"bn1\" # the stem\r\n", "a\nb\n"),
              ElementsAre(Pair("conv1", "a"), Pair("bn1", "b")));
}

TEST_F(Tools, BracesExpandOnBothSidesTheLastFastest) {
  EXPECT_THAT(mapping("layer{1,2}.{0,1}.bn", "l{1,2}.{a,b}"),
              ElementsAre(Pair("layer1.0.bn", "l1.a"), Pair("layer1.1.bn", "l1.b"),
                          Pair("layer2.0.bn", "l2.a"), Pair("layer2.1.bn", "l2.b")));
}

TEST_F(Tools, ListsOfDifferentLengthAreAnErrorThatNamesBoth) {
  const std::string error = mapping_error("a{1,2,3}\n", "b{1,2}\n");
  EXPECT_THAT(error, HasSubstr("from' names 3"));
  EXPECT_THAT(error, HasSubstr("to' 2"));
}

TEST_F(Tools, BadMappingLinesAreNamedWithTheirPlace) {
  EXPECT_THAT(mapping_error("a\nb{1,2\n", "a\nb\n"), HasSubstr("from:2: the braces"));
  EXPECT_THAT(mapping_error("a}1{\n", "a\n"), HasSubstr("from:1: the braces"));
  EXPECT_THAT(mapping_error("a\nb\na\n", "1\n2\n3\n"), HasSubstr("from:3: 'a' stands in line 1"));
}

TEST_F(Tools, QuotesAroundNothingAreTheEmptyPrefix) {
  EXPECT_THAT(mapping("model\n\nold\n", "''\n# comment\nnew\n"),
              ElementsAre(Pair("model", ""), Pair("old", "new")));
  EXPECT_THAT(mapping_error("\"\"\n", "a\n"), HasSubstr("from:1: an empty prefix"));
}

TEST(Rename, ADotGoesWithAPrefixThatBecomesNothing) {
  EXPECT_THAT(renamed({"model.conv.weight", "fc.weight"}, {{"model", ""}}),
              ElementsAre("conv.weight", "fc.weight"));
  EXPECT_THAT(renamed({"model.conv.weight"}, {{"model.", ""}}), ElementsAre("conv.weight"));
  EXPECT_THROW(rename(tensors({"model"}), {{"model", ""}}), Error);
}

TEST_F(Tools, NamesThatAreNotUtf8ComeBack) {
  write_checkpoint(folder_ / "old.pth", Dict{{"a.weight", torch::ones({1})}});
  update_names(folder_ / "old.pth", folder_ / "new.pth", {{"a", "r\xe9seau"}}, false);
  EXPECT_EQ(state_dict(read_checkpoint(folder_ / "new.pth"))[0].first, "r\xe9seau.weight");
}

TEST(Rename, APrefixEndsAtADotOrWithTheName) {
  EXPECT_THAT(renamed({"layer1.weight", "layer10.weight", "layer1"}, {{"layer1", "x"}}),
              ElementsAre("x.weight", "layer10.weight", "x"));
}

TEST(Rename, APrefixMayEndWithItsDot) {
  EXPECT_THAT(renamed({"layer1.weight", "layer10.weight", "layer1"}, {{"layer1.", "x."}}),
              ElementsAre("x.weight", "layer10.weight", "layer1"));
}

TEST(Rename, TheLongestPrefixCounts) {
  EXPECT_THAT(renamed({"a.b.c", "a.d"}, {{"a", "x"}, {"a.b", "y"}}), ElementsAre("y.c", "x.d"));
}

TEST(Rename, NamesMayChangePlaces) {
  EXPECT_THAT(renamed({"a.w", "b.w"}, {{"a", "b"}, {"b", "a"}}), ElementsAre("b.w", "a.w"));
}

TEST(Rename, ReportsPrefixesThatMatchNothing) {
  EXPECT_THAT(rename(tensors({"a.w"}), {{"a", "b"}, {"c", "d"}}).unmatched, ElementsAre("c"));
}

TEST(Rename, TwoTensorsOfOneNameAreAnErrorThatNamesThem) {
  try {
    rename(tensors({"a.w", "b.w"}), {{"a", "b"}});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "'a.w' and 'b.w' would both be called 'b.w'");
  }
}

TEST_F(Tools, UpdateWritesTheRenamedFileAndTheBareOne) {
  const fs::path fixture =
      fs::path(LOWBIT_SOURCE_DIR) / "tests/checkpoint/fixtures/everything.zip.pt";
  const UpdateReport report =
      update_names(fixture, folder_ / "new.pth", {{"base", "first.weight"}, {"none", "x"}}, true);
  EXPECT_EQ(report.renamed, 1u);
  EXPECT_EQ(report.kept, 16u);
  EXPECT_THAT(report.unmatched, ElementsAre("none"));
  EXPECT_THAT(report.dropped, ElementsAre("options", "dtype"));
  ASSERT_THAT(report.written, ElementsAre(folder_ / "new.pth", folder_ / "new.pth-raw"));

  const Value wrapped = read_checkpoint(report.written[0]);
  EXPECT_EQ(wrapped.get<Dict>("file").at("epoch").get<int64_t>("epoch"), 7);
  EXPECT_EQ(state_dict(wrapped)[0].first, "first.weight");
  EXPECT_TRUE(read_checkpoint(report.written[1]).get<Dict>("file").find("first.weight"));
}

TEST_F(Tools, UpdateOntoAFolder_IsRefusedBeforeAnythingIsReadOrWritten) {
  fs::create_directories(folder_ / "new.pth-raw");
  try {
    update_names(folder_ / "missing.pth", folder_ / "new.pth", {{"a", "b"}}, true);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.what(),
              "cannot write '" + (folder_ / "new.pth-raw").string() + "': it is a folder");
  }
  EXPECT_FALSE(fs::exists(folder_ / "new.pth"));
}

TEST(Inspect, NamesInAFile_AreShownOnOneLine) {
  const Dict file = {{"state_dict", Dict{{"a\nforged = 1", 4}, {"b", torch::zeros({2})}}}};
  EXPECT_EQ(inspect(file, "all"), "a\\nforged = 1 = 4\nb [2] Float\n");
}

TEST(Inspect, AllListsEveryEntryInItsOrder) {
  const Dict file = {{"state_dict", Dict{{"conv.weight", torch::zeros({2, 3})}, {"epoch", 4}}}};
  EXPECT_EQ(inspect(file, "all"), "conv.weight [2, 3] Float\nepoch = 4\n");
}

TEST(Inspect, AListOfNamesPicksQuantizerEntriesByTheirLastPart) {
  const Dict file = {{"conv.quant_weight.clip_val", torch::tensor({0.5, 1.25})},
                     {"conv.quant_weight.ratio", torch::tensor(1.0)},
                     {"conv.clip_val", torch::tensor(9.0)}};
  EXPECT_EQ(inspect(file, "clip_val,sep"), "conv.quant_weight.clip_val [2] = 0.5 1.25\n");
  EXPECT_EQ(inspect(file), "conv.quant_weight.ratio [] = 1\n");
}

}  // namespace
}  // namespace lowbit::checkpoint
