#include "lowbit/data/image_folder.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <chrono>
#include <functional>

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
  // Changes something in a folder until the time of its last change is another one: the clock of a
  // file system has ticks.
  void change(const std::string& name, const std::function<void()>& body) const {
    const auto changed = [&] {
      struct stat status = {};
      ::stat((folder() / name).c_str(), &status);
      return std::pair(status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
    };
    const auto before = changed();
    for (body(); changed() == before;) fs::permissions(folder() / name, fs::perms::owner_all);
  }
  // Folders count as settled at once.
  ImageFolder list(std::chrono::seconds settled = std::chrono::seconds(0)) const {
    return ImageFolder(folder() / "set", folder() / "cache", settled);
  }

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
    names.push_back(fmt::format("{}{}", images.label(i), images.file_name(i)));
  return names;
}

TEST_F(ImageFolders, LabelTheSortedFoldersAndListTheirPictures) {
  for (const char* name : {"b/2.JPEG", "b/10.jpg", "a/x.png", "b/.hidden.jpg", "b/list.txt",
                           ".git/1.jpg", "Z/one.jpeg", "b/inner.jpg/3.jpg"})
    write(fmt::format("set/{}", name), "x");
  const ImageFolder images = list();
  EXPECT_THAT(images.class_names(), ElementsAre("Z", "a", "b"));
  EXPECT_THAT(names_of(images),
              ElementsAre("0one.jpeg", "1x.png", "210.jpg", "22.JPEG", "2inner.jpg/3.jpg"));
  EXPECT_EQ(images.path(1), folder() / "set/a/x.png");
}

// As os.walk gives them to torchvision: sorted by the paths of the folders as texts, '/' and all.
TEST_F(ImageFolders, OfAnyDepthComeInTheOrderOfTorchvision) {
  for (const char* name :
       {"a/images/1.jpg", "a/images/0.jpg", "a/images 2/5.jpg", "a/9.jpg", "a/images/deep/er/3.jpg",
        "a/.ipynb_checkpoints/9.jpg", "b/images/1.jpg", "b/empty/list.txt"})
    write(fmt::format("set/{}", name), "x");
  EXPECT_THAT(names_of(list()),
              ElementsAre("09.jpg", "0images/0.jpg", "0images/1.jpg", "0images 2/5.jpg",
                          "0images/deep/er/3.jpg", "1images/1.jpg"));
  EXPECT_EQ(list().path(4), folder() / "set/a/images/deep/er/3.jpg");
}

TEST_F(ImageFolders, FollowLinksButNotInCircles) {
  write("set/a/1.jpg", "x");
  write("set/b/2.jpg", "x");
  write("elsewhere/3.jpg", "x");
  write("elsewhere/in/4.jpg", "x");
  fs::create_directory_symlink("../../elsewhere", folder() / "set/b/more");
  fs::create_directory_symlink("../elsewhere", folder() / "set/c");
  fs::create_directory_symlink("..", folder() / "set/a/up");
  fs::create_directory_symlink(".", folder() / "set/a/self");
  fs::create_directory_symlink("../../set/a", folder() / "elsewhere/in/a");
  fs::create_directory_symlink("../..", folder() / "elsewhere/in/top");
  fs::create_symlink("../../elsewhere/3.jpg", folder() / "set/a/0.jpg");
  EXPECT_THAT(
      names_of(list()),
      ElementsAre("00.jpg", "01.jpg", "12.jpg", "1more/3.jpg", "1more/in/4.jpg", "1more/in/a/0.jpg",
                  "1more/in/a/1.jpg", "23.jpg", "2in/4.jpg", "2in/a/0.jpg", "2in/a/1.jpg"));
}

TEST_F(ImageFolders, RefuseToWaitForAPipe) {
  write("set/a/1.jpg", "x");
  ASSERT_EQ(::mkfifo((folder() / "set/a/2.jpg").c_str(), 0600), 0);
  const ImageFolder images = list();
  ASSERT_EQ(images.size(), 2);
  std::string memory;
  EXPECT_EQ(images.stored(0, memory).bytes, "x");
  try {
    images.stored(1, memory);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const core::Error& error) {
    EXPECT_EQ(std::string(error.what()), "it is not a regular file");
  }
}

