#include "lowbit/run/run_tables.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>
#include <string_view>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/core/number.h"

namespace lowbit::run {
namespace fs = std::filesystem;
namespace {

constexpr const char* kMetricsHeader =
    "epoch,lr,train_loss,train_top1,val_loss,val_top1,val_top5,best_top1,images_per_second,"
    "loss_scale,seconds";
constexpr const char* kLayersHeader =
    "epoch,layer,tag,bits,levels,groups,values,input_min,input_max,rms,clip_min,clip_mean,clip_max,"
    "range_low,range_high,clipped_low,clipped_high,dead_codes,mse,relative_error,codes";

std::string row_of(const EpochMetrics& m) {
  const std::string validation = m.validation ? fmt::format("{},{},{}", m.validation->loss,
                                                            m.validation->top1, m.validation->top5)
                                              : ",,";
  return fmt::format("{},{},{},{},{},{},{},{},{:.3f}\n", m.epoch, m.learning_rate, m.training.loss,
                     m.training.top1, validation, m.best_top1, m.images_per_second, m.loss_scale,
                     m.seconds);
}

// Layers are dotted names, which need no quotes.
std::string row_of(int epoch, const models::QuantizerStatistics& s) {
  if (s.layer.find_first_of(",\"\r\n") != std::string::npos)
    throw core::failure("the name of layer '{}' does not fit into a table", s.layer);
  return fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", epoch,
                     s.layer, models::tag_name(s.tag), s.bits, s.levels, s.groups, s.values,
                     s.input_min, s.input_max, s.rms, s.clip_min, s.clip_mean, s.clip_max,
                     s.range_low, s.range_high, s.clipped_low, s.clipped_high, s.dead_codes(),
                     s.mse, s.relative_error, fmt::join(s.codes, " "));
}

bool is_kept(std::string_view row, int epochs) {
  const size_t comma = row.find(',');
  const std::optional<int> epoch = core::number_of<int>(row.substr(0, comma));
  return comma != std::string_view::npos && epoch && *epoch < epochs;
}

// Calls see(begin of the next line, its length) for every line with an end.
void for_each_line(std::string_view text, const auto& see) {
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string_view::npos;
       begin = end + 1)
    see(text.substr(begin, end - begin));
}

std::vector<std::string_view> split(std::string_view line, char separator) {
  std::vector<std::string_view> parts;
  for (size_t begin = 0; begin <= line.size();) {
    const size_t end = std::min(line.find(separator, begin), line.size());
    parts.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

// The columns of a row one after another, as numbers.
class Columns {
 public:
  explicit Columns(std::string_view row) : parts_(split(row, ',')) {}

  size_t size() const { return parts_.size(); }
  std::string_view text() { return parts_.at(next_++); }
  void skip() { ++next_; }
  bool next_is_empty() const { return parts_.at(next_).empty(); }
  double real() { return number<double>(text()); }
  template <class T = int64_t>
  T integer() {
    return number<T>(text());
  }
  std::vector<int64_t> integers() {
    std::vector<int64_t> result;
    const std::string_view all = text();
    if (all.empty()) return result;
    for (const std::string_view part : split(all, ' ')) result.push_back(number<int64_t>(part));
    return result;
  }

 private:
  template <class T>
  static T number(std::string_view text) {
    const std::optional<T> value = core::number_of<T>(text);
    if (!value) throw core::failure("'{}' is no number", text);
    return *value;
  }

  std::vector<std::string_view> parts_;
  size_t next_ = 0;
};

// The rows of a table by `parse`, which takes the columns of one.
template <class Row, class Parse>
std::vector<Row> read_table(const fs::path& csv, const char* header, const Parse& parse) {
  const std::string content = core::read_file(csv);
  const size_t columns = split(header, ',').size();
  std::vector<Row> rows;
  int line = 0;
  try {
    for_each_line(content, [&](std::string_view text) {
      if (++line == 1) {
        if (text != header) throw core::failure("not a table of a run: its first line is another");
        return;
      }
      Columns row(text);
      if (row.size() != columns)
        throw core::failure("{} columns instead of {}", row.size(), columns);
      rows.push_back(parse(row));
    });
    if (line == 0) throw core::failure("not a table of a run: it is empty");
  } catch (core::Error& error) {
    error.at(csv.string(), line);
    throw;
  }
  return rows;
}

config::Tag tag_of(std::string_view name) {
  for (const config::Tag tag : {config::Tag::fm, config::Tag::wt, config::Tag::ot})
    if (name == models::tag_name(tag)) return tag;
  throw core::failure("'{}' is none of fm, wt, ot", name);
}

EpochMetrics metrics_of(Columns& row) {
  EpochMetrics m;
  m.epoch = row.integer<int>();
  m.learning_rate = row.real();
  m.training.loss = row.real();
  m.training.top1 = row.real();
  if (row.next_is_empty()) {
    for (int i = 0; i < 3; ++i) row.skip();
  } else {
    m.validation.emplace();
    m.validation->loss = row.real();
    m.validation->top1 = row.real();
    m.validation->top5 = row.real();
  }
  m.best_top1 = row.real();
  m.images_per_second = row.real();
  m.loss_scale = row.real();
  m.seconds = row.real();
  return m;
}

LayerRow layer_of(Columns& row) {
  LayerRow result{row.integer<int>(), {}};
  models::QuantizerStatistics& s = result.statistics;
  s.layer = row.text();
  s.tag = tag_of(row.text());
  for (int64_t* field : {&s.bits, &s.levels, &s.groups, &s.values}) *field = row.integer();
  for (double* field : {&s.input_min, &s.input_max, &s.rms, &s.clip_min, &s.clip_mean, &s.clip_max,
                        &s.range_low, &s.range_high, &s.clipped_low, &s.clipped_high})
    *field = row.real();
  row.skip();  // dead codes follow from the codes
  s.mse = row.real();
  s.relative_error = row.real();
  s.codes = row.integers();
  return result;
}

}  // namespace

void truncate_to_epoch(const fs::path& csv, const std::string& header, int epochs) {
  const std::string old = core::is_file(csv) ? core::read_file(csv) : "";
  std::string kept = header + "\n";
  if (old.starts_with(kept))
    for_each_line(std::string_view(old).substr(kept.size()), [&](std::string_view row) {
      if (is_kept(row, epochs)) kept += std::string(row) + "\n";
    });
  core::replace_file(csv, kept);
}

void truncate_metrics(const fs::path& csv, int epochs) {
  truncate_to_epoch(csv, kMetricsHeader, epochs);
}

void truncate_layers(const fs::path& csv, int epochs) {
  truncate_to_epoch(csv, kLayersHeader, epochs);
}

void append_metrics(const fs::path& csv, const EpochMetrics& metrics) {
  core::append_file(csv, row_of(metrics));
}

void append_layers(const fs::path& csv, int epoch,
                   const std::vector<models::QuantizerStatistics>& layers) {
  // One write: what another process sees ends with a line, save for a crash within it.
  std::string rows;
  for (const models::QuantizerStatistics& layer : layers) rows += row_of(epoch, layer);
  core::append_file(csv, rows);
}

std::vector<EpochMetrics> read_metrics(const fs::path& csv) {
  return read_table<EpochMetrics>(csv, kMetricsHeader, metrics_of);
}

std::vector<LayerRow> read_layers(const fs::path& csv) {
  return read_table<LayerRow>(csv, kLayersHeader, layer_of);
}

}  // namespace lowbit::run
