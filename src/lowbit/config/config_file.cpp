#include "lowbit/config/config_file.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <set>

#include "lowbit/core/files.h"

namespace lowbit::config {
namespace {

namespace fs = std::filesystem;

constexpr RecognizedName kRecognized[] = {
    {"dataset", "--dataset", "imagenet"},
    {"root", "--root", nullptr},
    {"model", "--model", nullptr},
    {"base", "--base", "1"},
    {"epochs", "--epochs", "0"},
    {"train_batch", "--batch_size", "20"},
    {"val_batch", "--val_batch_size", "20"},
    {"case", "--case", "fake"},
    {"keyword", "--keyword", ","},
    {"pretrained", "--pretrained", nullptr},
};
constexpr const char* kOptions = "options";

std::vector<std::string> names_of_a_config() {
  std::vector<std::string> names = {kOptions};
  for (const RecognizedName& row : kRecognized) names.push_back(row.name);
  return names;
}

bool starts_name(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) || c == '_';
}
bool continues_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

constexpr size_t kMostCharacters = 1 << 20;
constexpr int kDeepest = 100;

class ConfigFileParser {
 public:
  ConfigFileParser(std::string_view text, std::string_view file, const Environment& environment)
      : text_(text), environment_(environment) {
    result_.name = file;
  }

  ConfigFile parse() {
    while (!at_end()) statement();
    warn_about_unread_names();
    return std::move(result_);
  }

 private:
  bool at_end() const { return position_ >= text_.size(); }
  char peek(size_t ahead = 0) const {
    return position_ + ahead < text_.size() ? text_[position_ + ahead] : '\0';
  }
  char take() {
    const char c = text_[position_++];
    if (c == '\n') ++line_;
    return c;
  }
  bool take_if(std::string_view wanted) {
    if (text_.substr(position_, wanted.size()) != wanted) return false;
    for (size_t i = 0; i < wanted.size(); ++i) take();
    return true;
  }

  template <class... Args>
  core::Error error(int line, fmt::format_string<Args...> format, Args&&... args) const {
    return core::usage_error(format, std::forward<Args>(args)...).at(result_.name, line);
  }

  // A few lines of a="$a$a" would fill any memory.
  void count(size_t characters) {
    appended_ += characters;
    if (appended_ > kMostCharacters)
      throw error(line_, "the values of the file have more than {} characters", kMostCharacters);
  }
  void append(Argument& value, char c) {
    count(1);
    value.text += c;
    value.lines.push_back(line_);
  }
  void append(Argument& value, const Argument& more) {
    count(more.text.size());
    value.text += more.text;
    value.lines.insert(value.lines.end(), more.lines.begin(), more.lines.end());
  }

  // Blanks and joined lines, not the end of a line.
  bool skip_blanks() {
    const size_t start = position_;
    while (take_if(" ") || take_if("\t") || take_if("\r") || take_if("\\\n") || take_if("\\\r\n")) {
    }
    return position_ > start;
  }

  std::string_view take_name() {
    const size_t start = position_;
    if (starts_name(peek()))
      while (continues_name(peek())) take();
    return text_.substr(start, position_ - start);
  }

  // What ends a word without quotes.
  bool at_word_end() const {
    const char c = peek();
    return at_end() || c == ' ' || c == '\t' || c == '\n' || c == ';' ||
           (c == '\r' && (peek(1) == '\n' || position_ + 1 == text_.size()));
  }

  void statement() {
    skip_blanks();
    if (at_end()) return;
    if (peek() == '\n' || peek() == ';') {
      take();
    } else if (peek() == '#') {
      while (!at_end() && peek() != '\n') take();
    } else {
      assignments();
    }
  }

  // name=value, any number of them up to the end of the line, a `;` or a comment.
  void assignments() {
    const size_t start = position_;
    const int line = line_;
    const bool exported = take_export();
    do {
      if (peek() == '#' || at_word_end()) return;
      assignment(start, line, exported);
    } while (skip_blanks());
    if (!at_word_end()) throw not_an_assignment(start, line);
  }

