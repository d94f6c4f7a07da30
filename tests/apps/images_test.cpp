// Runs on folders of photographs: --dataset imagenet.
#include <gmock/gmock.h>

#include <cstdlib>

#include "program.h"

namespace lowbit {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class Photographs : public Program {
 protected:
  Photographs() {
    ::setenv("XDG_CACHE_HOME", (folder_ / "cache").c_str(), 1);
    const fs::path fixtures = fs::path(LOWBIT_SOURCE_DIR) / "tests/data/fixtures/photographs";
    std::vector<fs::path> photographs;
    for (const auto& entry : fs::directory_iterator(fixtures)) photographs.push_back(entry.path());
    std::ranges::sort(photographs);
    for (const char* split : {"train", "val"})
      for (size_t i = 0; i < 18; ++i) {
        const fs::path to = folder_ / "photos" / split / (i % 2 ? "cat" : "dog");
        fs::create_directories(to);
        fs::copy_file(photographs[i % photographs.size()], to / (std::to_string(i) + ".JPEG"));
      }
  }

  Finished train(std::vector<std::string> more) const {
    std::vector<std::string> words = {"train",
                                      "config.lsq",
                                      "--dataset",
                                      "imagenet",
                                      "--root",
                                      "photos",
                                      "--keyword",
                                      "cifar10,cbsa,origin,fix,singleconv,dorefa,lsq",
                                      "--epochs",
                                      "2",
                                      "--input_size",
                                      "32",
                                      "--num_classes",
                                      "2",
                                      "-b",
                                      "8",
                                      "-v",
                                      "7"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
};

// "[epoch 1]: train_loss 1.2345", "test_acc ..." of all epochs.
std::string numbers(const Finished& run) {
  std::string found;
  const std::regex line("(train_loss [0-9.]+|test_acc [0-9. ]+)");
  for (std::sregex_iterator it(run.out.begin(), run.out.end(), line), end; it != end; ++it)
    found += it->str() + "\n";
  return found;
}

TEST_F(Photographs, TrainAndEvaluateTheSameWithAnyNumberOfThreads) {
  const Finished one = train({"-j1", "--aa"});
  ASSERT_EQ(one.status, 0) << one.err;
  EXPECT_THAT(numbers(one), ContainsRegex("train_loss .*\ntest_acc .*\ntrain_loss .*\ntest_acc"));
  const Finished more = train({"-j4", "--aa"});
  EXPECT_EQ(numbers(more), numbers(one));
  EXPECT_NE(numbers(train({"-j4"})), numbers(one));

  // A checkpoint knows the classes of its labels.
  const Finished evaluated = run({"eval", checkpoint_.string()});
  ASSERT_EQ(evaluated.status, 0) << evaluated.err;
  EXPECT_THAT(evaluated.out, HasSubstr("evaluate accuracy on dataset: top1("));
  fs::rename(folder_ / "photos/val/cat", folder_ / "photos/val/cow");
  fs::rename(folder_ / "photos/train/cat", folder_ / "photos/train/cow");
  const Finished other = run({"eval", checkpoint_.string()});
  EXPECT_EQ(other.status, 2);
  const std::string message = "class 0 is 'cat' in the checkpoint and 'cow' in the data set";
  EXPECT_THAT(other.err, HasSubstr(message));
  const Finished by_train = train({"-e"});
  EXPECT_EQ(by_train.status, 2);
  EXPECT_THAT(by_train.err, HasSubstr(message));
  const Finished exported = run({"export", checkpoint_.string()});
  EXPECT_EQ(exported.status, 2);
  EXPECT_THAT(exported.err, HasSubstr(message));
}

TEST_F(Photographs, GiveTheNetworkTheirNumberOfClasses) {
  const std::vector<std::string> words = {
      "train",    "config.lsq", "--dataset",    "imagenet",
      "--root",   "photos",     "--keyword",    "cbsa,origin,fix,singleconv,dorefa,lsq",
      "--epochs", "1",          "--input_size", "32",
      "-b",       "8",          "-v",           "7"};
  const Finished trained = run(words);
  ASSERT_EQ(trained.status, 0) << trained.err;
  EXPECT_THAT(trained.out, HasSubstr(" 2 classes"));
  const Finished evaluated = run({"eval", checkpoint_.string()});
  EXPECT_EQ(evaluated.status, 0) << evaluated.err;
  EXPECT_THAT(evaluated.out, HasSubstr(" 2 classes"));

  // A file without a description, too.
  ASSERT_EQ(run({"tools", "save", "--old", checkpoint_, "--new", "bare.pth"}).status, 0);
  std::vector<std::string> bare = {
      "eval",         "bare.pth", "--dataset", "imagenet", "--root",        "photos",
      "--input_size", "32",       "--device",  "cpu",      "--width_alpha", "0.125",
      "--model",      "resnet20", "--keyword", words[7],   "--fm_enable"};
  bare.insert(bare.end(),
              {"--fm_bit", "2", "--wt_enable", "--wt_bit", "2", "--wt_adaptive", "var-mean"});
  const Finished foreign = run(bare);
  EXPECT_EQ(foreign.status, 0) << foreign.err;
  EXPECT_EQ(foreign.out.substr(foreign.out.find("evaluate accuracy")),
            evaluated.out.substr(evaluated.out.find("evaluate accuracy")));
  for (const char* split : {"train", "val"})
    fs::copy(folder_ / "photos" / split / "cat", folder_ / "photos" / split / "cow");
  const Finished other = run(bare);
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.err, ContainsRegex("lowbit: bare.pth: does not fit the network: fc.weight "
                                       "\\[3, [0-9]+\\], in the file \\[2, [0-9]+\\]\n.*"
                                       "--num_classes"));
  for (const char* split : {"train", "val"}) fs::remove_all(folder_ / "photos" / split / "cow");

  // More classes than the folder has: numbers stand for the others.
  std::vector<std::string> more = words;
  more.insert(more.end(), {"--num_classes", "5"});
  ASSERT_EQ(run(more).status, 0);
  const Finished packed = run({"export", checkpoint_.string(), "-o", packed_.string()});
  EXPECT_EQ(packed.status, 0) << packed.err;
  EXPECT_THAT(run({"summary", packed_.string()}).out, HasSubstr("5 classes: cat, dog, 2, 3, 4"));
}

TEST_F(Photographs, GoOnAfterAnEpochAsIfNeverStopped) {
  const Finished whole = train({"--lr_policy", "fix"});
  ASSERT_EQ(whole.status, 0) << whole.err;
  const Finished first = train({"--lr_policy", "fix", "--epochs", "1"});
  const Finished second = train({"--lr_policy", "fix", "-r"});
  ASSERT_EQ(second.status, 0) << second.err;
  EXPECT_EQ(numbers(first) + numbers(second), numbers(whole));
}

TEST_F(Photographs, ThatAreDamagedEndTheRunByTheirNameOrAreSkippedAndCounted) {
  write("photos/train/cat/7.JPEG", "no picture");
  write("photos/val/dog/4.JPEG", "");
  const Finished refused = train({});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(first_line(refused.err),
              testing::MatchesRegex("lowbit: .*/photos/.*/(7|4).JPEG: "
                                    "(neither JPEG nor PNG|the file is empty)"));
  EXPECT_THAT(refused.err, HasSubstr("--skip_damaged"));

  const Finished skipped = train({"--skip_damaged"});
  ASSERT_EQ(skipped.status, 0) << skipped.err;
  for (const char* epoch : {"0", "1"})
    EXPECT_THAT(
        skipped.out + skipped.err,
        ContainsRegex(std::string("\\[epoch ") + epoch +
                      "\\]: training: damaged images skipped.*: 1; first .*cat/7.JPEG: neither"));
  EXPECT_THAT(
      skipped.out + skipped.err,
      ContainsRegex(
          "validation: damaged images skipped.*: 1; first .*dog/4.JPEG: the file is empty"));
  EXPECT_THAT(skipped.out + skipped.err, Not(HasSubstr("--skip_damaged takes")));
}

// The last rows are missing, which few crops show.
TEST_F(Photographs, ThatAreTruncatedAreDamagedForEveryCommandAndSeed) {
  const fs::path file = folder_ / "photos/train/cat/3.JPEG";
  fs::resize_file(file, fs::file_size(file) * 97 / 100);
  const std::string damage = "photos/train/cat/3.JPEG: JPEG: Premature end of";
  const Finished verified = run({"tools", "verify-data", "--root", "photos"});
  EXPECT_EQ(verified.status, 1);
  EXPECT_THAT(verified.out, HasSubstr("bad: " + damage));
  EXPECT_THAT(verified.out, HasSubstr("36 images, 1 bad"));
  EXPECT_THAT(run({"tools", "pack-data", "photos", "photos.pack"}).err, HasSubstr(damage));
  for (const char* seed : {"1", "2", "3"}) {
    const Finished refused = train({"--seed", seed, "--epochs", "1"});
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(first_line(refused.err), HasSubstr(damage));
    const Finished skipped = train({"--seed", seed, "--epochs", "1", "-v", "0", "--skip_damaged"});
    ASSERT_EQ(skipped.status, 0) << skipped.err;
    EXPECT_THAT(skipped.out + skipped.err,
                ContainsRegex("training: damaged images skipped.*: 1; first .*cat/3.JPEG: JPEG"));
  }
}

TEST_F(Photographs, OfAnyDepthTrainAsTorchvisionListsThemPackedOrNot) {
  for (const char* split : {"train", "val"}) {
    const fs::path dogs = folder_ / "photos" / split / "dog";
    fs::create_directories(dogs / "images/more");
    for (const char* name : {"0.JPEG", "2.JPEG"}) fs::rename(dogs / name, dogs / "images" / name);
    fs::rename(dogs / "4.JPEG", dogs / "images/more/4.JPEG");
  }
  const Finished nested = train({});
  ASSERT_EQ(nested.status, 0) << nested.err;
  EXPECT_EQ(run({"tools", "verify-data", "--root", "photos"}).out, "36 images, 0 bad\n");
  ASSERT_EQ(run({"tools", "pack-data", "photos", "photos.pack"}).status, 0);
  EXPECT_EQ(numbers(train({"--root", "photos.pack"})), numbers(nested));
}

TEST_F(Photographs, ThatAreMissingAreSaidBeforeTheRun) {
  EXPECT_EQ(train({"--root", "set"}).status, 1);
  EXPECT_THAT(train({"--root", "set"}).err,
              HasSubstr("lowbit: there is no folder 'set/val'\nto get imagenet: --root"));
  const Finished dry = train({"--root", "set", "--dry-run"});
  EXPECT_EQ(dry.status, 0);
  EXPECT_THAT(dry.out + dry.err, HasSubstr("warning: there is no folder 'set/train'"));
}

TEST_F(Photographs, ForTheGpuAreDecodedByTheCpuAndItIsSaidOnce) {
  const Finished dali = train({"--dataset", "dali"});
  ASSERT_EQ(dali.status, 0) << dali.err;
  const std::string all = dali.out + dali.err, warning = "data set dali: the CPU decodes";
  EXPECT_NE(all.find(warning), std::string::npos);
  EXPECT_EQ(all.find(warning), all.rfind(warning));
  EXPECT_EQ(numbers(dali), numbers(train({})));
}

TEST_F(Photographs, PackedIntoOneFileTrainAndEvaluateTheSame) {
  const Finished packing = run({"tools", "pack-data", "photos", "photos.pack", "-j2"});
  ASSERT_EQ(packing.status, 0) << packing.err;
  EXPECT_THAT(packing.out, HasSubstr("photos.pack: 18 training and 18 validation images of 2 cl"));
  const Finished folder = train({"--aa"});
  const Finished packed = train({"--aa", "--root", "photos.pack"});
  ASSERT_EQ(packed.status, 0) << packed.err;
  EXPECT_EQ(numbers(packed), numbers(folder));
  EXPECT_EQ(numbers(train({"--dataset", "dali", "--aa", "--root", "photos.pack"})),
            numbers(folder));
  fs::remove_all(folder_ / "photos");
  const Finished evaluated = run({"eval", checkpoint_.string()});
  ASSERT_EQ(evaluated.status, 0) << evaluated.err;
  EXPECT_THAT(evaluated.out, HasSubstr("evaluate accuracy on dataset: top1("));
  const Finished dry = train({"--root", "photos.pack", "--dry-run"});
  EXPECT_EQ(dry.status, 0);
  EXPECT_THAT(dry.out + dry.err, Not(HasSubstr("warning:")));

  const Finished verified = run({"tools", "verify-data", "--root", "photos.pack"});
  EXPECT_EQ(verified.status, 0);
  EXPECT_EQ(verified.out, "36 images, 0 bad\n");
}

TEST_F(Photographs, PackedAsPixelsOfASideTrain) {
  const Finished packing = run({"tools", "pack-data", "photos", "photos.pack", "--format", "raw",
                                "--side", "64", "-j", "2"});
  ASSERT_EQ(packing.status, 0) << packing.err;
  const Finished trained = train({"--root", "photos.pack"});
  ASSERT_EQ(trained.status, 0) << trained.err;
  EXPECT_EQ(numbers(train({"--root", "photos.pack", "-j1"})), numbers(trained));
}

TEST_F(Photographs, PackedWithDamagedOnesAreNamedLeftOutOrFoundLater) {
  write("photos/train/cat/7.JPEG", "no picture");
  const Finished refused = run({"tools", "pack-data", "photos", "photos.pack"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_EQ(first_line(refused.err),
            "lowbit: " + (fs::canonical(folder_) / "photos/train/cat/7.JPEG").string() +
                ": neither JPEG nor PNG");
  const Finished skipped = run({"tools", "pack-data", "photos", "photos.pack", "--skip_damaged"});
  ASSERT_EQ(skipped.status, 0) << skipped.err;
  EXPECT_THAT(skipped.out, ContainsRegex("left out: .*/7.JPEG: neither JPEG nor PNG\n"
                                         "photos.pack: 17 training and 18 validation images .*\n"
                                         "1 damaged images are left out"));

  std::string changed = read(folder_ / "photos.pack");
  changed[changed.size() / 2] ^= 1;
  write("photos.pack", changed);
  const Finished verified = run({"tools", "verify-data", "--root", "photos.pack"});
  EXPECT_EQ(verified.status, 1);
  EXPECT_THAT(verified.out,
              ContainsRegex("bad: photos.pack: .*JPEG: its bytes are not those that were packed\n"
                            "35 images, 1 bad"));
  write("photos.pack", changed.substr(0, changed.size() / 2));
  const Finished cut = train({"--root", "photos.pack"});
  EXPECT_EQ(cut.status, 1);
  EXPECT_THAT(first_line(cut.err),
              HasSubstr("photos.pack: a damaged set of packed pictures: it has"));
  EXPECT_EQ(run({"tools", "verify-data", "--root", "photos.pack"}).status, 1);
}

TEST_F(Photographs, ArePackedIntoANewFileThatFitsOnTheDiskOrNotAtAll) {
  const Finished full = run({"tools", "pack-data", "photos", "photos.pack"}, 500'000);
  EXPECT_EQ(full.status, 1);
  EXPECT_EQ(full.err, "lowbit: cannot write 'photos.pack': File too large\n");
  for (const fs::path& file : files())
    EXPECT_THAT(file.string(), Not(testing::StartsWith("photos.pack")));
  EXPECT_EQ(run({"tools", "pack-data", "photos", "photos.pack"}).status, 0);
  EXPECT_EQ(run({"tools", "pack-data", "photos", "photos.pack"}).err,
            "lowbit: 'photos.pack' exists already\n");
  EXPECT_EQ(run({"tools", "pack-data", "photos"}).status, 2);
  EXPECT_EQ(run({"tools", "pack-data", "photos", "p", "--format", "png"}).status, 2);
  EXPECT_EQ(run({"tools", "pack-data", "photos", "p", "--side", "0"}).status, 2);
  EXPECT_THAT(run({"tools", "pack-data", "photos", "p", "--qualty", "9"}).err,
              HasSubstr("unknown option '--qualty'; did you mean '--quality'?"));
}

}  // namespace
}  // namespace lowbit
