// Codes by a line: where the steps of a function to codes lie evenly, its code is the whole part of
// x * factor + shift, held between the first code and the last, which takes a fraction of the time
// of comparing x with each threshold. Where it is so but for roundings, two parallel lines do it,
// one never above the function and one never below: where both give the same code, that is the
// code.
//
// Lines are not trusted but proved. The function's code and that of a line
// (formulas::place_on_line) both never fall where x rises, or never rise: conversion to float32,
// product, sum and clamp each round monotonically. So what holds between both at the last number
// before each step and at the first behind it holds at all numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace lowbit::runtime {

// Two lines, one `width` above the other; one line where it is 0.
struct Lines {
  float factor = 0, shift = 0, width = 0;
};

// One line for the sums -most .. most, of which the code is the number of the thresholds that are
// not above them, or where it falls, that of the others.
std::optional<Lines> line_of_sums(std::span<const int32_t> thresholds, bool falls, int64_t most);

// Lines so close to each other that next to no numbers are between them, for all numbers, infinite
// ones and NaN included, of which the code is the number of the thresholds, ascending, that are not
// above them.
std::optional<Lines> lines_of_reals(std::span<const float> thresholds);

}  // namespace lowbit::runtime
