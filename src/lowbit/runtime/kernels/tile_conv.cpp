#include "lowbit/runtime/kernels/tile_conv.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <span>

#include "lowbit/runtime/aligned.h"

namespace lowbit::runtime {
namespace {

// Tiles read whole vectors from the last pixel, and whole steps.
constexpr size_t kSlack = 64;

constexpr size_t kFirstCache = 1 << 14;

// For output positions along one axis: which of the kernel's taps are inside the image. Positions
// with the same taps are of the same class.
struct Axis {
  struct Taps {
    int first, last;
    auto operator<=>(const Taps&) const = default;
  };

  Axis(int size, int count, const ConvProblem& p) {
    std::map<Taps, int> known;
    for (int position = 0; position < count; ++position) {
      const int begin = position * p.stride - p.padding;
      const int first = std::clamp(-begin, 0, p.kernel);
      const Taps inside{first, std::clamp(size - begin, first, p.kernel)};
      const auto [entry, added] = known.try_emplace(inside, static_cast<int>(taps.size()));
      if (added) taps.push_back(inside);
      of_position.push_back(entry->second);
    }
  }

  std::vector<int> of_position;
  std::vector<Taps> taps;  // by class
};

// With x = scale * unit + offset and padding packed as unit 0,
//   sum x w = scale * sum unit w + sum over the taps inside the image of offset w:
// the second part depends on the class of the pixel's row and column only.
class Bases {
 public:
  Bases(const ConvProblem& p, const CodeUnits& units, const std::vector<int32_t>& constant,
        int padded_out)
      : rows_(p.height, p.out_height(), p), columns_(p.width, p.out_width(), p), out_(padded_out) {
    const std::vector<uint32_t> corners = corners_of(p, offset_sums(p, units));
    values_.resize(rows_.taps.size() * columns_.taps.size() * static_cast<size_t>(out_));
    int32_t* base = values_.data();
    for (const Axis::Taps& rows : rows_.taps) {
      for (const Axis::Taps& columns : columns_.taps) {
        std::ranges::copy(constant, base);
        const auto corner = [&](int row, int column) { return &corners[place(p, row, column)]; };
        const uint32_t *all = corner(rows.last, columns.last),
                       *above = corner(rows.first, columns.last),
                       *left = corner(rows.last, columns.first),
                       *both = corner(rows.first, columns.first);
        for (int out = 0; out < p.out; ++out)
          base[out] += static_cast<int32_t>(all[out] - above[out] - left[out] + both[out]);
        base += out_;
      }
    }
  }

  // [out]
  const int32_t* of(int row, int column) const {
    const int place =
        rows_.of_position[static_cast<size_t>(row)] * static_cast<int>(columns_.taps.size()) +
        columns_.of_position[static_cast<size_t>(column)];
    return &values_[static_cast<size_t>(place) * out_];
  }

 private:
  static size_t place(const ConvProblem& p, int row, int column) {
    return (static_cast<size_t>(row) * (static_cast<size_t>(p.kernel) + 1) +
            static_cast<size_t>(column)) *
           static_cast<size_t>(p.out);
  }

  // [row][column][out]: the sum over all taps above and left, mod 2^32. That of any rectangle of
  // taps are four of them.
  static std::vector<uint32_t> corners_of(const ConvProblem& p, const std::vector<int32_t>& sums) {
    std::vector<uint32_t> corners(place(p, p.kernel + 1, 0));
    const int32_t* sum = sums.data();
    for (int row = 0; row < p.kernel; ++row)
      for (int column = 0; column < p.kernel; ++column)
        for (int out = 0; out < p.out; ++out) {
          const auto at = [&](int i, int j) {
            return corners[place(p, i, j) + static_cast<size_t>(out)];
          };
          corners[place(p, row + 1, column + 1) + static_cast<size_t>(out)] =
              at(row, column + 1) + at(row + 1, column) - at(row, column) +
              static_cast<uint32_t>(*sum++);
        }
    return corners;
  }

