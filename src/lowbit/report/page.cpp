#include "lowbit/report/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "lowbit/report/charts.h"
#include "lowbit/report/findings.h"
#include "lowbit/report/markup.h"
#include "lowbit/report/style.h"

namespace lowbit::report {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

using Runs = std::vector<ReportedRun>;

size_t color_of(size_t run) {
  return run % kColors;
}

std::string chip(size_t run) {
  return fmt::format(R"(<span class="chip c{}"></span>)", color_of(run));
}

double last_top1(const RunData& run) {
  return run.epochs.empty() || !run.epochs.back().validation ? kNone
                                                             : run.epochs.back().validation->top1;
}

int best_epoch(const RunData& run) {
  int best = 0;
  double top1 = -1;
  for (const run::EpochMetrics& m : run.epochs)
    if (m.validation && m.validation->top1 > top1) {
      top1 = m.validation->top1;
      best = m.epoch;
    }
  return best;
}

std::string fact(const std::string& name, const std::string& value) {
  return fmt::format("<dt>{}</dt><dd>{}</dd>", name, value);
}

std::string card(const RunData& run, size_t index) {
  const double top1 = last_top1(run);
  std::string facts;
  if (std::isfinite(run.full_precision_top1) && std::isfinite(top1))
    facts += fact("full-precision start", number(run.full_precision_top1, 2) + " %") +
             fact("difference", fmt::format("{:+.2f} points", top1 - run.full_precision_top1));
  if (!run.epochs.empty()) {
    const run::EpochMetrics& last = run.epochs.back();
    if (last.validation)
      facts += fact("best",
                    fmt::format("{} % in epoch {}", number(last.best_top1, 2), best_epoch(run))) +
               fact("top-5", number(last.validation->top5, 2) + " %");
    facts += fact("training loss", short_number(last.training.loss)) +
             fact("images/s", number(last.images_per_second, 0));
  }
  const std::string planned = run.setting("--epochs");
  facts +=
      fact("epochs", fmt::format("{} of {}", run.epochs.empty() ? 0 : run.epochs.back().epoch + 1,
                                 planned.empty() ? "?" : escaped(planned)));
  return fmt::format(
      R"(<div class="card"><div class="name">{}{}</div><div class="big">{} %</div>)"
      R"(<div class="soft">top-1 after the last epoch</div><dl class="facts">{}</dl></div>)"
      "\n",
      chip(index), escaped(run.name), number(top1, 2), facts);
}

const char* name_of(Severity severity) {
  switch (severity) {
    case Severity::broken:
      return "broken";
    case Severity::bad:
      return "bad";
    case Severity::notable:
      return "notable";
  }
  return "";
}

std::string findings_list(const RunData& run) {
  constexpr size_t kShown = 12;
  const std::vector<Finding> found = findings(run);
  if (found.empty()) return "<p>Nothing stands out.</p>\n";
  std::string items;
  for (size_t i = 0; i < std::min(kShown, found.size()); ++i)
    items +=
        fmt::format(R"(<li><span class="severity {0}">{0}</span><span class="where">{1}</span>)"
                    R"(<span>{2}</span></li>)"
                    "\n",
                    name_of(found[i].severity), escaped(found[i].where), escaped(found[i].what));
  std::string html = R"(<ul class="findings">)" + items + "</ul>\n";
  if (found.size() > kShown)
    html += fmt::format("<p class=\"soft\">and {} more; the table of layers has them.</p>\n",
                        found.size() - kShown);
  return html;
}

// The curve of one column.
Series curve(const RunData& run, size_t index, const std::string& name, bool dashed,
             const std::function<double(const run::EpochMetrics&)>& value) {
  Series series{name, color_of(index), dashed, {}};
  for (const run::EpochMetrics& m : run.epochs) series.points.emplace_back(m.epoch, value(m));
  return series;
}

bool has_validation(const RunData& run) {
  return std::ranges::any_of(run.epochs, [](const auto& m) { return m.validation.has_value(); });
}

// "training", or with the run's name where there are several.
std::string label(const Runs& runs, const RunData& run, const std::string& what) {
  return runs.size() == 1 ? what : run.name + " " + what;
}

Chart loss_chart(const Runs& runs) {
  Chart chart{.title = "Loss"};
  for (size_t i = 0; i < runs.size(); ++i) {
    const RunData& run = runs[i].data;
    if (has_validation(run))
      chart.series.push_back(
          curve(run, i, label(runs, run, "validation"), false,
                [](const auto& m) { return m.validation ? m.validation->loss : kNone; }));
    chart.series.push_back(curve(run, i, label(runs, run, "training"), true,
                                 [](const auto& m) { return m.training.loss; }));
  }
  return chart;
}

Chart accuracy_chart(const Runs& runs) {
  Chart chart{.title = "Top-1 accuracy, %"};
  for (size_t i = 0; i < runs.size(); ++i) {
    const RunData& run = runs[i].data;
    if (has_validation(run))
      chart.series.push_back(
          curve(run, i, label(runs, run, "validation"), false,
                [](const auto& m) { return m.validation ? m.validation->top1 : kNone; }));
    chart.series.push_back(curve(run, i, label(runs, run, "training"), true,
                                 [](const auto& m) { return m.training.top1; }));
    if (std::isfinite(run.full_precision_top1))
      chart.levels.push_back(
          {label(runs, run, "full-precision start"), color_of(i), run.full_precision_top1});
  }
  return chart;
}

Chart rate_chart(const Runs& runs) {
  Chart chart{.title = "Learning rate", .from_zero = true};
  for (size_t i = 0; i < runs.size(); ++i)
    chart.series.push_back(curve(runs[i].data, i, label(runs, runs[i].data, "learning rate"), false,
                                 [](const auto& m) { return m.learning_rate; }));
  return chart;
}

// The layers of all runs in the order of the first that has them, so that curves lie one upon the
// other.
std::vector<std::string> all_layers(const Runs& runs) {
  std::vector<std::string> names;
  for (const ReportedRun& run : runs)
    for (const auto& s : run.data.last_layers())
      if (std::ranges::find(names, s.layer) == names.end()) names.push_back(s.layer);
  return names;
}

Chart layer_chart(const Runs& runs) {
  Chart chart{.title = "Quantization error by layer, % (last epoch)", .x_name = "layer"};
  chart.x_labels = all_layers(runs);
  chart.from_zero = true;
  for (size_t i = 0; i < runs.size(); ++i)
    for (const config::Tag tag : {config::Tag::fm, config::Tag::wt, config::Tag::ot}) {
      const char* names[] = {"input", "weight", "output"};
      Series series{label(runs, runs[i].data, names[static_cast<size_t>(tag)]),
                    color_of(i),
                    tag != config::Tag::fm,
                    {}};
      for (const auto& s : runs[i].data.last_layers())
        if (s.tag == tag)
          series.points.emplace_back(
              std::ranges::find(chart.x_labels, s.layer) - chart.x_labels.begin(),
              100 * s.relative_error);
      std::ranges::sort(series.points, {}, &std::pair<double, double>::first);
      if (!series.points.empty()) chart.series.push_back(std::move(series));
    }
  return chart;
}

std::string charts(const Runs& runs) {
  std::string html = "<h2>Curves</h2>\n<div class=\"charts\">\n";
  for (const Chart& chart : {accuracy_chart(runs), loss_chart(runs), rate_chart(runs)})
    html += line_chart(chart);
  if (const Chart layers = layer_chart(runs); !layers.series.empty()) html += line_chart(layers);
  return html + "</div>\n";
}

std::string differences(const Runs& runs) {
  std::set<std::string> names;
  for (const ReportedRun& run : runs)
    for (const auto& [name, value] : run.data.settings) names.insert(name);
  std::string rows;
  for (const std::string& name : names) {
    std::set<std::string> values;
    for (const ReportedRun& run : runs) values.insert(run.data.setting(name));
    if (values.size() < 2) continue;
    rows += fmt::format("<tr><td><code>{}</code></td>", escaped(name));
    for (const ReportedRun& run : runs)
      rows += fmt::format("<td class=\"wide\">{}</td>", escaped(run.data.setting(name)));
    rows += "</tr>\n";
  }
  if (rows.empty()) return "<h2>Options that differ</h2>\n<p>None.</p>\n";
  std::string head = "<th>option</th>";
  for (size_t i = 0; i < runs.size(); ++i)
    head += fmt::format("<th>{}{}</th>", chip(i), escaped(runs[i].data.name));
  return fmt::format(
      "<h2>Options that differ</h2>\n<div class=\"scroll\"><table class=\"differences\">"
      "<thead><tr>{}</tr></thead><tbody>\n{}</tbody></table></div>\n",
      head, rows);
}

std::vector<double> history(const RunData& run, const models::QuantizerStatistics& of) {
  std::vector<double> values;
  for (const run::LayerRow& row : run.layers)
    if (row.statistics.layer == of.layer && row.statistics.tag == of.tag)
      values.push_back(row.statistics.relative_error);
  return values;
}

std::string clip_text(const models::QuantizerStatistics& s) {
  if (std::isnan(s.clip_mean)) return "–";
  return s.groups == 1 ? short_number(s.clip_mean)
                       : fmt::format("{} ({} … {})", short_number(s.clip_mean),
                                     short_number(s.clip_min), short_number(s.clip_max));
}

std::string layer_row(const RunData& run, const models::QuantizerStatistics& s, double largest,
                      const char* css_class) {
  const double width = largest > 0 && s.usable() ? 100 * s.relative_error / largest : 0;
  std::string row = fmt::format(
      R"(<tr class="{}"><td class="where">{}</td><td>{}</td><td class="r">{}</td>)"
      R"(<td class="r">{}<span class="meter"><i style="width:{:.0f}%"></i></span></td><td>{}</td>)",
      css_class, escaped(s.layer), models::tag_name(s.tag), s.bits, percent(s.relative_error),
      width, sparkline(history(run, s)));
  row += fmt::format(R"(<td>{}</td><td class="r">{} … {}</td><td>{}</td>)", clip_text(s),
                     short_number(s.input_min), short_number(s.input_max),
                     range_bar(s.input_min, s.input_max, s.range_low, s.range_high));
  return row +
         fmt::format(R"(<td class="r">{}</td><td class="r">{}</td><td class="r">{}</td>)"
                     "<td>{}</td></tr>\n",
                     percent(s.clipped_low), percent(s.clipped_high),
                     s.usable() ? fmt::format("{} of {}", s.dead_codes(), s.codes.size()) : "–",
                     code_bars(s.codes));
}

constexpr const char* kLayerHead =
    "<tr><th>layer</th><th title=\"fm: input, wt: weight, ot: output\">of</th>"
    "<th class=\"r\">bits</th>"
    "<th class=\"r\" title=\"share of the energy that no multiple of the result explains\">error"
    "</th><th>over epochs</th><th title=\"as learned; of a normalized weight in its own "
    "units\">clip value</th><th class=\"r\">input</th>"
    "<th>clip range on input</th><th class=\"r\">below</th><th class=\"r\">above</th>"
    "<th class=\"r\">dead codes</th><th>codes</th></tr>";

std::string layer_table(const RunData& run) {
  const auto layers = run.last_layers();
  if (layers.empty()) return "<p>The run quantizes nothing.</p>\n";
  std::set<std::string> suspicious, broken;
  for (const Finding& finding : findings(run)) {
    if (finding.severity == Severity::broken) broken.insert(finding.where);
    if (finding.severity == Severity::bad) suspicious.insert(finding.where);
  }
  double largest = 0;
  for (const auto& s : layers) largest = std::fmax(largest, s.relative_error);
  std::string rows;
  for (const auto& s : layers) {
    const std::string name = s.layer + " " + models::tag_name(s.tag);
    rows += layer_row(run, s, largest,
                      broken.contains(name)       ? "broken"
                      : suspicious.contains(name) ? "bad"
                                                  : "");
  }
  return fmt::format(
      "<p class=\"soft\">On a fixed batch in evaluation, after epoch {}. Bar: the clip range; "
      "line: "
      "the range of the input. Below, above: shares of the input beyond the clip range. Red: codes "
      "that never occur.</p>\n"
      "<div class=\"scroll\"><table class=\"layers\"><thead>{}</thead><tbody>\n{}</tbody></table>"
      "</div>\n",
      run.layers.back().epoch, kLayerHead, rows);
}

std::string lost_classes(const Flips& flips) {
  constexpr size_t kShown = 8;
  std::vector<std::pair<std::string, int64_t>> classes(flips.lost_by_class.begin(),
                                                       flips.lost_by_class.end());
  std::ranges::stable_sort(classes, std::greater<>(), &std::pair<std::string, int64_t>::second);
  std::string text;
  for (size_t i = 0; i < std::min(kShown, classes.size()); ++i)
    text += fmt::format("{}{} {}", i ? ", " : "", escaped(classes[i].first), classes[i].second);
  return text.empty() ? "" : "<p>Most in: " + text + ".</p>\n";
}

std::string flips_section(const Flips& flips) {
  if (!flips.missing.empty())
    return fmt::format("<p class=\"soft\">Not shown: {}</p>\n", escaped(flips.missing));
  std::string html = fmt::format(
      "<p><b class=\"lost\">{}</b> images went from right to wrong, <b>{}</b> from wrong to right; "
      "{} are right in both, {} wrong in both.</p>\n",
      flips.lost, flips.gained, flips.both_right, flips.both_wrong);
  html += lost_classes(flips) + "<div class=\"images\">\n";
  for (const Flip& flip : flips.examples)
    html += fmt::format(
        "<figure><img src=\"{}\" alt=\"image {}\" loading=\"lazy\">{} <span class=\"bad\">→ {}"
        "</span><br><span class=\"soft\">#{}</span></figure>\n",
        flip.picture, flip.image, escaped(flip.label), escaped(flip.predicted), flip.image);
  return html + "</div>\n";
}

std::string options_table(const RunData& run) {
  std::string rows;
  for (const auto& [name, value] : run.settings)
    rows += fmt::format("<tr><td><code>{}</code></td><td class=\"wide\">{}</td></tr>\n",
                        escaped(name), escaped(value));
  return "<details><summary>Every option</summary><table><tbody>\n" + rows +
         "</tbody></table></details>\n";
}

std::string run_section(const Runs& runs, size_t index) {
  const ReportedRun& run = runs[index];
  std::string html;
  if (runs.size() > 1) html = fmt::format("<h2>{}{}</h2>\n", chip(index), escaped(run.data.name));
  const char* level = runs.size() > 1 ? "h3" : "h2";
  const auto heading = [&](const char* text) {
    return fmt::format("<{0}>{1}</{0}>\n", level, text);
  };
  if (runs.size() > 1) html += heading("What stands out") + findings_list(run.data);
  html += heading("Layers") + layer_table(run.data);
  html += heading("Images lost to quantization") + flips_section(run.flips);
  return html + options_table(run.data);
}

}  // namespace

std::string page(const Runs& runs) {
  std::string title = runs.front().data.name;
  if (runs.size() > 1) title = fmt::format("{} runs", runs.size());
  std::string body = fmt::format("<h1>{}</h1>\n", escaped(title));
  if (runs.size() == 1)
    body += fmt::format("<p class=\"soft\"><code>{}</code></p>\n",
                        escaped(runs.front().data.folder.string()));
  body += "<div class=\"cards\">\n";
  for (size_t i = 0; i < runs.size(); ++i) body += card(runs[i].data, i);
  body += "</div>\n";
  if (runs.size() == 1) body += "<h2>What stands out</h2>\n" + findings_list(runs.front().data);
  body += charts(runs);
  if (runs.size() > 1) body += differences(runs);
  for (size_t i = 0; i < runs.size(); ++i) body += run_section(runs, i);
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{} – lowbit report</title>\n<style>{}</style></head>\n<body>\n{}"
      "<script>{}</script>\n</body></html>\n",
      escaped(title), kStyle, body, kScript);
}

}  // namespace lowbit::report
