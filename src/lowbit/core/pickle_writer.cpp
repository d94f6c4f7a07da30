#include <bit>
#include <limits>

#include "lowbit/core/error.h"
#include "lowbit/core/pickle.h"
#include "lowbit/core/pickle_opcodes.h"
#include "lowbit/core/unicode.h"

namespace lowbit::core {
namespace {

std::string utf8_of_latin1(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto code = static_cast<uint8_t>(c);
    if (code < 0x80) {
      text += c;
    } else {
      text += static_cast<char>(0xc0 | code >> 6);
      text += static_cast<char>(0x80 | (code & 0x3f));
    }
  }
  return text;
}

}  // namespace

PickleWriter::PickleWriter() {
  op(kProto);
  op(2);
}

void PickleWriter::op(int code) {
  out_ += static_cast<char>(code);
}

void PickleWriter::little_endian(uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out_ += static_cast<char>(value >> 8 * i & 0xff);
}

void PickleWriter::none() {
  op(kNone);
}

void PickleWriter::boolean(bool value) {
  op(value ? kNewTrue : kNewFalse);
}

void PickleWriter::integer(int64_t value) {
  const auto bits = static_cast<uint64_t>(value);
  if (value >= 0 && value <= std::numeric_limits<uint8_t>::max()) {
    op(kBinInt1);
    little_endian(bits, 1);
  } else if (value >= std::numeric_limits<int32_t>::min() &&
             value <= std::numeric_limits<int32_t>::max()) {
    op(kBinInt);
    little_endian(bits, 4);
  } else {
    op(kLong1);
    op(8);
    little_endian(bits, 8);
  }
}

void PickleWriter::long_integer(std::string_view twos_complement) {
  if (twos_complement.size() > std::numeric_limits<uint8_t>::max())
    throw failure("an integer of {} bytes cannot be written", twos_complement.size());
  op(kLong1);
  little_endian(twos_complement.size(), 1);
  out_ += twos_complement;
}

void PickleWriter::real(double value) {
  const auto bits = std::bit_cast<uint64_t>(value);
  op(kBinFloat);
  for (int shift = 56; shift >= 0; shift -= 8) out_ += static_cast<char>(bits >> shift & 0xff);
}

void PickleWriter::text(std::string_view bytes) {
  const std::string utf8 = python_text(bytes);
  if (utf8.size() > std::numeric_limits<uint32_t>::max())
    throw failure("a text of {} bytes cannot be written", utf8.size());
  op(kBinUnicode);
  little_endian(utf8.size(), 4);
  out_ += utf8;
}

void PickleWriter::bytes(std::string_view data) {
  global("_codecs", "encode");
  begin_tuple();
  text(utf8_of_latin1(data));
  text("latin1");
  end_tuple();
  call();
}

void PickleWriter::begin_tuple() {
  op(kMark);
}
void PickleWriter::end_tuple() {
  op(kTuple);
}

void PickleWriter::begin_list() {
  op(kEmptyList);
  op(kMark);
}
void PickleWriter::end_list() {
  op(kAppends);
}

void PickleWriter::begin_dict() {
  op(kEmptyDict);
  op(kMark);
}
void PickleWriter::end_dict() {
  op(kSetItems);
}

void PickleWriter::global(std::string_view module, std::string_view name) {
  op(kGlobal);
  out_ += fmt::format("{}\n{}\n", module, name);
}

void PickleWriter::call() {
  op(kReduce);
}

void PickleWriter::persistent_id() {
  op(kBinPersistentId);
}

uint32_t PickleWriter::remember() {
  op(kLongBinPut);
  little_endian(remembered_, 4);
  return remembered_++;
}

void PickleWriter::recall(uint32_t name) {
  op(kLongBinGet);
  little_endian(name, 4);
}

std::string PickleWriter::finish() && {
  op(kStop);
  return std::move(out_);
}

}  // namespace lowbit::core
