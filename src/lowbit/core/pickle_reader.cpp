#include <array>
#include <bit>
#include <limits>
#include <optional>
#include <unordered_map>

#include "lowbit/core/error.h"
#include "lowbit/core/number.h"
#include "lowbit/core/pickle.h"
#include "lowbit/core/pickle_opcodes.h"
#include "lowbit/core/unicode.h"

namespace lowbit::core {
namespace {

constexpr int kNewestProtocol = 5;

// The nodes that every tree begins with.
constexpr PickleRef kNoneRef = 0, kTrueRef = 1, kFalseRef = 2;

// What text.encode('latin1') gives; nothing if a character has no place there.
std::optional<std::string> latin1(std::string_view utf8) {
  std::string bytes;
  while (!utf8.empty()) {
    const auto code = take_code_point(utf8);
    if (!code || *code > 0xff) return {};
    bytes += static_cast<char>(*code);
  }
  return bytes;
}

// Drops the high bytes that only repeat the sign.
std::string_view shortest_twos_complement(std::string_view bytes) {
  while (bytes.size() > 1) {
    const auto top = static_cast<uint8_t>(bytes.back());
    const bool negative = static_cast<uint8_t>(bytes[bytes.size() - 2]) >= 0x80;
    if (top != (negative ? 0xff : 0)) break;
    bytes.remove_suffix(1);
  }
  return bytes;
}

// The machine of pickletools.py: a stack, marks in it, and a memo.
class PickleReader {
 public:
  PickleReader(std::string_view bytes, size_t begin) : bytes_(bytes), next_(begin) {
    tree_.nodes.resize(3);
    tree_.nodes[kTrueRef].kind = tree_.nodes[kFalseRef].kind = PickleKind::boolean;
    tree_.nodes[kTrueRef].integer = 1;
  }

  PickleTree read();

 private:
  friend struct OpcodeTable;

  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> why, Args&&... args) const {
    throw failure("damaged pickle, byte {}: {}", opcode_,
                  fmt::format(why, std::forward<Args>(args)...));
  }

  // --- bytes ---

  std::string_view take(uint64_t length) {
    if (length > bytes_.size() - next_) fail("it ends early");
    const std::string_view taken = bytes_.substr(next_, length);
    next_ += length;
    return taken;
  }

  template <class T>
  T number() {
    std::make_unsigned_t<T> value = 0;
    const std::string_view raw = take(sizeof(T));
    for (size_t i = 0; i < sizeof(T); ++i)
      value |= static_cast<decltype(value)>(static_cast<uint64_t>(static_cast<uint8_t>(raw[i]))
                                            << 8 * i);
    return static_cast<T>(value);
  }

  std::string_view take_line() {
    const size_t end = bytes_.find('\n', next_);
    if (end == std::string_view::npos) fail("a line without end");
    const std::string_view line = take(end - next_);
    take(1);
    return line;
  }

  void read_protocol() {
    opcode_ = next_;
    if (next_ > bytes_.size() || number<uint8_t>() != kProto)
      fail("no pickle of protocol 2 or later begins here");
    const int protocol = number<uint8_t>();
    if (protocol < 2 || protocol > kNewestProtocol) fail("pickle protocol {}", protocol);
  }

  // --- nodes and stack ---

  PickleRef add(PickleNode node) {
    if (tree_.nodes.size() == std::numeric_limits<PickleRef>::max()) fail("too many values");
    tree_.nodes.push_back(std::move(node));
    return static_cast<PickleRef>(tree_.nodes.size() - 1);
  }
  PickleNode& at(PickleRef ref) { return tree_.nodes[ref]; }

  void push(PickleRef ref) { stack_.push_back(ref); }
  void push(PickleNode node) { push(add(std::move(node))); }
  void push_integer(int64_t value) { push({.kind = PickleKind::integer, .integer = value}); }
  void push_items(PickleKind kind, std::vector<PickleRef> items) {
    push({.kind = kind, .items = std::move(items)});
  }

  // Values below the last mark are out of reach until it is popped.
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

