// Samples that a GPU decodes and cuts out.
#pragma once

#include <torch/types.h>

#include <memory>

#include "lowbit/data/batch_maker.h"
#include "lowbit/data/sample.h"

namespace lowbit::data {

// On a GPU. It takes the JPEGs that nvJPEG decodes whole; the samples differ from those of a
// SampleMaker by how chroma is spread over its neighbors, and by what `fractions` leaves out. An
// Error (failure) that says why not, on another device or in a build without CUDA, too.
//
// Of the images those that is_left_to_cpu(their index, cpu_share) names are left to the CPU.
std::unique_ptr<BatchMaker> open_gpu_samples(const SampleRecipe& recipe, torch::Device device,
                                             double cpu_share);

// Whether an image is one of the share, in 0..1, that the CPU makes: of a set's images that share
// is, as exactly as whole images allow, and no part of the set has more of them.
bool is_left_to_cpu(int64_t index, double share);

// What the CPU should make, if so many threads decode, so that a training step waits least.
double balanced_cpu_share(int threads);

}  // namespace lowbit::data
