#include "lowbit/config/policy.h"

#include <algorithm>

#include "lowbit/config/option_table.h"

namespace lowbit::config {
namespace {

constexpr std::string_view kBlanks = " \t\r\f\v";
constexpr const char* kSections = "on init :, on norm :, on eltwise :, on epoch : 10 20";

struct SectionRow {
  const char* name;
  PolicyEvent event;
};
constexpr SectionRow kEvents[] = {{"init", PolicyEvent::init},
                                  {"norm", PolicyEvent::norm},
                                  {"eltwise", PolicyEvent::eltwise},
                                  {"epoch", PolicyEvent::epoch}};

struct TagRow {
  const char* name;
  Tag tag;
};
constexpr TagRow kTags[] = {{"fm", Tag::fm}, {"wt", Tag::wt}, {"ot", Tag::ot}};

template <class Row>
std::vector<std::string> names_of(const Row& rows) {
  std::vector<std::string> names;
  for (const auto& row : rows) names.emplace_back(row.name);
  return names;
}

Argument trimmed(const Argument& whole) {
  const size_t begin = std::min(whole.text.find_first_not_of(kBlanks), whole.text.size());
  const size_t last = whole.text.find_last_not_of(kBlanks);
  return whole.slice(begin, last == std::string::npos ? begin : last + 1);
}

// Values may be quoted, as names may.
Argument unquoted(const Argument& whole) {
  const std::string& text = whole.text;
  const bool quoted = text.size() > 1 && text.front() == text.back() &&
                      (text.front() == '\'' || text.front() == '"');
  return quoted ? whole.slice(1, text.size() - 1) : whole;
}

class PolicyParser {
 public:
  PolicyParser(std::string_view text, std::string_view name) {
    policy_.name = name;
    policy_.text = text;
  }

  Policy parse() {
    size_t begin = 0;
    for (int number = 1; begin < policy_.text.size(); ++number) {
      const size_t end = std::min(policy_.text.find('\n', begin), policy_.text.size());
      Argument words = argument(policy_.text.substr(begin, end - begin), policy_.name);
      words.text.erase(std::min(words.text.find('#'), words.text.size()));
      words.lines.assign(words.text.size(), number);
      words = trimmed(words);
      if (!words.text.empty()) line(words);
      begin = end + 1;
    }
    close_block();
    return std::move(policy_);
  }

 private:
  void line(const Argument& words) {
    const size_t colon = words.text.find(':');
    const Argument before = trimmed(words.slice(0, std::min(colon, words.text.size())));
    const std::vector<Argument> names = split(before, kBlanks);
    const bool opens_section = !names.empty() && names.front().text == "on";
    if (colon == std::string::npos || names.empty() || names.size() > (opens_section ? 2u : 1u))
      throw at(core::usage_error("'{}' is neither 'on EVENT :' nor 'attribute: value'", words.text)
                   .detail(std::string("Sections: ") + kSections),
               words);
    const Argument value = trimmed(words.slice(colon + 1, words.text.size()));
    if (opens_section) return section(words, names, value);
    if (policy_.sections.empty())
      throw at(core::usage_error("'{}' stands before the first section", words.text)
                   .detail(std::string("Sections: ") + kSections),
               words);
    if (names[0].text.starts_with("by_")) return selector(names[0], value);
    attribute(unquoted(names[0]), unquoted(value));
  }

