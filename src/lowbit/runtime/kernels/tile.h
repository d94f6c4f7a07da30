// What the code of an instruction set is handed. Plain data only: a file that is compiled for one
// must call no inline function that others use too, or the linker might keep its version for all.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lowbit::runtime {

// Steps of the sum whose inputs lie one behind the other. Their weights follow those of the segment
// before.
struct Segment {
  int32_t input;  // bytes from where the pixel's receptive field begins
  int32_t steps;  // of depthwise tiles, from the first tap of a step to the second, in bytes
  int32_t flush;  // whether the narrow sums must then be added to the wide ones, or might overflow
};

// The sums of some pixels and of a block of output channels.
struct Tile {
  const uint8_t* const* inputs;  // [pixels], where each receptive field begins
  const Segment* segments;
  int segment_count;
  ptrdiff_t first_input;       // added to all inputs
  int first;                   // channel, of base and out
  const uint8_t* weights;      // [steps][vectors], as the kernel wants them
  const uint8_t* table;        // of look-up kernels
  int32_t scale;               // result = scale * sum + base[channel]
  const int32_t* const* base;  // [pixels], from channel 0
  int32_t* const* out;         // [pixels], from channel 0; of all channels of the vectors
};

using TileFunction = void (*)(const Tile&);

constexpr int kMostPixels = 6, kMostVectors = 4;

struct TileSet {
  const char* name;
  int pixels, vectors;                            // the largest tile
  int lanes;                                      // output channels in a vector
  TileFunction tiles[kMostVectors][kMostPixels];  // [vectors - 1][pixels - 1]
};

// Tiles that multiply four bytes of input with four signed ones of weights a step.
struct DotSet {
  TileSet tiles;
  bool signed_input;
  int products;      // of a step in one sum of 16 bits; 0: sums have 32
  int fewest_steps;  // that such a sum holds: with fewer, other kernels are faster
};

// Tiles of depthwise convolutions. taps: of a step, with weights of 16 bits, [lanes], where it is
// 1; where it is 2 with signed bytes, [lanes][2].
struct DepthwiseSet {
  TileSet tiles;
  int taps;
};

// Pixels whose codes become indices of rows of a table: channels c, c + 1, ... of a group of
// `group` codes take `bits` bits each, the first the lowest; the index is then shifted by `shift`.
// A last group that is not full is completed with code `rest`.
struct LookupIndices {
  const uint8_t* codes;
  int pixels;
  ptrdiff_t stride;  // bytes from pixel to pixel
  int channels, group, bits, shift;
  uint8_t rest;
  uint16_t* indices;  // [pixels][ceil(channels / group)]
};

struct LookupSet {
  TileSet tiles;
  int code_bits;  // of the weights that select within a row: a row has 2^code_bits bytes
  int most_table_bytes;
  // With fewer output channels, for weights of one bit and of two, multiplying is faster
  // (measured).
  int fewest_out[2];
  void (*pack)(const LookupIndices&);
};

// Pixels whose codes, 0 or 1, become bits, the lowest first: each pixel begins at a multiple of
// four bytes and is filled up with zeros.
struct CodeBits {
  const uint8_t* codes;
  int pixels;
  ptrdiff_t stride;  // bytes from pixel to pixel
  int channels;
  uint8_t* bits;
};

// Steps of 32 bits of input that are compared with as many of each channel, [lanes][4] bytes a
// vector: the sums are of the bits that differ.
struct PopcountSet {
  TileSet tiles;
  bool narrow;  // sums are of 8 bits, to each of which a step adds 8 at most
  void (*pack)(const CodeBits&);
};

}  // namespace lowbit::runtime
