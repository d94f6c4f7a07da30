// The labeled pictures of a split, wherever they lie: a file each, or all of them packed in one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lowbit/data/image.h"

namespace lowbit::data {

class PictureSet {
 public:
  PictureSet() = default;
  virtual ~PictureSet() = default;
  PictureSet(const PictureSet&) = delete;
  PictureSet& operator=(const PictureSet&) = delete;

  // Of these functions several threads may call any at once; i is in 0..size() - 1.
  virtual int64_t size() const = 0;
  virtual int64_t label(int64_t i) const = 0;                       // 0..class_names().size() - 1
  virtual const std::vector<std::string>& class_names() const = 0;  // by label
  // What an error calls picture i: where it lies.
  virtual std::string name(int64_t i) const = 0;
  // Where it lies in the folder of its class: "1.jpg", "images/1.jpg".
  virtual std::string file_name(int64_t i) const = 0;
  // Picture i as it is kept; the result may point into `memory`. An Error (failure) if it cannot
  // be read; whether it is a picture is not looked at.
  virtual StoredPicture stored(int64_t i, std::string& memory) const = 0;
};

}  // namespace lowbit::data
