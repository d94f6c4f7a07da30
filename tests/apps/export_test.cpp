// lowbit export, run and bench: from a checkpoint to answers.
#include <gmock/gmock.h>

#include <sstream>

#include "program.h"

namespace lowbit {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

class Export : public Program {
 protected:
  Export() { train_once(); }
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

TEST_F(Export, AnswersOnlyWhatItKnows) {
  ASSERT_EQ(export_to("net.lowbit").status, 0);
  const auto error_of = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"run", "net.lowbit"});
    const Finished refused = run(words);
    EXPECT_EQ(refused.status, 2) << refused.out;
    // Behind warnings that a small set is small.
    return first_line(refused.err.substr(refused.err.find("lowbit: ")));
  };
  EXPECT_EQ(error_of({"nosuch.jpg"}), "lowbit: there is no file, folder or data set 'nosuch.jpg'");
  EXPECT_THAT(error_of({"fashon"}), testing::EndsWith("'fashon'; did you mean 'fashion'?"));
  fs::create_directory(folder_ / "empty");
  EXPECT_EQ(error_of({"empty"}), "lowbit: folder 'empty' has no images");
  // As eval: label 0 would be another class.
  fs::create_directory(folder_ / "cifar");
  write("cifar/test_batch.bin", std::string(3073, '\0'));
  EXPECT_EQ(run({"run", "net.lowbit", "cifar10", "--root", "cifar"}).status, 0);
  write("cifar/batches.meta.txt",
        "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n");
  EXPECT_EQ(
      error_of({"cifar10", "--root", "cifar"}),
      "lowbit: class 0 is 'T-shirt/top' in the packed network and 'airplane' in the data set");
  write("cifar/test.bin", std::string(3074, '\0'));
  EXPECT_EQ(error_of({"cifar100", "--root", "cifar"}),
            "lowbit: cifar100 has 100 classes, the network only 10");
}

TEST_F(Export, IsSmallerWithEndsOfEightBitsWhichChangeAnswers) {
  const Finished floats = export_to("float.lowbit", {"--ends", "float32"});
  const Finished bytes = export_to("bytes.lowbit"),
                 fewest = export_to("4.lowbit", {"--ends", "int4"});
  for (const Finished* exported : {&floats, &bytes, &fewest}) {
    ASSERT_EQ(exported->status, 0) << exported->err;
    const bool others = std::stoi(number_after(exported->out, "network's for ")) > 0;
    const bool explained = exported->out.find("--ends float32 leaves") != std::string::npos;
    EXPECT_EQ(explained, others && exported != &floats) << exported->out;
  }
  EXPECT_THAT(bytes.out + fewest.out, HasSubstr("--ends float32 leaves"));
  EXPECT_LT(fs::file_size(folder_ / "bytes.lowbit"), fs::file_size(folder_ / "float.lowbit"));
  const Finished timed = run({"bench", "bytes.lowbit", "--seconds", "0.01", "--layers"});
  EXPECT_EQ(timed.status, 0) << timed.err;
  EXPECT_THAT(timed.out, ContainsRegex("[0-9.]+ ms an image"));
}

TEST_F(Export, IsSummarizedWithEveryByteOfTheFile) {
  ASSERT_EQ(export_to("net.lowbit").status, 0);
  const Finished summary = run({"summary", "net.lowbit"});
  ASSERT_EQ(summary.status, 0) << summary.err;
  EXPECT_THAT(summary.out, HasSubstr("images of 32 x 32 pixels and 3 channels"));
  EXPECT_THAT(summary.out, HasSubstr("10 classes: "));
  EXPECT_THAT(summary.out, ContainsRegex("layer1.0.conv1.0? +conv +[a-z0-9_]+ +8x32x32 +8x32x32 "
                                         "+W2A2 +[0-9]+ +589824"));
  EXPECT_THAT(summary.out,
              ContainsRegex("layer2.0.conv2.0? +conv +[a-z0-9_]+ +16x16x16 +16x16x16 "))
      << "a skip's steps stand between those of the group";
  EXPECT_THAT(summary.out, ContainsRegex("fc +linear +[a-z0-9_]+ +32x1x1 +10x1x1 +W8A8 +[0-9]+ "
                                         "+320"));
  std::istringstream lines(summary.out);
  uintmax_t bytes = std::stoul(number_after(summary.out, "names of classes +")) +
                    std::stoul(number_after(summary.out, "structure, names of layers +"));
  const std::regex row(
      "^.*[0-9]x[0-9]+x[0-9]+ +[0-9]+x[0-9]+x[0-9]+ +(?:W[0-9]+A[0-9]+ +)?([0-9]+)"
      "(?: +[0-9]+)?$");
  std::smatch match;
  for (std::string line; std::getline(lines, line);)
    if (std::regex_match(line, match, row)) bytes += std::stoul(match[1].str());
  EXPECT_EQ(bytes, fs::file_size(folder_ / "net.lowbit")) << summary.out;
  // Of the network that it was packed from.
  const Finished trained = run({"summary", checkpoint_});
  const auto costs = [](const std::string& text) { return number_after(text, "\n  W2A2 +"); };
  EXPECT_EQ(costs(summary.out), costs(trained.out));
  EXPECT_EQ(run({"summary", "net.lowbit", "--wt_bit", "4"}).status, 2);
  EXPECT_EQ(run({"summary", "net.lowbit", "--graph"}).status, 2);
}

