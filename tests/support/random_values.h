// Values as nobody would choose them, the same in each run: for what is written and read back.
#pragma once

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace lowbit::test_support {

class RandomValues {
 public:
  explicit RandomValues(unsigned seed) : generator_(seed) {}

  size_t below(size_t end) { return std::uniform_int_distribution<size_t>(0, end - 1)(generator_); }

  // A few pieces: letters, separators, quotes, controls, UTF-8 of every length, bytes that are not
  // UTF-8 (cut sequences, Latin-1, overlong forms, surrogates), escapes of other formats.
  std::string text(bool nul = true) {
    static const std::vector<std::string> pieces = {"a",
                                                    "layer1.0",
                                                    " ",
                                                    "  ",
                                                    "\n",
                                                    "\r\n",
                                                    "\t",
                                                    "'",
                                                    "\"",
                                                    "''",
                                                    "\\",
                                                    "\\n",
                                                    "\\xe9",
                                                    "\\udce9",
                                                    "\\ud83d\\udc80",
                                                    ",",
                                                    ";",
                                                    "#",
                                                    "=",
                                                    "$HOME",
                                                    "${x}",
                                                    "`x`",
                                                    "<b>",
                                                    "&amp;",
                                                    "%s",
                                                    "{}",
                                                    "\x1b[31m",
                                                    "\x07",
                                                    "\x7f",
                                                    "\xe9",
                                                    "\xc3",
                                                    "\xc3\xa9",
                                                    "\xe2\x98",
                                                    "\u2603",
                                                    "\U0001f40d",
                                                    "\U0010dce9",
                                                    "\U0010ffff",
                                                    "\xed\xb3\xa9",
                                                    "\xed\xa0\x80",
                                                    "\xc0\x80",
                                                    "\xf8\x88",
                                                    "\xff\xfe",
                                                    "\xef\xbb\xbf",
                                                    "\u202e",
                                                    "-",
                                                    "--",
                                                    "~"};
    std::string result;
    for (size_t count = below(5); count-- > 0;) {
      const size_t kind = below(8);
      if (kind == 0)
        result += static_cast<char>(1 + below(255));
      else if (kind == 1 && nul)
        result += '\0';
      else
        result += pieces[below(pieces.size())];
    }
    return result;
  }

  // Of any size, among them both zeros, the largest, the smallest; infinities and NaN, if `any`.
  double real(bool any = true) {
    using Limits = std::numeric_limits<double>;
    static const std::vector<double> finite = {0.0,
                                               -0.0,
                                               1.0,
                                               -1.5,
                                               0.1,
                                               Limits::max(),
                                               Limits::min(),
                                               Limits::lowest(),
                                               Limits::denorm_min(),
                                               1e-300,
                                               1e22,
                                               123456789.123456789};
    static const std::vector<double> others = {Limits::infinity(), -Limits::infinity(),
                                               Limits::quiet_NaN()};
    const size_t kind = below(any ? 4 : 3);
    if (kind == 3) return others[below(others.size())];
    if (kind == 2) return finite[below(finite.size())];
    const double sign = below(2) == 0 ? 1 : -1;
    return sign *
           std::ldexp(static_cast<double>(1 + below(1u << 30)), static_cast<int>(below(200)) - 130);
  }

  int64_t integer() {
    using Limits = std::numeric_limits<int64_t>;
    static const std::vector<int64_t> edges = {
        0, -1, 1, 255, 256, -2147483648LL, 2147483648LL, Limits::max(), Limits::min()};
    return below(2) == 0 ? edges[below(edges.size())] : static_cast<int64_t>(generator_());
  }

 private:
  std::mt19937_64 generator_;
};

// Equal, or both NaN; zeros have a sign.
inline bool same_number(double a, double b) {
  return std::isnan(a) ? std::isnan(b) : a == b && std::signbit(a) == std::signbit(b);
}

}  // namespace lowbit::test_support
