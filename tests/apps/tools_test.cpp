// Every verb of `lowbit tools` through the program.
#include <gmock/gmock.h>

#include "program.h"
#include "support/made_images.h"

namespace lowbit {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Tools : public Program {
 protected:
  Finished tool(std::vector<std::string> arguments, const std::vector<std::string>& more = {}) {
    arguments.insert(arguments.begin(), "tools");
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(std::move(arguments));
  }
  // The checkpoint of a short run.
  std::string trained() {
    train_once();
    return checkpoint_.string();
  }
};

TEST_F(Tools, HelpListsTheVerbs) {
  const Finished help = tool({"-h"});
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.out, AllOf(HasSubstr("lowbit tools verify-data"), HasSubstr("inspect"),
                              HasSubstr("lowbit tools export_onnx")));
  EXPECT_THAT(tool({"swap", "-h"}).out, AllOf(HasSubstr("--verbose_list"), HasSubstr("3/1-0-2")));
}

TEST_F(Tools, InspectShowsACheckpointInBothSpellings) {
  const std::string file = trained();
  const Finished all = tool({"inspect", "--old", file, "--verbose_list", "all"});
  EXPECT_EQ(all.status, 0) << all.err;
  EXPECT_THAT(all.out, StartsWith("conv1.weight [8, 3, 3, 3] Float\n"));
  EXPECT_EQ(tool({"verbose", "--pretrained", file, "--verbose_list=all"}).out, all.out);
  EXPECT_EQ(tool({"--keyword", "verbose,debug", "--old", file, "--verbose_list", "all", "-j2"}).out,
            all.out);

  const Finished clips = tool({"--verbose_list", "clip_val", "--keyword=inspect", "--old", file});
  EXPECT_THAT(clips.out, ContainsRegex("layer1.0.conv1.0.quant_activation.clip_val \\[1\\] = "));
  EXPECT_THAT(clips.out, Not(HasSubstr("level_num")));
  const Finished none = tool({"inspect", "--old", file});
  EXPECT_EQ(none.out, "") << "LSQ has neither ratio nor sep";
  EXPECT_THAT(none.err, HasSubstr("--verbose_list all"));
}

TEST_F(Tools, UpdateRenamesInPlaceAndReportsWhatMatchedNothing) {
  const std::string file = trained();
  write("from", "# stem\n'conv1'\nlayer{1,2}.0\nnone\n");
  write("to", "stem\n\nl{1,2}.first\nx\n");
  const Finished updated =
      tool({"--keyword", "update,raw", "--mf", "from", "--mt", "to", "--old", file, "--new", file});
  ASSERT_EQ(updated.status, 0) << updated.err;
  EXPECT_THAT(updated.out, AllOf(ContainsRegex("^[0-9]+ names changed, [0-9]+ kept\n"),
                                 HasSubstr("matched nothing: none\n"),
                                 HasSubstr("wrote " + file + "\nwrote " + file + "-raw\n")));
  const std::string names = tool({"inspect", "--old", file, "--verbose_list", "all"}).out;
  EXPECT_THAT(names, AllOf(StartsWith("stem.weight "), HasSubstr("\nl2.first.conv1.0.weight "),
                           Not(HasSubstr("layer2.0."))));
  EXPECT_EQ(tool({"inspect", "--old", file + "-raw", "--verbose_list", "all"}).out, names);
}

TEST_F(Tools, UpdateLeavesTheOldFileWhereTheDiskIsFull) {
  const std::string file = trained(), before = read(folder_ / file);
  write("from", "conv1\n");
  write("to", "stem\n");
  const Finished full =
      run({"tools", "update", "--mf", "from", "--mt", "to", "--old", file, "--new", file}, 65536);
  EXPECT_EQ(full.status, 1);
  EXPECT_EQ(read(folder_ / file), before);
}

TEST_F(Tools, LoadSaysWhatFits) {
  const std::string file = trained();
  const Finished fits = tool({"load", "--old", file});
  EXPECT_EQ(fits.status, 0) << fits.err;
  EXPECT_THAT(fits.out, ContainsRegex("all [0-9]+ entries of the network are in " + file));

  const Finished other = tool({"load", "--old", file, "--num_classes", "12"});
  EXPECT_EQ(other.status, 0) << other.err;
  EXPECT_THAT(other.out, HasSubstr("2 entries of the network that are not in the file, or of "
                                   "another size:\n  fc.weight [12, 32], in the file [10, 32]\n"));
  EXPECT_THAT(other.out, HasSubstr("2 entries of the file that are left unused:\n  fc.weight\n"));
}