TEST_F(ImageFolders, AreReadFromTheCacheUnlessTheyChanged) {
  for (const char* name : {"a/1.jpg", "b/1.jpg", "b/2.jpg", "b/in/3.jpg", "c/1.jpg"})
    write(fmt::format("set/{}", name), "x");
  EXPECT_EQ(list().classes_from_cache(), 0);
  const std::vector<std::string> names = names_of(list());
  EXPECT_EQ(list().classes_from_cache(), 3);
  EXPECT_EQ(names_of(list()), names);

  change("set/b", [&] { write("set/b/0.jpg", "x"); });
  EXPECT_EQ(list().classes_from_cache(), 2);
  EXPECT_EQ(list().classes_from_cache(), 3);
  EXPECT_THAT(names_of(list()),
              ElementsAre("01.jpg", "10.jpg", "11.jpg", "12.jpg", "1in/3.jpg", "21.jpg"));
  change("set/b/in", [&] { write("set/b/in/4.jpg", "x"); });
  EXPECT_EQ(list().classes_from_cache(), 2);
  EXPECT_THAT(names_of(list()), ElementsAre("01.jpg", "10.jpg", "11.jpg", "12.jpg", "1in/3.jpg",
                                            "1in/4.jpg", "21.jpg"));
  change("set/c", [&] { write("set/c/deeper/5.jpg", "x"); });
  EXPECT_EQ(list().classes_from_cache(), 2);

  fs::remove_all(folder() / "set/a");
  EXPECT_THAT(list().class_names(), ElementsAre("b", "c"));
  EXPECT_THAT(names_of(list()), ElementsAre("00.jpg", "01.jpg", "02.jpg", "0in/3.jpg", "0in/4.jpg",
                                            "11.jpg", "1deeper/5.jpg"));
}

// As tar and rsync set it.
TEST_F(ImageFolders, UnpackedAnewWithTheSameDatesAreListedAnew) {
  const auto date = fs::file_time_type::clock::now() - std::chrono::hours(1000);
  const auto unpack = [&](const std::vector<std::string>& names) {
    fs::remove_all(folder() / "set");
    for (const std::string& name : names) write("set/a/" + name, "x");
    for (const char* path : {"set/a", "set"}) fs::last_write_time(folder() / path, date);
  };
  unpack({"1.jpg", "2.jpg"});
  EXPECT_EQ(list().size(), 2);
  EXPECT_EQ(list().classes_from_cache(), 1);
  change("set/a", [&] { unpack({"1.jpg", "2.jpg", "3.jpg"}); });
  fs::last_write_time(folder() / "set/a", date);
  EXPECT_THAT(names_of(list()), ElementsAre("01.jpg", "02.jpg", "03.jpg"));
  // Another folder under the same name, by a link.
  write("other/4.jpg", "x");
  fs::last_write_time(folder() / "other", date);
  fs::remove_all(folder() / "set/a");
  fs::create_directory_symlink("../other", folder() / "set/a");
  EXPECT_THAT(names_of(list()), ElementsAre("04.jpg"));
}

// Another change might leave the same time.
TEST_F(ImageFolders, ThatChangedAMomentAgoAreListedAnew) {
  write("set/a/1.jpg", "x");
  constexpr std::chrono::hours kHour(1);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(list(kHour).classes_from_cache(), 0);
  list();
  EXPECT_EQ(list().classes_from_cache(), 1);
  EXPECT_EQ(list(kHour).classes_from_cache(), 0);
}

TEST_F(ImageFolders, DoNotBelieveADamagedCache) {
  write("set/a/in/1.jpg", "x");
  list();
  const fs::path file = fs::directory_iterator(folder() / "cache")->path();
  const std::string whole = core::read_file(file);
  for (size_t size = 0; size < whole.size(); ++size) {
    write(fs::relative(file, folder()), whole.substr(0, size));
    EXPECT_THAT(names_of(list()), ElementsAre("0in/1.jpg")) << size;
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
  EXPECT_THAT(list_error(), testing::EndsWith("set' has no class folders"));
  write("set/1.jpg", "x");
  EXPECT_THAT(list_error(), HasSubstr("set' has no class folders; its 1 images have to be in"));
  write("set/a/1.jpg", "x");
  write("set/b/list.txt", "x");
  EXPECT_THAT(list_error(), HasSubstr("set/b' has no images (.jpg, "));
}

// Most of what is wrong with a folder is that it is called otherwise.
TEST_F(ImageFolders, ThatLackASplitSayWhatIsThere) {
  for (const char* name : {"train/a/1.jpg", "validation/a/1.jpg", ".git/x"}) write(name, "x");
  try {
    require_images(options_for("imagenet", folder()), Split::validation);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const core::Error& error) {
    EXPECT_EQ(std::string(error.what()),
              fmt::format("there is no folder '{0}/val'; '{0}' has train, validation",
                          folder().string()));
  }
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
