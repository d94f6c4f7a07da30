// Which files are the pictures of a data set.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lowbit::data {

// The files that a list names, one a line, in its order: a path, relative to `root` or to
// root/train, then maybe a blank and a label. Blank lines are passed over; a file need not exist.
std::vector<std::filesystem::path> listed_images(const std::filesystem::path& list,
                                                 const std::filesystem::path& root);

// The files of root/train/<class>/ and root/val/<class>/, or of root/<class>/ where neither folder
// exists, and of the folders below, as an ImageFolder of each lists them. An Error (failure) naming
// `root` if there are none.
std::vector<std::filesystem::path> images_in_class_folders(const std::filesystem::path& root);

}  // namespace lowbit::data
