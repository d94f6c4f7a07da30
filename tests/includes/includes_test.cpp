#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "include_rules.h"

namespace lowbit::includes {
namespace fs = std::filesystem;
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Includes, GoInOneDirectionInThisTree) {
  EXPECT_THAT(offences(LOWBIT_SOURCE_DIR), IsEmpty());
}

// A tree of the same layout with one file to judge.
class MadeUpTree : public testing::Test {
 protected:
  MadeUpTree() {
    fs::create_directories(root_ / "src/lowbit");
    fs::create_directories(root_ / "apps/lowbit");
  }
  ~MadeUpTree() override { fs::remove_all(root_); }

  std::vector<std::string> offences_of(const fs::path& file, const std::string& content) const {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << content;
    return offences(root_);
  }

 private:
  fs::path root_ = fs::path(testing::TempDir()) / ("includes_test." + std::to_string(::getpid()));
};

TEST_F(MadeUpTree, AnIncludeUpwardsIsNamedWithFileAndLine) {
  EXPECT_THAT(offences_of("src/lowbit/core/log.cpp",
                          "#include \"lowbit/core/log.h\"\n\n#include \"lowbit/train/loop.h\"\n"),
              ElementsAre("src/lowbit/core/log.cpp:3: core may not depend on train"));
}

TEST_F(MadeUpTree, AnIncludeSidewaysIsAnOffence) {
  EXPECT_THAT(offences_of("src/lowbit/config/a.h", "#include \"lowbit/kernels/lsq.h\"\n"),
              ElementsAre("src/lowbit/config/a.h:1: config may not depend on kernels"));
}

TEST_F(MadeUpTree, AnIncludeDownwardsThroughSeveralFoldersIsNone) {
  EXPECT_THAT(offences_of("src/lowbit/train/loop.cpp",
                          "#include <torch/torch.h>\n#include \"lowbit/core/log.h\"\n"
                          "#include \"lowbit/kernels/lsq.h\"\n#include \"lowbit/nn/conv.h\"\n"),
              IsEmpty());
}

TEST_F(MadeUpTree, LibTorchInAFolderWithoutItIsAnOffence) {
  EXPECT_THAT(offences_of("src/lowbit/kernels/cuda/lsq.cu", "#  include <ATen/ATen.h>  // why\n"),
              ElementsAre("src/lowbit/kernels/cuda/lsq.cu:1: kernels does without LibTorch: "
                          "ATen/ATen.h"));
}

TEST_F(MadeUpTree, ThePathOfAnIncludeMayNotGoUp) {
  EXPECT_THAT(offences_of("src/lowbit/nn/conv.h", "#include \"../quant/lsq.h\"\n"),
              ElementsAre("src/lowbit/nn/conv.h:1: include by the path from src: ../quant/lsq.h"));
}

TEST_F(MadeUpTree, NothingIncludesThePrograms) {
  EXPECT_THAT(offences_of("src/lowbit/train/loop.cpp", "#include \"apps/lowbit/console.h\"\n"),
              ElementsAre("src/lowbit/train/loop.cpp:1: nothing includes the programs: "
                          "apps/lowbit/console.h"));
}

TEST_F(MadeUpTree, TheProgramsIncludeEverything) {
  EXPECT_THAT(offences_of("apps/lowbit/main.cpp",
                          "#include \"lowbit/train/loop.h\"\n#include \"lowbit/deploy/pack.h\"\n"),
              IsEmpty());
}

TEST_F(MadeUpTree, ADependencyOfATargetUpwardsIsAnOffence) {
  EXPECT_THAT(offences_of("src/lowbit/quant/CMakeLists.txt",
                          "lowbit_library(TORCH DEPENDS lowbit_config lowbit_nn)\n"),
              ElementsAre("src/lowbit/quant/CMakeLists.txt:1: quant may not depend on nn"));
}

TEST_F(MadeUpTree, AFolderThatTheRulesDoNotKnowIsAnOffence) {
  EXPECT_THAT(offences_of("src/lowbit/misc/a.h", ""),
              ElementsAre("src/lowbit/misc: there is no such folder in the rules"));
}

TEST_F(MadeUpTree, CommentedIncludesAreNotRead) {
  EXPECT_THAT(offences_of("src/lowbit/core/log.h", "// #include \"lowbit/train/loop.h\"\n"),
              IsEmpty());
}

}  // namespace
}  // namespace lowbit::includes
