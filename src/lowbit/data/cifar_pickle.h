// The Python version of CIFAR-10 and CIFAR-100: each file is a pickled dict with an array of the
// images and a list of their labels, as Python 2 wrote it, or as later ones write the same.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lowbit::data {

struct CifarPickle {
  std::string pixels;           // [N, 3072]: of each image its red, its green, its blue
  std::vector<int64_t> labels;  // [N], 0..255
};

// pickle: the content of such a file. label_key: the entry with the labels. An Error (failure) that
// says what is wrong with it.
CifarPickle read_cifar_batch(std::string_view pickle, std::string_view label_key);

// The texts of the list in this entry. Errors as read_cifar_batch.
std::vector<std::string> read_cifar_names(std::string_view pickle, std::string_view key);

}  // namespace lowbit::data
