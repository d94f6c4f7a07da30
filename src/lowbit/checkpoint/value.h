// What checkpoints are made of: the plain values of Python, and tensors.
#pragma once

#include <torch/types.h>

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace lowbit::checkpoint {

class Value;

struct None {};
struct Bytes {
  std::string data;
};
// An int that int64_t cannot hold.
struct LongInteger {
  std::string twos_complement;  // little endian, as pickle writes it
};
// What is neither plain data nor a tensor: an argparse.Namespace, a numpy scalar, a lambda.
struct Opaque {
  std::string type;  // "argparse.Namespace"
};
using List = std::vector<Value>;
struct Tuple {
  List items;
};

// A Python dict: keys of any kind, in the order in which they came. An OrderedDict is read as one.
class Dict {
 public:
  using Entry = std::pair<Value, Value>;

  Dict() = default;
  Dict(std::initializer_list<Entry> entries);
  explicit Dict(std::vector<Entry> entries);

  // Appends, or replaces the value of an equal string or int key.
  void set(Value key, Value value);

  const Value* find(std::string_view key) const;  // nullptr if there is none
  const Value& at(std::string_view key) const;  // an Error (failure) naming `key` if there is none

  size_t size() const;
  const Entry* begin() const;
  const Entry* end() const;

 private:
  std::vector<Entry> entries_;
};

// One immutable node of the tree; a copy shares it. A file that holds one object in two places
// gives two Values that share their content.
class Value {
 public:
  using Content = std::variant<None, bool, int64_t, double, std::string, Bytes, LongInteger,
                               torch::Tensor, List, Tuple, Dict, Opaque>;

  Value();  // None
  template <std::same_as<bool> T>
  Value(T boolean) : Value(Content(boolean)) {}
  template <std::integral T>
  requires(!std::same_as<T, bool>) Value(T integer)
      : Value(Content(static_cast<int64_t>(integer))) {}
  template <std::floating_point T>
  Value(T real) : Value(Content(static_cast<double>(real))) {}
  Value(const char* text);
  Value(std::string text);
  Value(torch::Tensor tensor);
  Value(Bytes bytes);
  Value(List list);
  Value(Tuple tuple);
  Value(Dict dict);
  explicit Value(Content content);

  // nullptr if the value is of another kind.
  template <class T>
  const T* get_if() const {
    return std::get_if<T>(content_.get());
  }
  // An Error (failure) that says which kind `name` is and which was expected, if it is another.
  template <class T>
  const T& get(std::string_view name) const {
    if (const T* found = get_if<T>()) return *found;
    throw_wrong_kind(name, Content(std::in_place_type<T>).index());
  }

  const Content& content() const { return *content_; }
  std::string kind() const;  // "a dict", "a tensor", for messages

 private:
  [[noreturn]] void throw_wrong_kind(std::string_view name, size_t expected) const;

  std::shared_ptr<const Content> content_;
};

}  // namespace lowbit::checkpoint
