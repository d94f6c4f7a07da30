// Where the output of the program goes: lost, closed, or with text from files in it; and outputs
// and inputs that are not what they seem.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "lowbit/core/mapped_file.h"
#include "lowbit/runtime/container.h"
#include "program.h"

namespace lowbit {
namespace {

using testing::Contains;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

const char* const kLost = "cannot write to standard output: No space left on device";

class Output : public Program {
 protected:
  // Standard output: a disk that is full, a pipe whose reader has gone, nothing at all.
  void to_full_disk() {
    prepare_ = [] { ::dup2(::open("/dev/full", O_WRONLY), STDOUT_FILENO); };
  }
  void to_broken_pipe() {
    prepare_ = [] {
      int ends[2];
      if (::pipe(ends) != 0) ::_exit(125);
      ::dup2(ends[1], STDOUT_FILENO);
      ::close(ends[0]);
      ::close(ends[1]);
    };
  }
  void to_nothing() {
    prepare_ = [] {
      ::close(STDOUT_FILENO);
      ::close(STDERR_FILENO);
    };
  }
  void train_and_pack() { train_once(/*pack=*/true); }
  // The verbs that a help lists behind `program`.
  static std::vector<std::string> verbs_of(const std::string& help, const std::string& program) {
    std::vector<std::string> verbs;
    const std::regex line("\n  " + program + " ([a-z_-]+)");
    for (std::sregex_iterator it(help.begin(), help.end(), line), end; it != end; ++it)
      verbs.push_back((*it)[1].str());
    return verbs;
  }
};

TEST_F(Output, LostHelpOfEveryVerb_IsAFailure) {
  std::vector<std::vector<std::string>> calls = {{"-h"}, {"tools", "-h"}};
  for (const std::string& verb : verbs_of(run({"-h"}).out, "lowbit")) calls.push_back({verb, "-h"});
  for (const std::string& verb : verbs_of(run({"tools", "-h"}).out, "lowbit tools"))
    calls.push_back({"tools", verb, "-h"});
  EXPECT_GT(calls.size(), 20);
  to_full_disk();
  for (const auto& call : calls) {
    const Finished lost = run(call);
    EXPECT_EQ(lost.status, 1) << testing::PrintToString(call);
    EXPECT_EQ(lost.err, std::string("lowbit: ") + kLost + "\n") << testing::PrintToString(call);
  }
}

TEST_F(Output, LostByVerbsThatWork_IsAFailureAndTheWorkIsDone) {
  train_and_pack();
  const std::string checkpoint = checkpoint_, packed = packed_;
  const std::vector<std::vector<std::string>> calls = {
      {"train", "config.lsq", "--dry-run"},
      {"train", "config.lsq", "--epochs", "1", "--case", "second"},
      {"eval", checkpoint},
      {"summary", "config.lsq"},
      {"summary", checkpoint},
      {"summary", packed},
      {"report", "exp/resnet20/small", "-o", "page.html", "--no-images"},
      {"export", checkpoint, "-o", "net.lowbit", "--onnx", "net.onnx", "--check", "20"},
      {"run", packed, "fashion", "--root", "set"},
      {"bench", packed, "--seconds", "0.01"},
      {"tools", "inspect", "--old", checkpoint, "--verbose_list", "all"},
      {"tools", "options"}};
  to_full_disk();
  for (const auto& call : calls) {
    const Finished lost = run(call);
    EXPECT_EQ(lost.status, 1) << testing::PrintToString(call);
    EXPECT_THAT(lost.err, HasSubstr(std::string("lowbit: ") + kLost));
    EXPECT_EQ(lost.err.find(kLost), lost.err.rfind(kLost)) << "said once";
  }
  for (const char* file :
       {"weights/resnet20/second-checkpoint.pth.tar", "page.html", "net.lowbit", "net.onnx"})
    EXPECT_TRUE(fs::exists(folder_ / file)) << file;
}

TEST_F(Output, WhoseReaderHasGone_EndsQuietlyAfterTheWork) {
  to_broken_pipe();
  const Finished trained = run({"train", "config.lsq", "--epochs", "1"});
  EXPECT_EQ(trained.status, 128 + SIGPIPE);
  EXPECT_EQ(trained.err, "");
  EXPECT_THAT(read(folder_ / "exp/resnet20/small/train.log"), HasSubstr("[epoch 0]: test_acc"));
  const Finished help = run({"-h"});
  EXPECT_EQ(help.status, 128 + SIGPIPE);
  EXPECT_EQ(help.err, "");
}

TEST_F(Output, Closed_GoesIntoNoFile) {
  to_nothing();
  EXPECT_EQ(run({"train", "config.lsq", "--epochs", "1"}).status, 0) << "the log is in a file";
  EXPECT_EQ(run({"summary", "config.lsq"}).status, 1);
  prepare_ = nullptr;
  EXPECT_EQ(run({"eval", checkpoint_}).status, 0);
  for (const fs::path& file : files())
    if (file.filename() != "train.log" && file != "out") {
      EXPECT_THAT(read(folder_ / file), Not(HasSubstr("[epoch 0]: "))) << file;
    }
}

TEST_F(Output, AFileThatGrowsTooLarge_IsAMessageAndNoSignal) {
  const Finished failed = run({"train", "config.lsq", "--epochs", "1"}, 40'000);
  EXPECT_EQ(failed.status, 1);
  EXPECT_THAT(first_line(failed.err), ContainsRegex("lowbit: cannot write '.*': File too large"));
}

// A title, a cleared screen, a color, a forged line, C1, a right-to-left override, no UTF-8.
const std::string kHostile =
    "\x1b]0;title\x07\x1b[2J\x1b[31m\r\nlowbit: forged\u009b1m\u202eabc\xff";

void expect_harmless(const std::string& text) {
  for (const char c : text) ASSERT_TRUE(c == '\n' || (c & 0xE0) != 0 || c == '\x7f') << text;
  EXPECT_THAT(text, Not(HasSubstr("\u202e")));
  EXPECT_THAT(text, Not(HasSubstr("\u009b")));
  EXPECT_THAT(text, Not(HasSubstr("\xff")));
  EXPECT_THAT("\n" + text, Not(HasSubstr("\nlowbit: forged")));
}

TEST_F(Output, NamesInAPackedFile_AreShownEscaped) {
  train_and_pack();
  const core::MappedFile file(folder_ / packed_);
  const std::unique_ptr<packed::ModelT> model(
      runtime::open_sealed(
          {reinterpret_cast<const uint8_t*>(file.bytes().data()), file.bytes().size()})
          .UnPack());
  model->network += kHostile;
  model->checked += kHostile;
  for (std::string& name : model->classes) name += kHostile;
  for (auto& value : model->values) value->name += kHostile;
  const std::vector<uint8_t> sealed = runtime::seal(*model);
  write("hostile.lowbit", {reinterpret_cast<const char*>(sealed.data()), sealed.size()});
  // The data set's classes have other names.
  const std::vector<std::pair<std::vector<std::string>, int>> calls = {
      {{"summary", "hostile.lowbit"}, 0},
      {{"run", "hostile.lowbit", "fashion", "--root", "set"}, 2},
      {{"bench", "hostile.lowbit", "--seconds", "0.01", "--layers"}, 0}};
  for (const auto& [call, status] : calls) {
    const Finished done = run(call);
    EXPECT_EQ(done.status, status) << done.err;
    expect_harmless(done.out + done.err);
  }
  EXPECT_THAT(run({"summary", "hostile.lowbit"}).out, HasSubstr("\\x1b]0;title\\x07\\x1b[2J"));
}

TEST_F(Output, NamesOfFilesAndWhatTheyHold_AreShownEscaped) {
  write("config", "dataset='fashion'\nmodel='" + kHostile + "'\n");
  write("policy", "on " + kHostile + ":\n");
  fs::create_directories(folder_ / "photos/train" / kHostile);
  write("photos/train/" + kHostile + "/" + kHostile.substr(0, 8) + ".JPEG", "no picture");
  const std::vector<std::vector<std::string>> calls = {
      {"train", "config"},
      {"train", "config.lsq", "--policy", "policy"},
      {"eval", kHostile},
      {"summary", kHostile},
      {"export", kHostile},
      {"report", kHostile},
      {kHostile},
      {"tools", kHostile},
      {"run", kHostile, kHostile},
      {"train", "config.lsq", kHostile},
      {"tools", "verify-data", "--root", "photos", "--dataset", "imagenet"}};
  for (const auto& call : calls) {
    const Finished failed = run(call);
    EXPECT_GT(failed.status, 0) << testing::PrintToString(call);
    expect_harmless(failed.out + failed.err);
  }
}

// A link to a file of the user, and one that leads nowhere yet.
TEST_F(Output, OfExportBehindLinks_GoesToTheirTargets) {
  train_and_pack();
  write("target.lowbit", "old");
  fs::create_symlink("target.lowbit", folder_ / "link.lowbit");
  fs::create_symlink("target.onnx", folder_ / "link.onnx");
  const Finished done = run({"export", checkpoint_, "-o", "link.lowbit", "--onnx", "link.onnx"});
  ASSERT_EQ(done.status, 0) << done.err;
  EXPECT_TRUE(fs::is_symlink(folder_ / "link.lowbit"));
  EXPECT_TRUE(fs::is_symlink(folder_ / "link.onnx"));
  EXPECT_EQ(read(folder_ / "target.lowbit"), read(folder_ / packed_));
  EXPECT_GT(fs::file_size(folder_ / "target.onnx"), 1000u);
}

TEST_F(Output, OntoAFolderOrAFifo_IsRefusedAndTheyStay) {
  train_and_pack();
  const std::string checkpoint = checkpoint_;
  fs::create_directories(folder_ / "a_folder");
  write("names", "conv1\n");
  ASSERT_EQ(::mkfifo((folder_ / "a_fifo").c_str(), 0600), 0);
  for (const std::string place : {"a_folder", "a_fifo", "no/such/place"})
    for (const std::vector<std::string>& call :
         {std::vector<std::string>{"export", checkpoint, "--check", "20", "-o"},
          {"export", checkpoint, "--check", "20", "--onnx"},
          {"report", "exp/resnet20/small", "--no-images", "-o"},
          {"tools", "save", "--old", checkpoint, "--new"},
          {"tools", "update", "--old", checkpoint, "--mf", "names", "--mt", "names", "--new"},
          {"tools", "pack-data", "set"}}) {
      std::vector<std::string> words = call;
      words.push_back(place);
      const Finished failed = run(words);
      EXPECT_EQ(failed.status, 1) << testing::PrintToString(words) << failed.out;
      const std::string message =
          failed.err.substr(std::min(failed.err.find("lowbit: "), failed.err.size()));
      EXPECT_THAT(first_line(message), HasSubstr(place));
      EXPECT_EQ(std::ranges::count(message, '\n'), 1) << failed.err;
    }
  struct stat status = {};
  ::lstat((folder_ / "a_fifo").c_str(), &status);
  EXPECT_TRUE(S_ISFIFO(status.st_mode));
  EXPECT_TRUE(fs::is_directory(folder_ / "a_folder"));
}

TEST_F(Output, OfExportOntoItsCheckpoint_IsRefused) {
  train_and_pack();
  const std::string before = read(folder_ / checkpoint_);
  const Finished failed = run({"export", checkpoint_, "-o", checkpoint_});
  EXPECT_EQ(failed.status, 2);
  EXPECT_THAT(failed.err, HasSubstr("is the checkpoint itself"));
  EXPECT_EQ(read(folder_ / checkpoint_), before);
}

class RunPlaces : public Output, public testing::WithParamInterface<const char*> {};

// Where a run will write; found before it trains.
TEST_P(RunPlaces, OfAFolderOrAFifo_AreFoundBeforeTraining) {
  const fs::path place = folder_ / GetParam();
  const auto refused = [&](const char* reason) {
    const Finished failed = run({"train", "config.lsq", "--epochs", "1"});
    EXPECT_EQ(failed.status, 1) << failed.out;
    EXPECT_THAT(failed.err, HasSubstr(std::string(GetParam()) + "': " + reason + "\n"));
    EXPECT_THAT(failed.out, Not(HasSubstr("[epoch 0]")));
  };
  fs::create_directories(place);
  refused("it is a folder");
  fs::remove(place);
  ASSERT_EQ(::mkfifo(place.c_str(), 0600), 0);
  refused("it is a FIFO");
  EXPECT_TRUE(fs::is_fifo(place));
}

INSTANTIATE_TEST_SUITE_P(
    Of, RunPlaces,
    testing::Values("weights/resnet20/small-checkpoint.pth.tar",
                    "weights/resnet20/small-checkpoint-previous.pth.tar",
                    "weights/resnet20/small-model_best.pth.tar", "weights/resnet20/small.lock",
                    "exp/resnet20/small/train.log", "exp/resnet20/small/metrics.csv",
                    "exp/resnet20/small/layers.csv", "exp/resnet20/small/run.json",
                    "exp/resnet20/small/config"),
    [](const auto& given) {
      std::string name = fs::path(given.param).filename();
      std::erase_if(name, [](char c) { return !std::isalnum(c); });
      return name;
    });

TEST_F(Output, OfARunBehindALink_GoesToItsTarget) {
  fs::create_directories(folder_ / "weights/resnet20");
  fs::create_directories(folder_ / "disk");
  fs::create_symlink("../../disk/state", folder_ / checkpoint_);
  ASSERT_EQ(run({"train", "config.lsq", "--epochs", "2"}).status, 0);
  EXPECT_TRUE(fs::is_symlink(folder_ / checkpoint_));
  EXPECT_EQ(run({"eval", "disk/state"}).status, 0);
  const Finished resumed = run({"train", "config.lsq", "--epochs", "3", "-r"});
  EXPECT_THAT(resumed.out, HasSubstr("going on in epoch 2"));
}

TEST_F(Output, AFifoAsAnInput_NeverWaitsForAWriter) {
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  const std::vector<std::vector<std::string>> calls = {
      {"train", "fifo"},
      {"eval", "fifo"},
      {"summary", "fifo"},
      {"export", "fifo"},
      {"run", "fifo", "fashion"},
      {"train", "config.lsq", "--policy", "fifo"},
      {"train", "config.lsq", "--pretrained", "fifo"},
      {"tools", "sort", "--mf", "fifo"}};
  for (const auto& call : calls) {
    const Finished failed = run(call);
    EXPECT_GT(failed.status, 0) << testing::PrintToString(call);
    EXPECT_THAT(first_line(failed.err), HasSubstr("fifo"));
  }
}

TEST_F(Output, ACaseThatIsNoFileName_IsRefused) {
  for (const std::string name :
       {"..", ".", "", "a/b", "../x", "/x", "a\nb", "a\x1b[2Jb", "a\xff"}) {
    const Finished failed = run({"train", "config.lsq", "--case", name});
    EXPECT_EQ(failed.status, 2) << name;
    EXPECT_THAT(failed.err, HasSubstr("--case"));
    expect_harmless(failed.err);
  }
  const Finished long_name = run({"train", "config.lsq", "--case", std::string(240, 'n')});
  EXPECT_EQ(long_name.status, 1);
  EXPECT_THAT(long_name.err, HasSubstr("File name too long"));
  EXPECT_THAT(long_name.out, Not(HasSubstr("[epoch 0]")));
}

TEST_F(Output, WithAStackOfAFewKilobytes_IsThatOfAnyRunOrAMessage) {
  prepare_ = [] {
    const rlimit small = {64 << 10, 64 << 10};
    ::setrlimit(RLIMIT_STACK, &small);
  };
  const Finished trained = run({"train", "config.lsq", "--epochs", "1"});
  if (trained.status != 0) {
    EXPECT_EQ(trained.status, 1);
    EXPECT_THAT(trained.err, HasSubstr("the stack is limited to 64 KiB"));
  }
}

TEST_F(Output, OfARunInALinkedFolder_GoesToItsTarget) {
  fs::create_directories(folder_ / "exp/resnet20");
  fs::create_symlink("../../disk", folder_ / "exp/resnet20/small");
  ASSERT_EQ(run({"train", "config.lsq", "--epochs", "1"}).status, 0);
  EXPECT_TRUE(fs::exists(folder_ / "disk/metrics.csv"));
}

}  // namespace
}  // namespace lowbit
