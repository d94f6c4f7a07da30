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
#include <functional>

#include "lowbit/runtime/kernels/kernels.h"
#include "lowbit/runtime/kernels/tile_conv.h"

namespace lowbit::runtime {
namespace {

// How codes and weights become indices.
struct Alphabet {
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
    RowIndices row = row_;
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
  void (*pack_)(const RowIndices&);
  RowIndices row_;
  int zero_ = 0;
};

// False: too many different weights or codes.
bool find_alphabet(const ConvProblem& problem, const CodeUnits& units, const LookupSet& set,
                   Alphabet& alphabet) {
  const int scale = weight_scale(problem);
  std::vector<int8_t> weights(problem.weights.begin(), problem.weights.end());
  std::ranges::sort(weights, std::greater());
  weights.erase(std::unique(weights.begin(), weights.end()), weights.end());
  if (weights.size() > 4) return false;
  for (const int weight : weights) alphabet.values.push_back(weight / scale);
  alphabet.weight_bits = weights.size() <= 2 ? 1 : 2;
  alphabet.group = set.code_bits / alphabet.weight_bits;
  alphabet.input_bits =
      std::max(static_cast<int>(std::bit_width(static_cast<unsigned>(units.count - 1))), 1);
  const int table_bits = alphabet.input_bits * alphabet.group + set.code_bits;
  return table_bits < 31 && 1 << table_bits <= set.most_table_bytes;
}

class Lookup {
 public:
  Lookup(const ConvProblem& problem, const CodeUnits& units, const Alphabet& alphabet)
      : problem_(problem), units_(units), alphabet_(alphabet) {}

  // The largest f of a weight.
  int most(int value) const { return units_.largest * std::abs(alphabet_.values[value]); }
  int least_product(int value) const {
    return std::min(0, units_.largest * alphabet_.values[value]);
  }

  int groups() const { return (problem_.in + alphabet_.group - 1) / alphabet_.group; }
  int steps() const { return problem_.kernel * problem_.kernel * groups(); }

  // Which of alphabet.values the i-th weight of a step's group has; 0 beyond the channels.
  int value(int out, int step, int i) const {
    const int channel = step % groups() * alphabet_.group + i;
    if (out >= problem_.out || channel >= problem_.in) return 0;
    const size_t tap = static_cast<size_t>(step / groups());
    const int taps = problem_.kernel * problem_.kernel;
    const int weight =
        problem_.weights[(static_cast<size_t>(out) * taps + tap) * problem_.in + channel];
    return value_of_weight_[static_cast<uint8_t>(weight)];
  }

  uint8_t entry(int out, int step) const {
    int entry = 0;
    for (int i = 0; i < alphabet_.group; ++i)
      entry |= value(out, step, i) << (alphabet_.weight_bits * i);
    return static_cast<uint8_t>(entry);
  }

  // What a function of a value adds up to over the group that an entry stands for.
  template <class Function>
  int over_group(int entry, const Function& function) const {
    const int mask = (1 << alphabet_.weight_bits) - 1, values = count();
    int sum = 0;
    for (int i = 0; i < alphabet_.group; ++i) {
      const int value = entry >> (alphabet_.weight_bits * i) & mask;
      sum += function(i, std::min(value, values - 1));
    }
    return sum;
  }

  int most_of_entry(int entry) const {
    return over_group(entry, [&](int, int value) { return most(value); });
  }

  Bytes table(int code_bits) const {
    Bytes table;
    for (int row = 0; row < alphabet_.rows(); ++row) {
      for (int entry = 0; entry < 1 << code_bits; ++entry) {
        table.push_back(static_cast<uint8_t>(over_group(entry, [&](int i, int value) {
          return unit(row >> (alphabet_.input_bits * i)) * alphabet_.values[value] -
                 least_product(value);
        })));
      }
    }
    return table;
  }

  void learn_weights() {
    const int scale = weight_scale(problem_);
    for (int i = 0; i < count(); ++i)
      value_of_weight_[static_cast<uint8_t>(alphabet_.values[i] * scale)] = i;
  }

 private:
  int count() const { return static_cast<int>(alphabet_.values.size()); }
  int unit(int code) const {
    code &= (1 << alphabet_.input_bits) - 1;
    return code < units_.count ? units_.unit[static_cast<size_t>(code)] : 0;
  }

  const ConvProblem& problem_;
  const CodeUnits& units_;
  const Alphabet& alphabet_;
  std::array<int, 256> value_of_weight_ = {};
};

// Adding up the sums of bytes takes as long as about four steps.
constexpr int kFewestStepsOfFlush = 6;

}  // namespace

std::unique_ptr<ConvKernel> make_lookup(const ConvProblem& problem, const LookupSet& set) {
  const CodeUnits units = code_units(problem);
  Alphabet alphabet;
  if (!find_alphabet(problem, units, set, alphabet)) return nullptr;
  Lookup lookup(problem, units, alphabet);
  lookup.learn_weights();
  std::vector<int> most(size_t{1} << set.code_bits);
  for (size_t entry = 0; entry < most.size(); ++entry)
    most[entry] = lookup.most_of_entry(static_cast<int>(entry));
  if (std::ranges::max(most) > 255) return nullptr;

  TilePlan plan{.set = &set.tiles,
                .packing = std::make_unique<IndexPacking>(alphabet, units, set, problem.in),
                .blocks = blocks_of(problem.out, set.tiles),
                .weights = {},
                .table = lookup.table(set.code_bits),
                .scale = units.scale * weight_scale(problem),
                .constant = std::vector<int32_t>(static_cast<size_t>(problem.out)),
                .inputs_by_channel = false};
  const size_t pixel_bytes = static_cast<size_t>(plan.packing->pixel_bytes());
  const Runs runs{.runs = problem.kernel,
                  .steps = problem.kernel * lookup.groups(),
                  .input_step = 2,
                  .input_run = Window(problem, static_cast<int>(pixel_bytes)).row_bytes};
  size_t flush_count = 0;
  for (Block& block : plan.blocks) {
    const int channels = block.vectors * set.tiles.lanes;
    block.weights = plan.weights.size();
    std::vector<int> total(static_cast<size_t>(channels));
    for (int step = 0; step < runs.count(); ++step) {
      for (int i = 0; i < channels; ++i) {
        plan.weights.push_back(lookup.entry(block.first_out + i, step));
        total[i] += most[plan.weights.back()];
      }
    }
    // The second sums have 16 bits.
    if (std::ranges::max(total) > 0xffff) return nullptr;
    const uint8_t* entries = plan.weights.data() + block.weights;
    const std::vector<bool> flush_after =
        flushes(runs.count(), channels, {0, 255}, [&](int step, int i) {
          return Range{0, most[entries[step * channels + i]]};
        });
    flush_count += static_cast<size_t>(std::ranges::count(flush_after, true));
    block.segments = segments_of(runs, flush_after);
  }
  const size_t steps = plan.blocks.size() * static_cast<size_t>(runs.count());
  if (flush_count > plan.blocks.size() && steps < kFewestStepsOfFlush * flush_count) return nullptr;
  for (int out = 0; out < problem.out; ++out)
    for (int step = 0; step < runs.count(); ++step)
      for (int i = 0; i < alphabet.group; ++i)
        plan.constant[out] += plan.scale * lookup.least_product(lookup.value(out, step, i));
  return make_tile_conv(problem, units, std::move(plan));
}

}  // namespace lowbit::runtime