TEST_F(Tools, SaveWritesTheNetworksOwnDict) {
  const std::string file = trained();
  const Finished saved = tool({"save", "--old", file, "--new", "saved.pth"});
  ASSERT_EQ(saved.status, 0) << saved.err;
  EXPECT_THAT(saved.out, HasSubstr("wrote saved.pth\n"));
  EXPECT_EQ(tool({"inspect", "--old", "saved.pth", "--verbose_list", "all"}).out,
            tool({"inspect", "--old", file, "--verbose_list", "all"}).out);
  // It has no description: the options are one, in the old spelling, too.
  EXPECT_THAT(tool({"load", "--old", "saved.pth"}, kNetwork).out, HasSubstr("all "));
  std::vector<std::string> old_spelling = kNetwork;
  old_spelling[3] += ",load,save";
  const Finished again = tool({"--pretrained", "saved.pth", "--new", "again.pth"}, old_spelling);
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("wrote again.pth\n"));
}

TEST_F(Tools, SwapAndSortWriteListsBesideTheFile) {
  write("names", "# old\nb.10\na\nc\n\nb.2\ne\nd\n");
  const Finished swapped = tool({"swap", "--mf", "names", "--verbose_list", "3/1-0-2"});
  EXPECT_EQ(swapped.out, "wrote names-swap: 6 names\n") << swapped.err;
  EXPECT_EQ(read(folder_ / "names-swap"), "a\nb.10\nc\ne\nb.2\nd\n");
  const Finished sorted = tool({"--keyword", "sort", "--mapping_from", "names"});
  EXPECT_EQ(sorted.out, "wrote names-sort: 6 names\n") << sorted.err;
  EXPECT_EQ(read(folder_ / "names-sort"), "a\nb.10\nb.2\nc\nd\ne\n");
}

TEST_F(Tools, InferenceListsTheConvolutions) {
  const Finished listed = tool({"inference"}, kNetwork);
  EXPECT_EQ(listed.status, 0) << listed.err;
  EXPECT_THAT(listed.out, HasSubstr("\nconv1 input [1, 3, 32, 32] weight [8, 3, 3, 3] kernel 3x3 "
                                    "stride 1 padding 1 dilation 1 groups 1\n"));
  EXPECT_THAT(listed.out,
              HasSubstr("\nlayer2.0.conv1.0 input [1, 8, 32, 32] weight [16, 8, 3, 3] kernel 3x3 "
                        "stride 2 padding 1 dilation 1 groups 1\n"));
  EXPECT_EQ(std::ranges::count(listed.out, '\n'), 1 + 1 + 18 + 2);
}

TEST_F(Tools, VerifyDataNamesEveryBadImage) {
  using testing_support::halves;
  const std::string jpeg =
      testing_support::made_jpeg(8, 8, JCS_RGB, halves(8, 8, {255, 0, 0}, {0, 0, 255}));
  const std::string png = testing_support::made_png(8, 8, PNG_COLOR_TYPE_RGB, 8,
                                                    halves(8, 8, {255, 0, 0}, {0, 0, 255}));
  for (const char* folder : {"images/train/a", "images/val/a"})
    fs::create_directories(folder_ / folder);
  write("images/train/a/1.JPEG", jpeg);
  write("images/train/a/2.JPEG", jpeg.substr(0, jpeg.size() / 2));
  write("images/val/a/3.JPEG", png);
  write("images/val/a/4.JPEG", "text");
  const Finished all = tool({"verify-data", "--root", "images"});
  EXPECT_EQ(all.status, 1);
  EXPECT_THAT(all.out, AllOf(StartsWith("bad: images/train/a/2.JPEG: JPEG: "),
                             HasSubstr("\nbad: images/val/a/4.JPEG: neither JPEG nor PNG\n"),
                             HasSubstr("\n4 images, 2 bad\n")));

  write("images/train.txt", "a/1.JPEG 0\nval/a/3.JPEG 0\na/5.JPEG 0\n");
  const Finished listed = tool({"--keyword", "verify-data", "--root", "images", "-j2"});
  EXPECT_THAT(listed.out, AllOf(StartsWith("bad: images/a/5.JPEG: cannot read"),
                                HasSubstr("\n3 images, 1 bad\n")));

  const Finished one =
      tool({"verify-image", "--verbose_list", "images/train/a/1.JPEG,images/val/a/4.JPEG"});
  EXPECT_EQ(one.status, 1);
  EXPECT_EQ(one.out, "bad: images/val/a/4.JPEG: neither JPEG nor PNG\n2 images, 1 bad\n");
}

