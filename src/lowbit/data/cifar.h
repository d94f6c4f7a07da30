// CIFAR-10 and CIFAR-100, the binary version and the one for Python, which hold the same images in
// the same order: https://www.cs.toronto.edu/~kriz/cifar.html
//
// A record of the binary version is 1 label byte (CIFAR-10) or 2 (CIFAR-100: coarse, fine; the fine
// one counts), then 32x32 bytes of red, of green and of blue. A file is records without a header.
// Of the other version: data/cifar_pickle.h.
#pragma once

#include "lowbit/data/dataset.h"

namespace lowbit::data {

// options.root is one of the files, the folder that holds them, a published tar.gz, or a folder
// with a published folder or tar.gz in it (the binary version if both versions are in one place);
// empty: ./data, ./data/<data set>, /usr/share/datasets.
ImageSet load_cifar10(const config::DataOptions& options, Split split);
ImageSet load_cifar100(const config::DataOptions& options, Split split);

// Downloads the published archive of the binary version where require_... would throw, unless
// options.offline: into the folder options.root, or as the file that it names if that is called as
// the archive; for an empty root into ./data.
void obtain_cifar10(const config::DataOptions& options, Split split);
void obtain_cifar100(const config::DataOptions& options, Split split);

void require_cifar10(const config::DataOptions& options, Split split);
void require_cifar100(const config::DataOptions& options, Split split);

}  // namespace lowbit::data
