// Pictures of quantizers, and the page that shows them.
#include "lowbit/quant/plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <set>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/quant/pictures.h"

namespace lowbit::quant {
namespace fs = std::filesystem;
namespace {

const fs::path kDocs = fs::path(LOWBIT_SOURCE_DIR) / "docs";

Panel lsq() {
  Panel panel{"a < b & c", config::Tag::fm, {}};
  panel.options.enable = panel.options.half_range = true;
  panel.options.method = config::Method::lsq;
  panel.options.bit = 2;
  return panel;
}

// The value where x is nearest to `at`.
double at_x(const Curves& curves, const std::vector<double>& y, double at) {
  size_t best = 0;
  for (size_t i = 0; i < curves.x.size(); ++i)
    if (std::abs(curves.x[i] - at) < std::abs(curves.x[best] - at)) best = i;
  return y[best];
}

// What is wrong with an XML document of elements, attributes and text; "" if nothing.
std::string xml_fault(const std::string& document) {
  static const std::regex tag(R"re(<(/?)([a-z]+)((?:\s[A-Za-z0-9-]+="[^"<&]*")*)\s*(/?)>)re");
  std::vector<std::string> open;
  std::string between;
  auto from = document.cbegin();
  for (std::sregex_iterator match(document.begin(), document.end(), tag), end; match != end;
       ++match) {
    between.append(from, (*match)[0].first);
    from = (*match)[0].second;
    if ((*match)[1].length() == 0) {
      if ((*match)[4].length() == 0) open.push_back((*match)[2]);
    } else if (open.empty() || open.back() != (*match)[2]) {
      return "closed, but not open: " + (*match)[2].str();
    } else {
      open.pop_back();
    }
  }
  between.append(from, document.cend());
  if (!open.empty()) return "not closed: " + open.back();
  if (between.find('<') != std::string::npos) return "a tag that is none: " + between;
  if (std::regex_search(between, std::regex("&(?!amp;|lt;|gt;)"))) return "a bare &: " + between;
  return "";
}

// The points of each polyline of a class.
std::vector<std::string> curves_of(const std::string& document, const std::string& name) {
  const std::regex polyline("<polyline class=\"" + name + "\" points=\"([^\"]*)\"");
  std::vector<std::string> found;
  for (std::sregex_iterator match(document.begin(), document.end(), polyline), end; match != end;
       ++match)
    found.push_back((*match)[1]);
  return found;
}

TEST(Sweep, GivesValueAndGradientOfTheQuantizer) {
  const Curves curves = sweep(lsq());
  ASSERT_EQ(curves.value.size(), curves.x.size());
  ASSERT_EQ(curves.gradient.size(), curves.x.size());
  EXPECT_EQ(curves.x.front(), -2);
  EXPECT_EQ(curves.x.back(), 2);
  EXPECT_DOUBLE_EQ(at_x(curves, curves.value, 0.4), 1.0 / 3);
  EXPECT_DOUBLE_EQ(at_x(curves, curves.value, 1.5), 1);
  EXPECT_EQ(at_x(curves, curves.gradient, 0.4), 1);
  EXPECT_EQ(at_x(curves, curves.gradient, 1.5), 0);
}

TEST(Sweep, OfAMethodThatIsNotBuiltIsAnError) {
  Panel panel = lsq();
  panel.options.method = config::Method::none;
  EXPECT_THROW(sweep(panel), core::Error);
}

TEST(Svg, IsWellFormedAndHoldsBothCurvesOfEveryPanelOnWhite) {
  const std::string document = svg({lsq(), lsq()});
  EXPECT_EQ(xml_fault(document), "");
  EXPECT_THAT(document, testing::HasSubstr("a &lt; b &amp; c"));
  EXPECT_THAT(document, testing::HasSubstr(R"(height="320" fill="#ffffff"/>)"));
  for (const char* name : {"value", "gradient"}) {
    const std::vector<std::string> found = curves_of(document, name);
    ASSERT_EQ(found.size(), 2U) << name;
    EXPECT_GT(std::count(found[0].begin(), found[0].end(), ','), 4) << name;
  }
}

TEST(XmlFault, SeesWhatIsNotWellFormed) {
  EXPECT_EQ(xml_fault("<a><b c=\"1\"/>x &lt; y</a>"), "");
  EXPECT_NE(xml_fault("<a><b></a></b>"), "");
  EXPECT_NE(xml_fault("<a>"), "");
  EXPECT_NE(xml_fault("<a>x < y</a>"), "");
  EXPECT_NE(xml_fault("<a>x & y</a>"), "");
}

// After a change: lowbit tools plot-quantizers docs/quantizers
TEST(QuantizerPage, ShowsEveryPictureAndEachIsWhatTheQuantizersDraw) {
  const std::string page = core::read_file(kDocs / "quantizers.md");
  std::set<std::string> shown, drawn;
  const std::regex link(R"(!\[[^\]]*\]\(([^)]*)\))");
  for (std::sregex_iterator match(page.begin(), page.end(), link), end; match != end; ++match) {
    shown.insert((*match)[1]);
    EXPECT_TRUE(fs::exists(kDocs / (*match)[1].str())) << (*match)[1];
  }
  for (const Picture& picture : pictures()) {
    const std::string file = "quantizers/" + picture.name + ".svg";
    drawn.insert(file);
    EXPECT_EQ(core::read_file(kDocs / file), svg(picture.panels)) << file;
  }
  EXPECT_EQ(shown, drawn);
}

}  // namespace
}  // namespace lowbit::quant