  PickleRef top() const {
    if (stack_.size() <= floor()) fail("a value is missing");
    return stack_.back();
  }
  PickleRef pop() {
    const PickleRef ref = top();
    stack_.pop_back();
    return ref;
  }
  std::vector<PickleRef> pop(size_t count) {
    if (stack_.size() - floor() < count) fail("a value is missing");
    std::vector<PickleRef> items(stack_.end() - static_cast<ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }
  std::vector<PickleRef> pop_to_mark() {
    if (marks_.empty()) fail("a mark is missing");
    std::vector<PickleRef> items = pop(stack_.size() - floor());
    marks_.pop_back();
    return items;
  }

  std::vector<PickleRef> pop_pairs_to_mark() {
    std::vector<PickleRef> items = pop_to_mark();
    if (items.size() % 2 != 0) fail("a key without value");
    return items;
  }

  // --- what the opcodes do ---

  void decimal_int(std::string_view digits) {
    if (digits == "00" || digits == "01") return push(digits == "01" ? kTrueRef : kFalseRef);
    const std::optional<int64_t> value = number_of<int64_t>(digits);
    if (!value) fail("no decimal number");
    push_integer(*value);
  }

  void long_int(std::string_view stored) {
    const std::string_view bytes = shortest_twos_complement(stored);
    if (bytes.size() > sizeof(int64_t))
      return push({.kind = PickleKind::long_integer, .text = std::string(bytes)});
    const bool negative = !bytes.empty() && static_cast<uint8_t>(bytes.back()) >= 0x80;
    uint64_t value = negative ? ~uint64_t{0} : 0;
    for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[i]);
    push_integer(static_cast<int64_t>(value));
  }

  void real() {
    uint64_t bits = 0;  // the one big-endian number of the format
    for (const char c : take(sizeof(bits))) bits = bits << 8 | static_cast<uint8_t>(c);
    push({.kind = PickleKind::real, .real = std::bit_cast<double>(bits)});
  }

  void text(std::string_view utf8) {
    if (!is_utf8(utf8, /*surrogates=*/true)) fail("a text that is not UTF-8");
    push({.kind = PickleKind::text, .text = bytes_of_python_text(utf8)});
  }
  void raw(std::string_view data) { push({.kind = PickleKind::bytes, .text = std::string(data)}); }
  // Python 2 did not tell text from bytes.
  void python2_string(std::string_view data) { is_utf8(data) ? text(data) : raw(data); }

  void extend(PickleKind kind, const std::vector<PickleRef>& items) {
    PickleNode& target = at(top());
    if (target.kind == PickleKind::object) {
      const bool pairs = kind == PickleKind::dict;
      if (!target.items.empty() && target.pairs != pairs) fail("both items and entries for one");
      target.pairs = pairs;
    } else if (target.kind != kind) {
      fail("items for what cannot hold them");
    }
    target.items.insert(target.items.end(), items.begin(), items.end());
  }

  void push_global(std::string_view module, std::string_view name) {
    if (!is_utf8(module) || !is_utf8(name)) fail("a name that is not UTF-8");
    push({.kind = PickleKind::global, .text = fmt::format("{}.{}", module, name)});
  }
  void global_from_lines() {
    const std::string_view module = take_line();
    push_global(module, take_line());
  }
  void global_from_stack() {
    const std::vector<PickleRef> names = pop(2);
    for (const PickleRef name : names)
      if (at(name).kind != PickleKind::text) fail("a global without name");
    const std::string module = at(names[0]).text, name = at(names[1]).text;
    push_global(module, name);
  }

  // {maker, arguments}
  void make(const std::vector<PickleRef>& call) {
    if (at(call[1]).kind != PickleKind::tuple) fail("arguments that are no tuple");
    if (make_plain_data(at(call[0]), at(call[1]).items)) return;
    push({.kind = PickleKind::object, .maker = call[0], .arguments = call[1]});
  }

  // Keyword arguments go only into objects, which stay opaque: they are checked and dropped.
  void make_with_keywords(const std::vector<PickleRef>& call) {
    if (at(call[2]).kind != PickleKind::dict) fail("keyword arguments that are no dict");
    make({call[0], call[1]});
  }

  void make_from_mark() {
    std::vector<PickleRef> items = pop_to_mark();
    if (items.empty()) fail("an object without class");
    const PickleRef maker = items.front();
    items.erase(items.begin());
    make({maker, add({.kind = PickleKind::tuple, .items = std::move(items)})});
  }

  // Protocol 2 has no opcodes for these: it names the function that makes them.
  bool make_plain_data(const PickleNode& maker, const std::vector<PickleRef>& arguments) {
    if (maker.kind != PickleKind::global) return false;
    const std::string_view name = maker.text;
    if (name == "collections.OrderedDict") return make_dict(arguments);
    if (name == "_codecs.encode") return make_bytes(arguments);
    for (const std::string_view module : {"__builtin__.", "builtins."}) {
      if (!name.starts_with(module)) continue;
      const std::string_view type = name.substr(module.size());
      if (type == "set" || type == "frozenset") return make_set(arguments);
      if (type == "bytes" && arguments.empty()) return raw({}), true;
      if (type == "bytearray") return make_byte_array(arguments);
    }
    return false;
  }