  Axis rows_, columns_;
  int out_;
  std::vector<int32_t> values_;  // [class of row][class of column][out]
};

class TileConv : public ConvKernel {
 public:
  TileConv(const ConvProblem& problem, const CodeUnits& units, TilePlan plan)
      : height_(problem.height),
        width_(problem.width),
        in_(problem.in),
        out_(problem.out),
        padding_(problem.padding),
        out_width_(problem.out_width()),
        out_height_(problem.out_height()),
        plan_(std::move(plan)),
        field_(problem, plan_.packing->pixel_bytes()),
        bases_(problem, units, plan_.constant, padded_out(plan_.blocks, *plan_.set)) {}

  const char* name() const override { return plan_.set->name; }

  size_t scratch_bytes() const override {
    return elsewhere_bytes() + field_.packed_rows(out_height_) * field_.row_bytes + kSlack;
  }

  int out_block() const override { return plan_.set->vectors * plan_.set->lanes; }

  void run(const uint8_t* codes, const Region& region, int32_t* acc, void* scratch) const override {
    const int rows = region.last_row - region.first_row;
    if (rows == 0) return;
    auto* const elsewhere = static_cast<int32_t*>(scratch);
    uint8_t* packed = static_cast<uint8_t*>(scratch) + elsewhere_bytes();
    pack_rows(codes, region.first_row, field_.packed_rows(rows), packed);
    // Weights that stay in the first cache are taken for tile after tile; of others a block at a
    // time is kept in the second cache for all tiles.
    const auto first = static_cast<size_t>(region.first_out / out_block());
    const auto count = static_cast<size_t>((region.outs() + out_block() - 1) / out_block());
    const std::span<const Block> blocks = std::span(plan_.blocks).subspan(first, count);
    if (plan_.weights.size() <= kFirstCache) {
      run_blocks(blocks, packed, region, acc, elsewhere);
    } else {
      for (const Block& block : blocks) run_blocks({&block, 1}, packed, region, acc, elsewhere);
    }
  }

 private:
  void pack_rows(const uint8_t* codes, int first_row, int rows, uint8_t* packed) const {
    for (int i = 0; i < rows; ++i) {
      pack_row(codes, (first_row * field_.stride + i) * field_.sampling - padding_, packed);
      packed += field_.row_bytes;
    }
    std::memset(packed, 0, kSlack);
  }

  // Row `y` of the image, which may be one of its padding.
  void pack_row(const uint8_t* codes, int y, uint8_t* packed) const {
    const int step = field_.sampling;
    // The packed pixels [left, right) are those inside the image.
    const int left = std::min((padding_ + step - 1) / step, field_.packed_width);
    const int right = std::clamp((width_ + padding_ - 1) / step + 1, left, field_.packed_width);
    if (y < 0 || y >= height_) {
      plan_.packing->fill(field_.packed_width, packed);
      return;
    }
    const auto place = [&](int pixel) {
      return packed + static_cast<size_t>(pixel) * field_.pixel_bytes;
    };
    const size_t first = static_cast<size_t>(y) * width_ + (left * step - padding_);
    plan_.packing->fill(left, packed);
    plan_.packing->pack(codes + first * in_, right - left, ptrdiff_t{step} * in_, place(left));
    plan_.packing->fill(field_.packed_width - right, place(right));
  }

  struct Pixels {
    const uint8_t* const* inputs;
    const int32_t* const* bases;
    int32_t* const* outputs;
    int32_t* elsewhere;
    int count;
  };

  // Of the sums of the largest tile, [pixels][out_block].
  size_t elsewhere_bytes() const {
    return aligned(static_cast<size_t>(plan_.set->pixels * out_block()) * sizeof(int32_t));
  }