TEST_F(Tools, VerifyDataReadsSetsThatAreNoImageFiles) {
  const Finished good = tool({"verify-data", "--dataset", "fashion", "--root", "set"});
  EXPECT_EQ(good.status, 0) << good.err;
  EXPECT_THAT(good.out, HasSubstr("112 images, 0 bad\n"));

  fs::create_directories(folder_ / "cifar");
  for (const char* name : {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                           "data_batch_4.bin", "data_batch_5.bin"})
    write(std::string("cifar/") + name, std::string(2 * 3073, '\1'));
  write("cifar/test_batch.bin", std::string(3073, '\13'));
  const Finished bad = tool({"verify-data", "--dataset", "cifar10", "--root", "cifar"});
  EXPECT_EQ(bad.status, 1);
  EXPECT_THAT(bad.out, AllOf(StartsWith("bad: 'cifar/test_batch.bin': image 0 has label 11"),
                             HasSubstr("10 images, 1 bad\n")));
}

struct RefusedTool {
  const char* name;
  std::vector<std::string> arguments;
  int status;
  const char* first_line;  // regular expression
};

void PrintTo(const RefusedTool& refused, std::ostream* out) {
  *out << refused.name;
}

class BadTools : public Tools, public testing::WithParamInterface<RefusedTool> {};

TEST_P(BadTools, AreOneClearLineAndWriteNothing) {
  write("two", "a\nb\n");
  write("three", "a{1,2,3}\n");
  write("unknown", "a\nb{1\n");
  const auto before = files();
  const Finished failed = tool(GetParam().arguments);
  EXPECT_EQ(failed.status, GetParam().status);
  EXPECT_THAT(first_line(failed.err), ContainsRegex(GetParam().first_line));
  auto after = files();
  std::erase_if(after, [](const fs::path& file) { return file == "out" || file == "err"; });
  EXPECT_EQ(after, before);
}

const std::string kFile =
    std::string(LOWBIT_SOURCE_DIR) + "/tests/checkpoint/fixtures/small.zip.pt";

INSTANTIATE_TEST_SUITE_P(
    Arguments, BadTools,
    testing::Values(
        RefusedTool{"none", {}, 2, "usage:"},
        RefusedTool{"verb", {"inspekt"}, 2, "unknown verb 'inspekt'; did you mean 'inspect'"},
        RefusedTool{"keyword", {"--keyword", "updat"}, 2, "'updat'; did you mean 'update'"},
        RefusedTool{"other_keyword",
                    {"--keyword", "sort,cifar1000", "--mf", "two"},
                    2,
                    "unknown keyword 'cifar1000'; did you mean 'cifar100'"},
        RefusedTool{"no_verb", {"--old", "x"}, 2, "neither a verb nor --keyword"},
        RefusedTool{"onnx", {"export_onnx"}, 2, "tools export_onnx: --old \\(or --pretrained\\)"},
        RefusedTool{"old_onnx", {"--keyword", "export_onnx"}, 2, "export_onnx: --old"},
        RefusedTool{"onnx_option",
                    {"export_onnx", "--old", kFile, "--onnx_weight", "int4"},
                    2,
                    "'--onnx_weight'; did you mean '--onnx_weights'"},
        RefusedTool{"option", {"inspect", "--odl", kFile}, 2, "'--odl'; did you mean '--old'"},
        RefusedTool{"model_option", {"inspect", "--wt_bits", "2"}, 2, "did you mean '--wt_bit'"},
        RefusedTool{
            "no_old", {"inspect"}, 2, "tools inspect: --old \\(or --pretrained\\) is missing"},
        RefusedTool{"no_file", {"inspect", "--old", "none.pth"}, 1, "none.pth"},
        RefusedTool{"no_new", {"update", "--old", kFile, "--mf", "two", "--mt", "two"}, 2, "--new"},
        RefusedTool{"no_mapping", {"update", "--old", kFile, "--new", "n"}, 2, "--mapping_from"},
        RefusedTool{"lengths",
                    {"update", "--old", kFile, "--new", "n", "--mf", "two", "--mt", "three"},
                    2,
                    "'two' names 2 prefixes, 'three' 3"},
        RefusedTool{"braces",
                    {"update", "--old", kFile, "--new", "n", "--mf", "unknown", "--mt", "two"},
                    2,
                    "unknown:2: the braces"},
        RefusedTool{"swap",
                    {"swap", "--mf", "two", "--verbose_list", "3/1-0-2"},
                    2,
                    "two: 2 names are no multiple of 3"},
        RefusedTool{
            "order", {"swap", "--mf", "two", "--verbose_list", "2/1-1"}, 2, "'2/1-1' is no order"},
        RefusedTool{"no_order", {"swap", "--mf", "two"}, 2, "--verbose_list is missing"},
        RefusedTool{"undescribed", {"load", "--old", kFile}, 2, "does not describe its network"},
        RefusedTool{"no_root", {"verify-data"}, 2, "--root is missing"},
        RefusedTool{"no_images", {"verify-data", "--root", "set"}, 1, "'set': no images"},
        RefusedTool{"no_list", {"verify-image"}, 2, "--verbose_list is missing"}),
    [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace lowbit