TEST_F(Export, IsComparedWithTheNetworkInFloat32) {
  ASSERT_EQ(export_to("net.lowbit").status, 0);
  const Finished timed =
      run({"bench", "net.lowbit", "--seconds", "0.05", "--against", checkpoint_.string()});
  ASSERT_EQ(timed.status, 0) << timed.err;
  const auto size = static_cast<double>(fs::file_size(folder_ / "net.lowbit")) / 1e3;
  EXPECT_NEAR(std::stod(number_after(timed.out, "packed size +")), size, 0.06);
  EXPECT_THAT(timed.out, ContainsRegex("kB as float32 \\([0-9.]+ times smaller\\)"));
  EXPECT_THAT(timed.out, ContainsRegex("packed speed +[0-9.]+ ms an image \\([a-z0-9]+\\), [0-9.]+ "
                                       "ms in float32 by LibTorch \\([0-9.]+ times as fast\\); "
                                       "1 thread"));
  const Finished other = run({"bench", "net.lowbit", "--seconds", "0.05", "--against",
                              checkpoint_.string(), "--num_classes", "12"});
  EXPECT_EQ(other.status, 2) << other.out;
  EXPECT_THAT(other.err, HasSubstr("10 classes"));
}

TEST_F(Export, ARunThatPacksEndsWithWhatExportGives) {
  const Finished trained = run({"train", "config.lsq", "--epochs", "1", "--pack"});
  ASSERT_EQ(trained.status, 0) << trained.err;
  EXPECT_THAT(trained.out, HasSubstr("equal bit for bit"));
  const std::string log = read(folder_ / "exp/resnet20/small/train.log");
  for (const std::string& text : {trained.out, log}) {
    EXPECT_THAT(text, ContainsRegex("packed size +[0-9.]+ kB"));
    EXPECT_THAT(text, ContainsRegex("packed speed +[0-9.]+ ms"));
  }
  ASSERT_EQ(run({"export", checkpoint_.string(), "-o", "net.lowbit"}).status, 0);
  EXPECT_EQ(read(folder_ / packed_), read(folder_ / "net.lowbit"));
}

TEST_F(Export, NeedsNoneOfTheFilesThatItsRunBeganFrom) {
  const Finished tuned = run({"train", "config.lsq", "--epochs", "1", "--case", "tuned",
                              "--pretrained", checkpoint_.string()});
  ASSERT_EQ(tuned.status, 0) << tuned.err;
  fs::remove(folder_ / checkpoint_);
  const Finished exported = run(
      {"export", "weights/resnet20/tuned-checkpoint.pth.tar", "-o", "net.lowbit", "--check", "20"});
  EXPECT_EQ(exported.status, 0) << exported.err;
}

TEST_F(Export, ADamagedFileIsAnError) {
  ASSERT_EQ(export_to("net.lowbit").status, 0);
  std::string bytes = core::read_file(folder_ / "net.lowbit");
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  write("net.lowbit", bytes);
  const Finished failed = run({"run", "net.lowbit", "fashion", "--root", "set"});
  EXPECT_EQ(failed.status, 2);
  EXPECT_THAT(first_line(failed.err), HasSubstr("net.lowbit"));
  const Finished summary = run({"summary", "net.lowbit"});
  EXPECT_EQ(summary.status, 2);
  EXPECT_EQ(first_line(summary.err), first_line(failed.err));
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