  void section(const Argument& words, const std::vector<Argument>& names, const Argument& value) {
    close_block();
    if (names.size() < 2)
      throw at(
          core::usage_error("'on' without an event").detail(std::string("Sections: ") + kSections),
          words);
    const SectionRow* row =
        std::find_if(std::begin(kEvents), std::end(kEvents),
                     [&](const SectionRow& each) { return names[1].text == each.name; });
    if (row == std::end(kEvents))
      throw at(core::usage_error("unknown section 'on {}'", names[1].text)
                   .suggest(core::nearest_name(names[1].text, names_of(kEvents)))
                   .detail(std::string("Sections: ") + kSections),
               names[1]);
    PolicySection opened{row->event, {}, {}};
    for (const Argument& word : split(value, " \t,")) {
      if (row->event != PolicyEvent::epoch)
        throw at(core::usage_error("'on {} :' takes no numbers", row->name), word);
      opened.epochs.push_back(
          static_cast<int>(parse_integer("on epoch", word, between(0, 1000000))));
    }
    if (row->event == PolicyEvent::epoch && opened.epochs.empty())
      throw at(core::usage_error("'on epoch :' without the epochs: on epoch : 10 20"), words);
    if (row->event == PolicyEvent::norm || row->event == PolicyEvent::eltwise)
      policy_.warnings.push_back(
          fmt::format("{}: section 'on {}' has no effect: {} are not quantized", words.place(),
                      row->name, row->event == PolicyEvent::norm ? "norms" : "sums of branches"));
    policy_.sections.push_back(std::move(opened));
  }

  void selector(const Argument& name, const Argument& value) {
    if (!block_.changes.empty()) close_block();
    selected_ = name;
    if (name.text == "by_index") {
      block_.indices.clear();
      if (unquoted(value).text == "all") return;
      for (const Argument& word : list(name, value)) {
        parse_integer("by_index", word, between(0, 1000000));
        block_.indices.push_back(word);
      }
    } else if (name.text == "by_tag") {
      block_.tags.clear();
      if (unquoted(value).text == "all") return;
      for (const Argument& word : list(name, value)) block_.tags.push_back(tag_of(word));
    } else {
      const std::vector<std::string> known = {"by_index", "by_tag"};
      throw at(core::usage_error("unknown selector '{}'", name.text)
                   .suggest(core::nearest_name(name.text, known))
                   .detail("Selectors: by_index by_tag"),
               name);
    }
  }

  static std::vector<Argument> list(const Argument& name, const Argument& value) {
    std::vector<Argument> words = split(value, " \t,[]'\"");
    if (words.empty()) throw at(core::usage_error("'{}' without a value", name.text), name);
    return words;
  }

  static Tag tag_of(const Argument& word) {
    for (const TagRow& row : kTags)
      if (word.text == row.name) return row.tag;
    throw at(core::usage_error("unknown tag '{}'", word.text)
                 .suggest(core::nearest_name(word.text, names_of(kTags)))
                 .detail("Tags: fm wt ot"),
             word);
  }

  void attribute(const Argument& name, const Argument& value) {
    block_.changes.push_back({name, value});
    check_change(block_.changes.back());
    if (name.text == "ratio" || name.text == "separator")
      policy_.warnings.push_back(
          fmt::format("{}: attribute '{}' has no effect in any method", name.place(), name.text));
  }

  // The attribute exists and its value is one of it: of some tag that has it.
  void check_change(const PolicyChange& change) const {
    QuantOptions any;
    any.bit = 8;
    any.method = Method::dorefa;  // it has them all: what is checked is the value
    changed(any, block_.tags.empty() ? Tag::fm : block_.tags.front(), {change});
  }

  void close_block() {
    if (!block_.changes.empty()) {
      if (block_.tags.empty()) block_.tags = {Tag::fm, Tag::wt, Tag::ot};
      policy_.sections.back().blocks.push_back(std::move(block_));
    } else if (selected_) {
      policy_.warnings.push_back(fmt::format("{}: nothing follows the selector '{}'",
                                             selected_->place(), selected_->text));
    }
    block_ = {};
    selected_.reset();
  }

  Policy policy_;
  PolicyBlock block_;
  std::optional<Argument> selected_;  // the last selector of block_
};

}  // namespace

Policy parse_policy(std::string_view text, std::string_view name) {
  return PolicyParser(text, name).parse();
}

}  // namespace lowbit::config
