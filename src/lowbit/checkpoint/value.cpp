#include "lowbit/checkpoint/value.h"

#include <array>

#include "lowbit/core/error.h"

namespace lowbit::checkpoint {
namespace {

// In the order of Value::Content.
constexpr auto kKinds = std::to_array<const char*>(
    {"None", "a bool", "an int", "a float", "a str", "bytes", "an int beyond 64 bits", "a tensor",
     "a list", "a tuple", "a dict", "an object of a class"});
static_assert(kKinds.size() == std::variant_size_v<Value::Content>);

bool same_key(const Value& a, const Value& b) {
  if (const auto* text = a.get_if<std::string>()) {
    const auto* other = b.get_if<std::string>();
    return other && *text == *other;
  }
  const auto *integer = a.get_if<int64_t>(), *other = b.get_if<int64_t>();
  return integer && other && *integer == *other;
}

}  // namespace

Dict::Dict(std::initializer_list<Entry> entries) : entries_(entries) {}
Dict::Dict(std::vector<Entry> entries) : entries_(std::move(entries)) {}

void Dict::set(Value key, Value value) {
  for (Entry& entry : entries_) {
    if (!same_key(entry.first, key)) continue;
    entry.second = std::move(value);
    return;
  }
  entries_.emplace_back(std::move(key), std::move(value));
}

const Value* Dict::find(std::string_view key) const {
  for (const auto& [name, value] : entries_) {
    const auto* text = name.get_if<std::string>();
    if (text && *text == key) return &value;
  }
  return nullptr;
}

const Value& Dict::at(std::string_view key) const {
  if (const Value* value = find(key)) return *value;
  throw core::failure("there is no entry '{}'", key);
}

size_t Dict::size() const {
  return entries_.size();
}
const Dict::Entry* Dict::begin() const {
  return entries_.data();
}
const Dict::Entry* Dict::end() const {
  return entries_.data() + entries_.size();
}

Value::Value(Content content) : content_(std::make_shared<const Content>(std::move(content))) {}
Value::Value() : Value(Content(None())) {}
Value::Value(const char* text) : Value(Content(std::string(text))) {}
Value::Value(std::string text) : Value(Content(std::move(text))) {}
Value::Value(torch::Tensor tensor) : Value(Content(std::move(tensor))) {}
Value::Value(Bytes bytes) : Value(Content(std::move(bytes))) {}
Value::Value(List list) : Value(Content(std::move(list))) {}
Value::Value(Tuple tuple) : Value(Content(std::move(tuple))) {}
Value::Value(Dict dict) : Value(Content(std::move(dict))) {}

std::string Value::kind() const {
  if (const auto* opaque = get_if<Opaque>()) return fmt::format("a {}", opaque->type);
  return kKinds[content_->index()];
}

void Value::throw_wrong_kind(std::string_view name, size_t expected) const {
  throw core::failure("'{}' is {} where {} should be", name, kind(), kKinds[expected]);
}

}  // namespace lowbit::checkpoint
