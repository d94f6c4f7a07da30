// Weights, tables and guards of the look-up kernels.
//
// With x = scale * u + offset (u: the unit of the code, 0 .. m) and w = weight_scale * v, and
//   f(u, v) = u v - min(0, m v)    in 0 .. m |v|,
// an unsigned number for every code and weight,
//   sum u v = sum f(u, v) + sum min(0, m v):
// the last sum is of the weights alone, a constant of the output channel. A table entry is the sum
// of f over a group of channels.
#include <algorithm>
#include <bit>
#include <cstdlib>

#include "lowbit/runtime/kernels/kernels.h"
#include "lowbit/runtime/kernels/tile_conv.h"

namespace lowbit::runtime {
namespace {

// How codes and weights become indices.
struct Alphabet {
  int scale;                    // of the weights
  std::vector<int> values;      // v, falling: the first has the smallest f(0, v)
  int weight_bits, input_bits;  // of one index
  int group;                    // codes in a row's index
  int rows() const { return 1 << (input_bits * group); }
};

class IndexPacking : public Packing {
 public:
  IndexPacking(const Alphabet& alphabet, const CodeUnits& units, const LookupSet& set, int in)
      : pack_(set.pack),
        // The tiles count rows in 8 bytes.
        row_{.codes = nullptr,
             .pixels = 0,
             .stride = 0,
             .channels = in,
             .group = alphabet.group,
             .bits = alphabet.input_bits,
             .shift = set.code_bits - 3,
             .rest = units.code_of_zero(),
             .indices = nullptr} {
    for (int i = 0; i < row_.group; ++i) zero_ |= row_.rest << (row_.bits * i);
    zero_ <<= row_.shift;
  }

  int groups() const { return (row_.channels + row_.group - 1) / row_.group; }
  int pixel_bytes() const override { return 2 * groups(); }

  void pack(const uint8_t* codes, int pixels, ptrdiff_t stride, uint8_t* packed) const override {
    LookupIndices row = row_;
    row.codes = codes;
    row.pixels = pixels;
    row.stride = stride;
    row.indices = reinterpret_cast<uint16_t*>(packed);
    pack_(row);
  }

  void fill(int pixels, uint8_t* packed) const override {
    std::fill_n(reinterpret_cast<uint16_t*>(packed), pixels * groups(),
                static_cast<uint16_t>(zero_));
  }

 private:
  void (*pack_)(const LookupIndices&);
  LookupIndices row_;
  int zero_ = 0;
};

// False: too many different weights or codes, or too few output channels.
bool find_alphabet(const ConvProblem& problem, const CodeUnits& units, const LookupSet& set,
                   Alphabet& alphabet) {
  const std::vector<int> weights = weight_values(problem);
  if (weights.size() > 4) return false;
  alphabet.scale = weight_scale(weights);
  for (const int weight : weights) alphabet.values.push_back(weight / alphabet.scale);
  alphabet.weight_bits = weights.size() <= 2 ? 1 : 2;
  if (problem.out < set.fewest_out[alphabet.weight_bits - 1]) return false;
  alphabet.group = set.code_bits / alphabet.weight_bits;
  alphabet.input_bits =
      std::max(static_cast<int>(std::bit_width(static_cast<unsigned>(units.count - 1))), 1);
  const int table_bits = alphabet.input_bits * alphabet.group + set.code_bits;
  return table_bits < 31 && 1 << table_bits <= set.most_table_bytes;
}

// Table entries for the weights of a problem.
class Lookup {
 public:
  Lookup(const ConvProblem& problem, const CodeUnits& units, const Alphabet& alphabet)
      : problem_(problem), units_(units), alphabet_(alphabet) {
    for (int i = 0; i < count(); ++i)
      value_of_weight_[static_cast<uint8_t>(alphabet.values[i] * alphabet.scale)] =
          static_cast<uint8_t>(i);
  }

  int groups() const { return (problem_.in + alphabet_.group - 1) / alphabet_.group; }

  // Entries [steps][channels], of `channels` output channels from `first_out` on. Weights beyond
  // the channels are the first value.
  void entries(int first_out, int channels, uint8_t* entry) const {
    const int taps = problem_.kernel * problem_.kernel;
    const int outs = std::min(channels, problem_.out - first_out);
    // A tap of one channel after the other: what is read and written stays in the cache.
    for (int tap = 0; tap < taps; ++tap, entry += static_cast<size_t>(groups()) * channels)
      for (int i = 0; i < outs; ++i) {
        const int8_t* weights = problem_.weights.data() +
                                (static_cast<size_t>(first_out + i) * taps + tap) * problem_.in;
        for (int group = 0; group < groups(); ++group)
          entry[group * channels + i] = entry_of(weights, group);
      }
  }

  // The largest sum of f of each entry, and the constant part of its sum of products.
  std::vector<int> most() const {
    return of_entries([&](int value) { return units_.largest * std::abs(value); });
  }
  std::vector<int> least_products() const {
    return of_entries([&](int value) { return least_product(value); });
  }