  // OrderedDict(), or OrderedDict([[key, value], ...]) as Python 2 wrote it.
  bool make_dict(const std::vector<PickleRef>& arguments) {
    std::vector<PickleRef> entries;
    if (!arguments.empty()) {
      const PickleNode& list = at(arguments.front());
      if (arguments.size() != 1 || list.kind != PickleKind::list) return false;
      for (const PickleRef pair : list.items) {
        const std::vector<PickleRef>& key_value = at(pair).items;
        const bool sequence =
            at(pair).kind == PickleKind::list || at(pair).kind == PickleKind::tuple;
        if (!sequence || key_value.size() != 2) return false;
        entries.insert(entries.end(), key_value.begin(), key_value.end());
      }
    }
    push_items(PickleKind::dict, std::move(entries));
    return true;
  }

  bool make_bytes(const std::vector<PickleRef>& arguments) {
    if (arguments.size() != 2 || at(arguments[0]).kind != PickleKind::text) return false;
    const std::string& encoding = at(arguments[1]).text;
    if (encoding != "latin1" && encoding != "latin-1") return false;
    const std::optional<std::string> data = latin1(at(arguments[0]).text);
    if (!data) return false;
    raw(*data);
    return true;
  }

  // bytearray(), bytearray(b'..') or, in protocol 2, bytearray('..', 'latin-1').
  bool make_byte_array(const std::vector<PickleRef>& arguments) {
    if (arguments.size() != 1) return arguments.empty() ? (raw({}), true) : make_bytes(arguments);
    if (at(arguments[0]).kind != PickleKind::bytes) return false;
    push(arguments[0]);
    return true;
  }

  bool make_set(const std::vector<PickleRef>& arguments) {
    if (arguments.size() != 1 || at(arguments[0]).kind != PickleKind::list) return false;
    const std::vector<PickleRef> items = at(arguments[0]).items;
    push_items(PickleKind::set, items);
    return true;
  }

  void build(PickleRef state) {
    PickleNode& target = at(top());
    if (target.kind == PickleKind::object)
      target.state = state;
    else if (target.kind != PickleKind::dict && target.kind != PickleKind::set)
      fail("a state for what has none");
  }

  void pop_value_or_mark() {
    if (stack_.size() > floor())
      stack_.pop_back();
    else
      pop_to_mark();
  }

  void recall(uint32_t name) {
    const auto found = memo_.find(name);
    if (found == memo_.end()) fail("no value was stored under {}", name);
    push(found->second);
  }

  void store(uint32_t name) { memo_[name] = top(); }

  void frame(uint64_t length) const {
    if (length > bytes_.size() - next_) fail("it ends early");
  }

  std::string_view bytes_;
  size_t next_, opcode_ = 0;
  PickleTree tree_;
  std::vector<PickleRef> stack_;
  std::vector<size_t> marks_;  // sizes of the stack
  std::unordered_map<uint32_t, PickleRef> memo_;
};

struct OpcodeTable {
  using R = PickleReader;
  using Handler = void (*)(R&);
  struct Row {
    Opcode opcode;
    Handler handler;
  };