  bool take_export() {
    const size_t start = position_;
    const int line = line_;
    if (take_name() == "export" && skip_blanks()) return true;
    position_ = start;
    line_ = line;
    return false;
  }

  void assignment(size_t statement_start, int statement_line, bool exported) {
    const std::string name(take_name());
    if (exported && !name.empty() && at_word_end()) return;  // `export name` changes no value
    const bool appends = peek() == '+' && peek(1) == '=';
    if (name.empty() || (!appends && peek() != '='))
      throw not_an_assignment(statement_start, statement_line);
    take_if("+");
    take();
    Argument value = argument("", result_.name);
    if (appends)
      if (const auto old = result_.values.find(name); old != result_.values.end())
        value = old->second;
    if (peek() == '~') append(value, home());
    while (!at_word_end()) bare_piece(value);
    if (!appends) warn_of_lost_value(name, statement_line);
    warn_of_typographic_quotes(value, statement_line);
    result_.values[name] = std::move(value);
    read_since_.erase(name);
  }

  // Word processors make them of plain ones; a shell takes them for letters.
  void warn_of_typographic_quotes(const Argument& value, int line) {
    for (const char* quote : {"\u2018", "\u2019", "\u201C", "\u201D"})
      if (value.text.starts_with(quote))
        return result_.warnings.push_back(fmt::format(
            "{}:{}: the quotes around {} are typographic and part of the value; write ' or \"",
            result_.name, line, value.text));
  }

  // Where a line replaces the value of a name that has a meaning, and nothing has read that.
  void warn_of_lost_value(const std::string& name, int line) {
    const std::vector<std::string> names = names_of_a_config();
    const auto old = result_.values.find(name);
    if (old == result_.values.end() || old->second.text.empty() || read_since_.count(name) ||
        std::find(names.begin(), names.end(), name) == names.end())
      return;
    result_.warnings.push_back(fmt::format(
        "{}:{}: '{}' replaces its value of line {}, which is lost{}", result_.name, line, name,
        old->second.line(), name == kOptions ? ": write options=\"$options ...\"" : ""));
  }

  core::Error not_an_assignment(size_t start, int line) const {
    constexpr size_t kShown = 60;
    const size_t end = std::min(text_.find_first_of("\r\n", start), text_.size());
    core::Error result = error(line, "'{}{}' is not an assignment name=value",
                               text_.substr(start, std::min(kShown, end - start)),
                               end - start > kShown ? "..." : "");
    result.detail("A config file is read, never executed: it holds only assignments and comments.");
    const std::string_view text = text_.substr(start, end - start);
    const auto behind_name = std::ranges::find_if_not(text, continues_name);
    if (text.substr(static_cast<size_t>(behind_name - text.begin())).starts_with(" ="))
      result.detail("A blank must not stand before the '='.");
    return result;
  }

  Argument home() {
    if (position_ + 1 < text_.size() &&
        std::string_view("/ \t\r\n;").find(peek(1)) == std::string_view::npos)
      throw error(line_, "'~user' is not supported: write the path");
    take();
    return lookup("HOME");
  }

  // One quoted piece, expansion, escape or character outside quotes.
  void bare_piece(Argument& value) {
    const int line = line_;
    const char c = peek();
    if (c == '\'') return single_quoted(value);
    if (c == '"') return double_quoted(value);
    if (c == '$') return expansion(value, false);
    if (c == '`') throw substitution(line);
    if (std::string_view("&|<>()").find(c) != std::string_view::npos)
      throw error(line, "'{}' outside quotes: quote the value, nothing is executed here", c);
    if (c == '\\') {
      take();
      if (take_if("\n") || take_if("\r\n") || at_end()) return;
    }
    append(value, peek());
    take();
  }

  void single_quoted(Argument& value) {
    const int opened = line_;
    take();
    while (peek() != '\'') {
      if (at_end()) throw error(opened, "the quote ' is never closed");
      append(value, peek());
      take();
    }
    take();
  }

  void double_quoted(Argument& value) {
    const int opened = line_;
    take();
    while (peek() != '"') {
      if (at_end()) throw error(opened, "the quote \" is never closed");
      double_quoted_piece(value);
    }
    take();
  }