  // Tiles write whole vectors. Where the last one is not full they do it elsewhere.
  void run_tile_of(const Block& block, const Pixels& at) const {
    const int rest = out_ - block.first_out;
    const bool whole = rest >= block.vectors * plan_.set->lanes;
    int32_t* elsewhere[kMostPixels];
    for (int i = 0; !whole && i < at.count; ++i)  // tiles count from channel 0
      elsewhere[i] = at.elsewhere + i * out_block() - block.first_out;
    plan_.set->tiles[block.vectors - 1][at.count - 1](
        {.inputs = at.inputs,
         .segments = block.segments.data(),
         .segment_count = static_cast<int>(block.segments.size()),
         .first_input = plan_.inputs_by_channel ? block.first_out : 0,
         .first = block.first_out,
         .weights = plan_.weights.data() + block.weights,
         .table = plan_.table.data(),
         .scale = plan_.scale,
         .base = at.bases,
         .out = whole ? at.outputs : elsewhere});
    if (whole) return;
    for (int i = 0; i < at.count; ++i)
      std::copy_n(elsewhere[i] + block.first_out, rest, at.outputs[i] + block.first_out);
  }

  void run_blocks(std::span<const Block> blocks, const uint8_t* packed, const Region& region,
                  int32_t* acc, int32_t* elsewhere) const {
    const uint8_t* inputs[kMostPixels];
    const int32_t* bases[kMostPixels];
    int32_t* outputs[kMostPixels];
    int pixels = 0;
    const auto run_tile = [&] {
      for (const Block& block : blocks)
        run_tile_of(block, {inputs, bases, outputs, elsewhere, pixels});
      pixels = 0;
    };
    const size_t step = static_cast<size_t>(field_.stride) * field_.pixel_bytes;
    for (int y = region.first_row; y < region.last_row; ++y) {
      const uint8_t* input = packed + (y - region.first_row) * field_.stride * field_.row_bytes;
      for (int x = 0; x < out_width_; ++x) {
        inputs[pixels] = input;
        bases[pixels] = bases_.of(y, x);
        outputs[pixels] = acc - region.first_out;  // tiles count from channel 0
        input += step;
        acc += region.outs();
        if (++pixels == plan_.set->pixels) run_tile();
      }
    }
    if (pixels) run_tile();
  }

  int height_, width_, in_, out_, padding_, out_width_, out_height_;
  TilePlan plan_;
  ReceptiveField field_;
  Bases bases_;
};

}  // namespace

ReceptiveField::ReceptiveField(const ConvProblem& problem, int bytes_of_pixel)
    : sampling(problem.kernel == 1 ? problem.stride : 1),
      stride(problem.kernel == 1 ? 1 : problem.stride),
      packed_width((problem.out_width() - 1) * stride + problem.kernel),
      pixel_bytes(bytes_of_pixel),
      row_bytes(static_cast<size_t>(packed_width) * bytes_of_pixel),
      kernel(problem.kernel) {}

std::vector<Segment> segments_of(const Runs& runs, const std::vector<bool>& flush_after) {
  std::vector<Segment> segments;
  for (int run = 0; run < runs.runs; ++run) {
    int begin = 0;
    for (int step = 0; step < runs.steps; ++step) {
      const bool flush = flush_after[static_cast<size_t>(run * runs.steps + step)];
      if (!flush && step + 1 < runs.steps) continue;
      const size_t input = run * runs.input_run + begin * runs.input_step;
      segments.push_back({static_cast<int32_t>(input), step + 1 - begin, flush});
      begin = step + 1;
    }
  }
  return segments;
}

std::vector<Block> blocks_of(int out, const TileSet& set) {
  std::vector<Block> blocks;
  const int vectors = (out + set.lanes - 1) / set.lanes;
  for (int first = 0; first < vectors; first += set.vectors)
    blocks.push_back({first * set.lanes, std::min(set.vectors, vectors - first), 0, {}});
  return blocks;
}

int padded_out(const std::vector<Block>& blocks, const TileSet& set) {
  return blocks.back().first_out + blocks.back().vectors * set.lanes;
}

std::unique_ptr<ConvKernel> make_tile_conv(const ConvProblem& problem, const CodeUnits& units,
                                           TilePlan plan) {
  return std::make_unique<TileConv>(problem, units, std::move(plan));
}

}  // namespace lowbit::runtime
