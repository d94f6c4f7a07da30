// Fashion-MNIST, https://arxiv.org/abs/1708.07747, in the idx format of
// http://yann.lecun.com/exdb/mnist: gzip'ed, as published and as Debian's package
// dataset-fashion-mnist installs it, or plain.
#pragma once

#include "lowbit/data/dataset.h"

namespace lowbit::data {

// 28x28 gray, with a black border of 2 pixels, as three equal channels: the input of CIFAR
// networks. options.root is the folder of the files or one of them; empty:
// /usr/share/datasets/fashion-mnist,
// ./data/fashion, ./data/fashion-mnist, ./data.
ImageSet load_fashion(const config::DataOptions& options, Split split);

void require_fashion(const config::DataOptions& options, Split split);

}  // namespace lowbit::data