  void double_quoted_piece(Argument& value) {
    if (peek() == '$') return expansion(value, true);
    if (peek() == '`') throw substitution(line_);
    if (peek() == '\\') {
      if (take_if("\\\n") || take_if("\\\r\n")) return;
      // Within double quotes a backslash is literal unless it protects one of these.
      if (std::string_view("\\\"$`").find(peek(1)) != std::string_view::npos) take();
    }
    append(value, peek());
    take();
  }

  core::Error substitution(int line) const {
    return error(line, "a command in $(..) or `..` is not executed: write its result");
  }

  // At a `$`.
  void expansion(Argument& value, bool in_quotes) {
    const char next = peek(1);
    if (next == '(') throw substitution(line_);
    if (!in_quotes && (next == '\'' || next == '"'))
      throw error(line_, "$'..' and $\"..\" are not supported: use plain quotes");
    if (std::isdigit(static_cast<unsigned char>(next)) ||
        (next != '\0' && std::string_view("@*#?$!-").find(next) != std::string_view::npos))
      throw error(line_, "'${}' has no meaning in a config file", next);
    if (next != '{' && !starts_name(next)) append(value, '$');  // a lone dollar sign
    take();
    if (next == '{' || starts_name(next))
      append(value, next == '{' ? braced_name() : lookup(std::string(take_name())));
  }

  // At the `{` of ${name}, ${name:-word}, ${name-word}, ${name:=word} or ${name=word}.
  Argument braced_name() {
    const int opened = line_;
    if (++depth_ > kDeepest) throw error(opened, "${{..}} within one another too deeply");
    take();
    const std::string name(take_name());
    if (!name.empty() && take_if("}")) {
      --depth_;
      return lookup(name);
    }
    const bool empty_counts_as_unset = take_if(":");
    const bool assigns = peek() == '=';
    if (name.empty() || (!take_if("-") && !take_if("=")))
      throw error(opened, "'${{{}' is not ${{name}} or ${{name:-default}}", name);
    Argument word = argument("", result_.name);
    while (peek() != '}') {
      if (at_end() || peek() == '\n')
        throw error(opened, "the brace of '${{{}' is never closed", name);
      bare_piece(word);
    }
    take();
    --depth_;
    const std::optional<Argument> known = find(name);
    if (known && !(empty_counts_as_unset && known->text.empty())) return *known;
    if (assigns) result_.values[name] = word;
    return word;
  }

  std::optional<Argument> find(const std::string& name) {
    read_.insert(name);
    read_since_.insert(name);
    if (const auto own = result_.values.find(name); own != result_.values.end()) return own->second;
    if (name == kOptions) return argument("", result_.name);
    if (const std::optional<std::string> text = environment_(name)) return here(*text);
    return std::nullopt;
  }

  // A text that comes from no line, as if it stood at the present one.
  Argument here(const std::string& text) const {
    Argument value = argument(text, result_.name);
    value.lines.assign(text.size(), line_);
    return value;
  }

  Argument lookup(const std::string& name) {
    if (std::optional<Argument> value = find(name)) return *value;
    if (name == "FASTDIR") return here("/workspace");
    std::vector<std::string> names;
    for (const auto& [known, value] : result_.values) names.push_back(known);
    throw error(line_, "variable '{}' is not set", name).suggest(core::nearest_name(name, names));
  }

  void warn_about_unread_names() {
    const std::vector<std::string> names = names_of_a_config();
    for (const auto& [name, value] : result_.values) {
      if (read_.count(name) || std::find(names.begin(), names.end(), name) != names.end()) continue;
      const std::string nearest = core::nearest_name(name, names);
      if (!nearest.empty())
        result_.warnings.push_back(fmt::format(
            "{}: variable '{}' is never used; did you mean '{}'?", value.place(), name, nearest));
    }
  }