  Bytes table() const {
    // What the i-th code of a group adds to each entry of its row.
    const auto entries = static_cast<size_t>(entry_count());
    const int codes = 1 << alphabet_.input_bits;
    Bytes parts;
    for (int i = 0; i < alphabet_.group; ++i)
      for (int code = 0; code < codes; ++code)
        for (int entry = 0; entry < entry_count(); ++entry) {
          const int value = value_of(entry, i);
          parts.push_back(static_cast<uint8_t>(unit(code) * value - least_product(value)));
        }
    Bytes table(static_cast<size_t>(alphabet_.rows()) * entries);
    for (int row = 0; row < alphabet_.rows(); ++row)
      for (int i = 0; i < alphabet_.group; ++i) {
        const int code = row >> (alphabet_.input_bits * i) & (codes - 1);
        const uint8_t* part = &parts[static_cast<size_t>(i * codes + code) * entries];
        uint8_t* to = &table[static_cast<size_t>(row) * entries];
        for (size_t entry = 0; entry < entries; ++entry)
          to[entry] = static_cast<uint8_t>(to[entry] + part[entry]);
      }
    return table;
  }

 private:
  // Of a group of the weights [in] of a tap.
  uint8_t entry_of(const int8_t* weights, int group) const {
    const int first = group * alphabet_.group,
              last = std::min(first + alphabet_.group, problem_.in);
    int code = 0;
    for (int i = last - 1; i >= first; --i)
      code = code << alphabet_.weight_bits | value_of_weight_[static_cast<uint8_t>(weights[i])];
    return static_cast<uint8_t>(code);
  }

  int count() const { return static_cast<int>(alphabet_.values.size()); }
  int entry_count() const { return 1 << (alphabet_.weight_bits * alphabet_.group); }
  int least_product(int value) const { return std::min(0, units_.largest * value); }

  // Of the i-th weight; entries that no weights have are those of others.
  int value_of(int entry, int i) const {
    const int code = entry >> (alphabet_.weight_bits * i) & ((1 << alphabet_.weight_bits) - 1);
    return alphabet_.values[std::min(code, count() - 1)];
  }
  int unit(int code) const {
    return code < units_.count ? units_.unit[static_cast<size_t>(code)] : 0;
  }

  // What a function of a weight adds up to over the group of each entry.
  template <class Function>
  std::vector<int> of_entries(const Function& function) const {
    std::vector<int> sums(static_cast<size_t>(entry_count()));
    for (int entry = 0; entry < entry_count(); ++entry)
      for (int i = 0; i < alphabet_.group; ++i) sums[entry] += function(value_of(entry, i));
    return sums;
  }

  const ConvProblem& problem_;
  const CodeUnits& units_;
  const Alphabet& alphabet_;
  std::array<uint8_t, 256> value_of_weight_ = {};
};

// Adding up the sums of bytes takes as long as about four steps.
constexpr int kFewestStepsOfFlush = 6;

}  // namespace

std::unique_ptr<ConvKernel> make_lookup(const ConvProblem& problem, const LookupSet& set) {
  const CodeUnits units = code_units(problem);
  Alphabet alphabet;
  if (!find_alphabet(problem, units, set, alphabet)) return nullptr;
  const Lookup lookup(problem, units, alphabet);
  const std::vector<int> most = lookup.most(), least = lookup.least_products();
  if (std::ranges::max(most) > 255) return nullptr;

  TilePlan plan{.set = &set.tiles,
                .packing = std::make_unique<IndexPacking>(alphabet, units, set, problem.in),
                .blocks = blocks_of(problem.out, set.tiles),
                .weights = {},
                .table = lookup.table(),
                .scale = units.scale * alphabet.scale,
                .constant = std::vector<int32_t>(static_cast<size_t>(problem.out)),
                .inputs_by_channel = false};
  const size_t pixel_bytes = static_cast<size_t>(plan.packing->pixel_bytes());
  const Runs runs{.runs = problem.kernel,
                  .steps = problem.kernel * lookup.groups(),
                  .input_step = 2,
                  .input_run = ReceptiveField(problem, static_cast<int>(pixel_bytes)).row_bytes};
  plan.weights.reserve(static_cast<size_t>(runs.count()) * padded_out(plan.blocks, set.tiles));
  size_t flush_count = 0;
  for (Block& block : plan.blocks) {
    const int channels = block.vectors * set.tiles.lanes;
    block.weights = plan.weights.size();
    plan.weights.resize(block.weights + static_cast<size_t>(runs.count()) * channels);
    uint8_t* entries = plan.weights.data() + block.weights;
    lookup.entries(block.first_out, channels, entries);
    std::vector<int> total(static_cast<size_t>(channels)), constant(total.size());
    for (int step = 0; step < runs.count(); ++step) {
      const uint8_t* of_step = entries + static_cast<size_t>(step) * channels;
      for (int i = 0; i < channels; ++i) {
        total[i] += most[of_step[i]];
        constant[i] += least[of_step[i]];
      }
    }
    // The second sums have 16 bits.
    if (std::ranges::max(total) > 0xffff) return nullptr;
    for (int i = 0; i < std::min(channels, problem.out - block.first_out); ++i)
      plan.constant[block.first_out + i] = plan.scale * constant[i];
    const std::vector<bool> flush_after =
        flushes(runs.count(), channels, {0, 255}, [&](int step, int i) {
          return Range{0, most[entries[step * channels + i]]};
        });
    flush_count += static_cast<size_t>(std::ranges::count(flush_after, true));
    block.segments = segments_of(runs, flush_after);
  }
  const size_t steps = plan.blocks.size() * static_cast<size_t>(runs.count());
  if (steps < kFewestStepsOfFlush * flush_count) return nullptr;
  return make_tile_conv(problem, units, std::move(plan));
}

}  // namespace lowbit::runtime
