#include "lowbit/data/image_folder.h"

#include <gmock/gmock.h>

#include <chrono>

#include "lowbit/core/files.h"
#include "lowbit/data/imagenet.h"
#include "made_files.h"

namespace lowbit::data {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class ImageFolders : public FolderTest {
 protected:
  // A folder that was changed just now may change again within the resolution of its time.
  void age(const std::string& name, int seconds = 60) const {
    fs::last_write_time(folder() / name,
                        fs::file_time_type::clock::now() - std::chrono::seconds(seconds));
  }
  ImageFolder list() const { return ImageFolder(folder() / "set", folder() / "cache"); }

  std::string list_error() const {
    try {
      list();
    } catch (const core::Error& error) {
      return error.what();
    }
    return "nothing was thrown";
  }
};

std::vector<std::string> names_of(const ImageFolder& images) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < images.size(); ++i)
    names.push_back(fmt::format("{}{}", images.label(i), images.path(i).filename().string()));
  return names;
}

TEST_F(ImageFolders, LabelTheSortedFoldersAndListTheirPictures) {
  for (const char* name : {"b/2.JPEG", "b/10.jpg", "a/x.png", "b/.hidden.jpg", "b/list.txt",
                           ".git/1.jpg", "Z/one.jpeg", "b/inner.jpg/3.jpg"})
    write(fmt::format("set/{}", name), "x");
  const ImageFolder images = list();
  EXPECT_THAT(images.class_names(), ElementsAre("Z", "a", "b"));
  EXPECT_THAT(names_of(images), ElementsAre("0one.jpeg", "1x.png", "210.jpg", "22.JPEG"));
  EXPECT_EQ(images.path(1), folder() / "set/a/x.png");
}

TEST_F(ImageFolders, AreReadFromTheCacheUnlessTheyChanged) {
  for (const char* name : {"a/1.jpg", "b/1.jpg", "b/2.jpg", "c/1.jpg"})
    write(fmt::format("set/{}", name), "x");
  for (const char* name : {"set/a", "set/b", "set/c"}) age(name);
  EXPECT_EQ(list().classes_from_cache(), 0);
  const std::vector<std::string> names = names_of(list());
  EXPECT_EQ(list().classes_from_cache(), 3);
  EXPECT_EQ(names_of(list()), names);

  write("set/b/0.jpg", "x");
  EXPECT_EQ(list().classes_from_cache(), 2);
  EXPECT_THAT(names_of(list()), ElementsAre("01.jpg", "10.jpg", "11.jpg", "12.jpg", "21.jpg"));
  // Changed a moment ago: another change might leave the same time.
  EXPECT_EQ(list().classes_from_cache(), 2);
  age("set/b", 30);
  list();
  EXPECT_EQ(list().classes_from_cache(), 3);

  fs::remove_all(folder() / "set/a");
  EXPECT_THAT(list().class_names(), ElementsAre("b", "c"));
  EXPECT_THAT(names_of(list()), ElementsAre("00.jpg", "01.jpg", "02.jpg", "11.jpg"));
}

TEST_F(ImageFolders, DoNotBelieveADamagedCache) {
  write("set/a/1.jpg", "x");
  age("set/a");
  list();
  const fs::path file = fs::directory_iterator(folder() / "cache")->path();
  const std::string whole = core::read_file(file);
  for (size_t size = 0; size < whole.size(); ++size) {
    write(fs::relative(file, folder()), whole.substr(0, size));
    EXPECT_THAT(names_of(list()), ElementsAre("01.jpg")) << size;
  }
}

TEST_F(ImageFolders, NeedNoCache) {
  write("set/a/1.jpg", "x");
  write("cache", "a file, not a folder");
  EXPECT_EQ(list().size(), 1);
  EXPECT_EQ(ImageFolder(folder() / "set").size(), 1);
}

TEST_F(ImageFolders, ThatAreMissingOrEmptyAreNamed) {
  EXPECT_THAT(list_error(), HasSubstr((folder() / "set").string()));
  fs::create_directories(folder() / "set");
  EXPECT_THAT(list_error(), HasSubstr("set': no folders, one for each class, are in it"));
  write("set/a/1.jpg", "x");
  write("set/b/list.txt", "x");
  EXPECT_THAT(list_error(), HasSubstr("set/b' has no images"));
}

TEST_F(ImageFolders, OfBothSplitsHaveTheSameClasses) {
  const auto error_of_split = [&](Split split) -> std::string {
    try {
      require_images(options_for("imagenet", folder()), split);
    } catch (const core::Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(error_of_split(Split::train),
              HasSubstr(fmt::format("there is no folder '{}'", (folder() / "train").string())));
  write("val/a/1.jpg", "x");
  write("val/c/1.jpg", "x");
  EXPECT_EQ(error_of_split(Split::validation), "");  // to evaluate needs no training set
  for (const char* name : {"train/a/1.jpg", "train/b/1.jpg", "train/c/1.jpg"}) write(name, "x");
  const std::string expected =
      fmt::format("'{}' has no class folder 'b', ", (folder() / "val").string());
  EXPECT_THAT(error_of_split(Split::train), HasSubstr(expected));
  EXPECT_THAT(error_of_split(Split::validation), HasSubstr(expected));
  write("val/b/1.jpg", "x");
  EXPECT_EQ(error_of_split(Split::train), "");
  write("val/d/1.jpg", "x");
  EXPECT_THAT(error_of_split(Split::train), HasSubstr("train' has no class folder 'd'"));
}

TEST_F(ImageFolders, AreKeptInTheCacheOfTheUser) {
  const char* home = std::getenv("HOME");
  const char* before = std::getenv("XDG_CACHE_HOME");
  const std::string kept = before ? before : "";
  ::setenv("XDG_CACHE_HOME", "/some/cache", 1);
  EXPECT_EQ(user_cache(), "/some/cache/lowbit");
  ::unsetenv("XDG_CACHE_HOME");
  if (home) {
    EXPECT_EQ(user_cache(), fs::path(home) / ".cache/lowbit");
  }
  if (before) ::setenv("XDG_CACHE_HOME", kept.c_str(), 1);
}

}  // namespace
}  // namespace lowbit::data