  std::string_view text_;
  const Environment& environment_;
  size_t position_ = 0;
  int line_ = 1;
  int depth_ = 0;        // of ${..} within ${..}
  size_t appended_ = 0;  // characters, to all values together
  ConfigFile result_;
  std::set<std::string> read_;        // names that some value refers to
  std::set<std::string> read_since_;  // the same, since their last assignment
};

constexpr std::string_view kOptionBlanks = " \t\r\n";

// Where the word ends that begins at `begin`: at a blank, or behind the quote that a blank or the
// end follows, if it begins with one.
size_t word_end(std::string_view text, size_t begin) {
  const char quote = text[begin];
  if (quote == '\'' || quote == '"')
    for (size_t i = text.find(quote, begin + 1); i != text.npos; i = text.find(quote, i + 1))
      if (i + 1 == text.size() || kOptionBlanks.find(text[i + 1]) != kOptionBlanks.npos)
        return i + 1;
  return std::min(text.find_first_of(kOptionBlanks, begin), text.size());
}

// The words of `options`, which quotes of their own may hold together:
// options="$options --lr_custom_step '30, 60'".
std::vector<Argument> words_of_options(const Argument& options) {
  const std::string_view text = options.text;
  std::vector<Argument> words;
  for (size_t begin = text.find_first_not_of(kOptionBlanks); begin != text.npos;) {
    const size_t end = word_end(text, begin);
    const bool quoted = end - begin > 1 && text[begin] == text[end - 1] &&
                        (text[begin] == '\'' || text[begin] == '"');
    words.push_back(quoted ? options.slice(begin + 1, end - 1) : options.slice(begin, end));
    begin = text.find_first_not_of(kOptionBlanks, end);
  }
  return words;
}

// Binary files hold zeros, texts do not.
void require_text(std::string_view content, const fs::path& path) {
  const size_t zero = content.find('\0');
  if (zero == std::string_view::npos) return;
  core::Error error =
      core::usage_error("it is no config file: a text has no zero bytes, byte {} is one", zero);
  error.at(path.string());
  if (content.starts_with("\xFF\xFE") || content.starts_with("\xFE\xFF"))
    throw error.detail("it looks like UTF-16: save it as UTF-8");
  throw error.detail(
      "'lowbit eval' reads checkpoints, 'lowbit run' packed networks, --pretrained weights to "
      "start from");
}

}  // namespace

std::optional<std::string> option_word(std::string_view text) {
  for (const std::string_view quote : {"", "'", "\""}) {
    // Alone it could be read as it is, but not in front of a further word that ends with its quote.
    if (quote.empty() && text.find_first_of("'\"") == 0) continue;
    std::string word = fmt::format("{}{}{}", quote, text, quote);
    const std::vector<Argument> read = words_of_options(argument(word, ""));
    if (read.size() == 1 && read[0].text == text) return word;
  }
  return {};
}

std::span<const RecognizedName> recognized_names() {
  return kRecognized;
}

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value ? std::optional<std::string>(value) : std::nullopt;
  };
}

ConfigFile parse_config(std::string_view content, std::string_view name,
                        const Environment& environment) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (content.substr(0, kByteOrderMark.size()) == kByteOrderMark)
    content.remove_prefix(kByteOrderMark.size());
  return ConfigFileParser(content, name, environment).parse();
}

ConfigFile read_config(const fs::path& path, const Environment& environment) {
  std::error_code ignored;
  if (!fs::exists(path, ignored))
    throw core::usage_error("there is no config file '{}'", path.string())
        .suggest(core::nearest_file(path));
  const std::string content = core::read_file(path);
  require_text(content, path);
  return parse_config(content, path.string(), environment);
}

std::vector<Argument> arguments_of(const ConfigFile& file) {
  std::vector<Argument> result;
  const auto value_of = [&file](const char* name) {
    const auto found = file.values.find(name);
    return found == file.values.end() ? Argument() : found->second;
  };
  for (const RecognizedName& row : kRecognized) {
    Argument value = value_of(row.name);
    if (value.text.empty()) {
      if (row.default_value == nullptr) continue;
      value = argument(row.default_value, "default");
    }
    Argument option = argument(row.option, value.source);
    if (!value.lines.empty()) option.lines.assign(option.text.size(), value.line());
    result.push_back(std::move(option));
    result.push_back(std::move(value));
  }
  for (Argument& word : words_of_options(value_of(kOptions))) result.push_back(std::move(word));
  return result;
}

}  // namespace lowbit::config
