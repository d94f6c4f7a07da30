#include "lowbit/core/mapped_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"

namespace lowbit::core {
namespace {

namespace fs = std::filesystem;

TEST(MappedFiles, HaveTheBytesOfTheFile) {
  const fs::path path =
      fs::path(testing::TempDir()) / ("mapped_file_test." + std::to_string(::getpid()));
  std::string content;
  for (int i = 0; i < 3000; ++i) content += std::to_string(i);
  for (const std::string& each : {content, std::string()}) {
    replace_file(path, each);
    const MappedFile file(path);
    file.expect_random_access();
    file.bring(file.bytes().substr(each.size() / 2));
    file.bring(file.bytes().substr(0, 0));
    EXPECT_EQ(file.bytes(), each);
    file.let_go();
    EXPECT_EQ(file.bytes(), each);
  }
  fs::remove(path);
}

TEST(MappedFiles, ThatCannotBeReadAreNamed) {
  for (const fs::path& path : {fs::path("/no/such/file"), fs::temp_directory_path()}) try {
      const MappedFile file(path);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find("cannot read '" + path.string() + "': "), 0u);
    }
}

}  // namespace
}  // namespace lowbit::core
