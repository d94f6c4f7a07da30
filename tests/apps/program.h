// The program as its users start it: a folder with a small data set and a config file, runs of the
// program in it with their status and output.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

#include "lowbit/core/files.h"
#include "support/small_set.h"

namespace lowbit {
namespace fs = std::filesystem;

inline std::string read(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

// The first number behind `mark`, as printed.
inline std::string number_after(const std::string& text, const std::string& mark) {
  std::smatch match;
  const std::regex pattern(mark + "([0-9.]+)");
  return std::regex_search(text, match, pattern) ? match[1].str() : "none behind " + mark;
}

struct Finished {
  int status = -1;  // of exit, or minus the signal
  std::string out, err;
};

// The network of config.lsq as options.
inline const std::vector<std::string> kNetwork = {"--model",
                                                  "resnet20",
                                                  "--keyword",
                                                  "fashion,cbsa,origin,fix,singleconv,dorefa,lsq",
                                                  "--dataset",
                                                  "fashion",
                                                  "--width_alpha",
                                                  "0.125",
                                                  "--fm_enable",
                                                  "--fm_bit",
                                                  "2",
                                                  "--wt_enable",
                                                  "--wt_bit",
                                                  "2",
                                                  "--wt_adaptive",
                                                  "var-mean"};

class Program : public testing::Test {
 protected:
  Program() {
    folder_ = fs::path(testing::TempDir()) / ("program_test." + std::to_string(::getpid()));
    fs::create_directories(folder_ / "set");
    testing_support::write_small_set(folder_ / "set", "train", 72);
    testing_support::write_small_set(folder_ / "set", "t10k", 40);
    write(
        "config.lsq",
        "# a small run\n"
        "dataset='fashion'\n"
        "root=set\n"
        "model='resnet20'\n"
        "case='small'\n"
        "epochs=16\n"
        "train_batch=24\n"
        "val_batch=40\n"
        "keyword='fashion,cbsa,origin,fix,singleconv,dorefa,lsq'\n"
        "options='--width_alpha 0.125 --lr 0.1 --lr_policy cos --lr_custom_step none --nesterov'\n"
        "options=\"$options --fm_enable --fm_bit 2 --fm_boundary 2 --wt_enable --wt_bit 2\"\n"
        "options=\"$options --wt_adaptive var-mean --wt_boundary 1.5 --device cpu\"\n");
  }
  ~Program() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const {
    core::replace_file(folder_ / name, text);
  }

  // Starts the program in the folder; its output goes to the files out and err there. largest_file:
  // in bytes; a write beyond it fails as one to a full disk does.
  pid_t start(std::vector<std::string> arguments, rlim_t largest_file = RLIM_INFINITY) const {
    arguments.insert(arguments.begin(), LOWBIT_PROGRAM);
    std::vector<char*> words;
    for (std::string& argument : arguments) words.push_back(argument.data());
    words.push_back(nullptr);
    const pid_t child = ::fork();
    if (child != 0) return child;
    const auto redirect = [](const char* name, int to) {
      ::dup2(::open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644), to);
    };
    if (::chdir(folder_.c_str()) != 0) ::_exit(126);
    redirect("out", STDOUT_FILENO);
    redirect("err", STDERR_FILENO);
    if (prepare_) prepare_();
    const rlimit limit = {largest_file, largest_file};
    if (largest_file != RLIM_INFINITY) ::setrlimit(RLIMIT_FSIZE, &limit);
    ::execv(words[0], words.data());
    ::_exit(127);
  }

  static bool runs(pid_t child) {
    siginfo_t info = {};
    return ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
  }

  Finished finish(pid_t child) const {
    int status = 0;
    ::waitpid(child, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), read(folder_ / "out"),
            read(folder_ / "err")};
  }

  Finished run(std::vector<std::string> arguments, rlim_t largest_file = RLIM_INFINITY) const {
    return finish(start(std::move(arguments), largest_file));
  }

  // Leaves the folder as `train config.lsq --epochs 1` does, with --pack or without: that is run
  // once for all tests, and what it has written is copied.
  void train_once(bool pack = false) const {
    struct Kept {
      ~Kept() { fs::remove_all(folder); }
      fs::path folder = fs::path(testing::TempDir()) / ("trained." + std::to_string(::getpid()));
    };
    static const Kept plain, packed{plain.folder.string() + ".packed"};
    const fs::path& kept = (pack ? packed : plain).folder;
    const bool done = fs::exists(kept);
    if (!done) {
      std::vector<std::string> words = {"train", "config.lsq", "--epochs", "1"};
      if (pack) words.emplace_back("--pack");
      const Finished trained = run(words);
      ASSERT_EQ(trained.status, 0) << trained.err;
    }
    for (const char* written : {"weights", "exp"}) {
      const fs::path here = folder_ / written, there = kept / written;
      fs::create_directories(there);
      fs::copy(done ? there : here, done ? here : there, fs::copy_options::recursive);
    }
  }

  std::vector<fs::path> files() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::recursive_directory_iterator(folder_))
      if (entry.is_regular_file()) found.push_back(fs::relative(entry.path(), folder_));
    std::ranges::sort(found);
    return found;
  }

  const fs::path checkpoint_ = "weights/resnet20/small-checkpoint.pth.tar";
  const fs::path packed_ = "weights/resnet20/small.lowbit";
  fs::path folder_;
  std::function<void()> prepare_;  // done by the child before it becomes the program
};

}  // namespace lowbit
