// lowbit export, run and bench: from a checkpoint to answers.
#include <gmock/gmock.h>

#include "program.h"

namespace lowbit {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

class Export : public Program {
 protected:
  Export() {
    const Finished trained = run({"train", "config.lsq", "--epochs", "1"});
    EXPECT_EQ(trained.status, 0) << trained.err;
  }
  Finished export_to(const std::string& file, const std::vector<std::string>& options = {}) const {
    std::vector<std::string> arguments = {"export", checkpoint_, "-o", file, "--check", "20"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return run(arguments);
  }
};

TEST_F(Export, WritesAFileThatAnswersAsTheNetworkDoes) {
  const Finished exported = export_to("net.lowbit", {"--ends", "float32"});
  ASSERT_EQ(exported.status, 0) << exported.err;
  EXPECT_THAT(exported.out, ContainsRegex("20 images: [0-9]+ numbers of [0-9]+ tensors equal bit "
                                          "for bit"));
  EXPECT_THAT(exported.out, HasSubstr("weights of 2 bits"));
  const Finished answered = run({"run", "net.lowbit", "fashion", "--root", "set", "-t", "2"});
  EXPECT_EQ(answered.status, 0) << answered.err;
  EXPECT_THAT(answered.out, ContainsRegex("fashion: [0-9]+ images: top-1 [0-9.]+ %"));
  const Finished plain =
      run({"run", "net.lowbit", "fashion", "--root", "set", "--kernels", "reference"});
  EXPECT_EQ(plain.out.substr(0, plain.out.rfind(',')),
            answered.out.substr(0, answered.out.rfind(',')));
}

TEST_F(Export, IsSmallerWithEndsOfEightBits) {
  ASSERT_EQ(export_to("float.lowbit", {"--ends", "float32"}).status, 0);
  ASSERT_EQ(export_to("bytes.lowbit").status, 0);
  EXPECT_LT(fs::file_size(folder_ / "bytes.lowbit"), fs::file_size(folder_ / "float.lowbit"));
  const Finished timed = run({"bench", "bytes.lowbit", "--seconds", "0.01", "--layers"});
  EXPECT_EQ(timed.status, 0) << timed.err;
  EXPECT_THAT(timed.out, ContainsRegex("[0-9.]+ ms an image"));
}

TEST_F(Export, ADamagedFileIsAnError) {
  ASSERT_EQ(export_to("net.lowbit").status, 0);
  std::string bytes = core::read_file(folder_ / "net.lowbit");
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  write("net.lowbit", bytes);
  const Finished failed = run({"run", "net.lowbit", "fashion", "--root", "set"});
  EXPECT_EQ(failed.status, 2);
  EXPECT_THAT(first_line(failed.err), HasSubstr("net.lowbit"));
}

TEST_F(Export, WritesAnOnnxFileAloneOrBesideThePackedOne) {
  const fs::path packed = "weights/resnet20/small-checkpoint.lowbit";
  const Finished alone = run({"export", checkpoint_, "--onnx", "net.onnx", "--check", "20"});
  ASSERT_EQ(alone.status, 0) << alone.err;
  EXPECT_THAT(alone.out, ContainsRegex("net.onnx: [0-9]+ bytes"));
  EXPECT_FALSE(fs::exists(folder_ / packed));
  ASSERT_EQ(export_to("net.lowbit", {"--onnx", "narrow.onnx", "--onnx_weights", "int4"}).status, 0);
  EXPECT_TRUE(fs::exists(folder_ / "net.lowbit"));
  EXPECT_LT(fs::file_size(folder_ / "narrow.onnx"), fs::file_size(folder_ / "net.onnx"));
}

TEST_F(Export, RefusesAnUnknownWidthOfWeights) {
  const Finished failed = export_to("net.lowbit", {"--onnx", "a.onnx", "--onnx_weights", "int3"});
  EXPECT_EQ(failed.status, 2);
  EXPECT_THAT(first_line(failed.err), HasSubstr("int4"));
  EXPECT_FALSE(fs::exists(folder_ / "a.onnx"));
}

TEST_F(Export, WritesNothingWhereTheNetworkIsUnknown) {
  const Finished failed = run({"export", "nothing.pth.tar", "-o", "net.lowbit"});
  EXPECT_NE(failed.status, 0);
  EXPECT_THAT(first_line(failed.err), HasSubstr("nothing.pth.tar"));
  EXPECT_FALSE(fs::exists(folder_ / "net.lowbit"));
}

}  // namespace
}  // namespace lowbit
