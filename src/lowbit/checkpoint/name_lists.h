// Lists of names, one a line, put into another order: what mapping files are made from.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace lowbit::checkpoint {

// The lines of a file, without blank ones and those that begin with a #.
std::vector<std::string> read_names(const std::filesystem::path& path);

// An order within every `places.size()` lines: line i of the result is line places[i].
struct SwapOrder {
  std::vector<size_t> places;  // each of 0..size-1 once
};

// "3/1-0-2": within every three lines the order 1, 0, 2. A usage error for any other text.
SwapOrder read_swap_order(std::string_view text);

// A usage error if the number of names is no multiple of the order's.
std::vector<std::string> swapped(const std::vector<std::string>& names, const SwapOrder& order);

// By their bytes.
std::vector<std::string> sorted(std::vector<std::string> names);

// Replaces the file, a name a line.
void write_names(const std::filesystem::path& path, const std::vector<std::string>& names);

}  // namespace lowbit::checkpoint
