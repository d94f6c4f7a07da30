// What the program is told about several processes, by options or by the environment.
#include <gmock/gmock.h>

#include <cstdlib>

#include "program.h"

namespace lowbit {
namespace {

using testing::HasSubstr;

class Launcher : public Program {
 protected:
  ~Launcher() override {
    for (const char* name : {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}) ::unsetenv(name);
  }
  static void set(const char* name, const char* value) { ::setenv(name, value, 1); }
};

TEST_F(Launcher, MoreProcessesThanTheRunHasAreAnError) {
  const Finished failed = run({"train", "config.lsq", "--gpus", "4", "--world_size", "2"});
  EXPECT_EQ(failed.status, 2);
  EXPECT_THAT(failed.err, HasSubstr("--rank 0 with 4 processes here: there are only 2"));
}

TEST_F(Launcher, WarnsOfAnEnvironmentThatIsIncomplete) {
  set("WORLD_SIZE", "2");
  const Finished finished = run({"train", "config.lsq", "--dry-run"});
  EXPECT_EQ(finished.status, 0);
  EXPECT_THAT(finished.err, HasSubstr("the environment has WORLD_SIZE, but not RANK"));
}

TEST_F(Launcher, NamesAVariableThatIsOutOfRange) {
  for (const auto& [name, value] :
       {std::pair("RANK", "2"), std::pair("RANK", "-1"), std::pair("RANK", ""),
        std::pair("WORLD_SIZE", "0"), std::pair("MASTER_PORT", "65536"),
        std::pair("MASTER_PORT", "none"), std::pair("MASTER_ADDR", "")}) {
    set("RANK", "1");
    set("WORLD_SIZE", "2");
    set("MASTER_ADDR", "127.0.0.1");
    set("MASTER_PORT", "29500");
    set(name, value);
    const Finished failed = run({"train", "config.lsq"});
    EXPECT_EQ(failed.status, 2) << failed.err;
    EXPECT_THAT(first_line(failed.err),
                HasSubstr(std::string(name) + "='" + value + "' in the environment"));
  }
}

}  // namespace
}  // namespace lowbit
