// Samples that a GPU decodes and cuts out.
#pragma once

#include <torch/types.h>

#include <memory>

#include "lowbit/data/batch_maker.h"
#include "lowbit/data/sample.h"

namespace lowbit::data {

// On a GPU. It takes the JPEGs that nvJPEG decodes whole; the samples differ from those of a
// SampleMaker by how chroma is spread over its neighbours, and by what `shortcut` leaves out. An
// Error (failure) that says why not, on another device or in a build without CUDA, too.
std::unique_ptr<BatchMaker> open_gpu_samples(const SampleRecipe& recipe, torch::Device device);

}  // namespace lowbit::data