  static constexpr Row rows[] = {
      {kNone, [](R& r) { r.push(kNoneRef); }},
      {kNewTrue, [](R& r) { r.push(kTrueRef); }},
      {kNewFalse, [](R& r) { r.push(kFalseRef); }},
      {kBinInt, [](R& r) { r.push_integer(r.number<int32_t>()); }},
      {kBinInt1, [](R& r) { r.push_integer(r.number<uint8_t>()); }},
      {kBinInt2, [](R& r) { r.push_integer(r.number<uint16_t>()); }},
      {kDecimalInt, [](R& r) { r.decimal_int(r.take_line()); }},
      {kLong1, [](R& r) { r.long_int(r.take(r.number<uint8_t>())); }},
      {kLong4, [](R& r) { r.long_int(r.take(r.number<uint32_t>())); }},
      {kBinFloat, [](R& r) { r.real(); }},
      {kShortBinUnicode, [](R& r) { r.text(r.take(r.number<uint8_t>())); }},
      {kBinUnicode, [](R& r) { r.text(r.take(r.number<uint32_t>())); }},
      {kBinUnicode8, [](R& r) { r.text(r.take(r.number<uint64_t>())); }},
      {kShortBinString, [](R& r) { r.python2_string(r.take(r.number<uint8_t>())); }},
      {kBinString, [](R& r) { r.python2_string(r.take(r.number<uint32_t>())); }},
      {kShortBinBytes, [](R& r) { r.raw(r.take(r.number<uint8_t>())); }},
      {kBinBytes, [](R& r) { r.raw(r.take(r.number<uint32_t>())); }},
      {kBinBytes8, [](R& r) { r.raw(r.take(r.number<uint64_t>())); }},
      {kByteArray8, [](R& r) { r.raw(r.take(r.number<uint64_t>())); }},

      {kEmptyTuple, [](R& r) { r.push_items(PickleKind::tuple, {}); }},
      {kTuple1, [](R& r) { r.push_items(PickleKind::tuple, r.pop(1)); }},
      {kTuple2, [](R& r) { r.push_items(PickleKind::tuple, r.pop(2)); }},
      {kTuple3, [](R& r) { r.push_items(PickleKind::tuple, r.pop(3)); }},
      {kTuple, [](R& r) { r.push_items(PickleKind::tuple, r.pop_to_mark()); }},
      {kEmptyList, [](R& r) { r.push_items(PickleKind::list, {}); }},
      {kList, [](R& r) { r.push_items(PickleKind::list, r.pop_to_mark()); }},
      {kAppend, [](R& r) { r.extend(PickleKind::list, r.pop(1)); }},
      {kAppends, [](R& r) { r.extend(PickleKind::list, r.pop_to_mark()); }},
      {kEmptyDict, [](R& r) { r.push_items(PickleKind::dict, {}); }},
      {kDict, [](R& r) { r.push_items(PickleKind::dict, r.pop_pairs_to_mark()); }},
      {kSetItem, [](R& r) { r.extend(PickleKind::dict, r.pop(2)); }},
      {kSetItems, [](R& r) { r.extend(PickleKind::dict, r.pop_pairs_to_mark()); }},
      {kEmptySet, [](R& r) { r.push_items(PickleKind::set, {}); }},
      {kFrozenSet, [](R& r) { r.push_items(PickleKind::set, r.pop_to_mark()); }},
      {kAddItems, [](R& r) { r.extend(PickleKind::set, r.pop_to_mark()); }},

      {kGlobal, [](R& r) { r.global_from_lines(); }},
      {kStackGlobal, [](R& r) { r.global_from_stack(); }},
      {kBinPersistentId, [](R& r) { r.push_items(PickleKind::persistent_id, r.pop(1)); }},
      {kReduce, [](R& r) { r.make(r.pop(2)); }},
      {kNewObj, [](R& r) { r.make(r.pop(2)); }},
      {kNewObjEx, [](R& r) { r.make_with_keywords(r.pop(3)); }},
      {kObj, [](R& r) { r.make_from_mark(); }},
      {kBuild, [](R& r) { r.build(r.pop()); }},

      {kMark, [](R& r) { r.marks_.push_back(r.stack_.size()); }},
      {kPop, [](R& r) { r.pop_value_or_mark(); }},
      {kPopMark, [](R& r) { r.pop_to_mark(); }},
      {kDup, [](R& r) { r.push(r.top()); }},
      {kBinGet, [](R& r) { r.recall(r.number<uint8_t>()); }},
      {kLongBinGet, [](R& r) { r.recall(r.number<uint32_t>()); }},
      {kBinPut, [](R& r) { r.store(r.number<uint8_t>()); }},
      {kLongBinPut, [](R& r) { r.store(r.number<uint32_t>()); }},
      {kMemoize, [](R& r) { r.store(static_cast<uint32_t>(r.memo_.size())); }},
      {kFrame, [](R& r) { r.frame(r.number<uint64_t>()); }},
  };

  // By opcode; nullptr for those that no pickle may hold here.
  static constexpr std::array<Handler, 256> handlers() {
    std::array<Handler, 256> table{};
    for (const Row& row : rows) table[row.opcode] = row.handler;
    return table;
  }
};

PickleTree PickleReader::read() {
  static constexpr std::array<OpcodeTable::Handler, 256> handlers = OpcodeTable::handlers();
  read_protocol();
  while (true) {
    opcode_ = next_;
    const uint8_t code = number<uint8_t>();
    if (code == kStop) break;
    if (!handlers[code]) fail("the unknown or unsupported opcode {:#04x}", code);
    handlers[code](*this);
  }
  tree_.root = pop();
  if (!stack_.empty() || !marks_.empty()) fail("values left over at its end");
  tree_.end = next_;
  return std::move(tree_);
}

}  // namespace

PickleTree read_pickle(std::string_view bytes, size_t begin) {
  return PickleReader(bytes, begin).read();
}

}  // namespace lowbit::core
