// Python's pickles as data. Reading never imports or calls what a pickle names: it yields a tree in
// which an object is its class, its arguments and its state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lowbit::core {

// Index of a node in its PickleTree.
using PickleRef = uint32_t;

enum class PickleKind {
  none,
  boolean,
  integer,
  long_integer,  // does not fit int64_t
  real,
  text,
  bytes,
  list,
  tuple,
  set,  // also frozenset
  dict,
  global,         // a class or function, named only
  persistent_id,  // a reference to something that the pickle leaves to its file
  object,
};

struct PickleNode {
  PickleKind kind = PickleKind::none;
  // object: what makes it, the arguments (a tuple) and the state (None if it has none).
  PickleRef maker = 0, arguments = 0, state = 0;
  int64_t integer = 0;  // boolean: 0 or 1
  double real = 0;
  // text (bytes_of_python_text() of what the pickle holds), bytes; long_integer: two's complement,
  // little endian; global: "module.name".
  std::string text = {};
  // list, tuple, set: the items. dict: key, value, key, value. persistent_id: one, the id.
  // object: what was appended to it or, if `pairs`, set in it: key, value, key, value.
  std::vector<PickleRef> items = {};
  bool pairs = false;

  bool is_text(std::string_view wanted) const { return kind == PickleKind::text && text == wanted; }
};

// The nodes that a pickle describes. Memo references are kept, so a node may be in several places,
// and, in a crafted file, within itself: who walks the tree must expect it.
struct PickleTree {
  std::vector<PickleNode> nodes;
  PickleRef root = 0;
  size_t end = 0;  // offset of the byte behind the pickle

  const PickleNode& operator[](PickleRef ref) const { return nodes[ref]; }
};

// Reads the pickle that starts at byte `begin` of `bytes` and ends with its STOP; more may follow.
// Protocols 2 to 5, without the extension registry and without buffers outside the pickle. What
// protocol 2 spells as a call but is plain data is read as data: collections.OrderedDict is a dict
// (attributes set on one are dropped), _codecs.encode(.., 'latin1') is bytes, set and frozenset are
// sets, a bytearray is bytes. Anything malformed or cut is an Error (failure) with the offset of
// the byte in `bytes`. Memory and time are linear in the length of the pickle.
PickleTree read_pickle(std::string_view bytes, size_t begin = 0);

// Writes one pickle of protocol 2, value by value in the order of the stream. Only what
// torch.load(weights_only=True) accepts.
class PickleWriter {
 public:
  PickleWriter();

  void none();
  void boolean(bool value);
  void integer(int64_t value);
  // Two's complement, little endian, at most 255 bytes.
  void long_integer(std::string_view twos_complement);
  void real(double value);
  void text(std::string_view bytes);  // python_text() of them
  void bytes(std::string_view data);

  // The values written between begin and end are the items; of a dict: key, value, key, value.
  void begin_tuple();
  void end_tuple();
  void begin_list();
  void end_list();
  void begin_dict();
  void end_dict();

  void global(std::string_view module, std::string_view name);
  void call();           // replaces a global and the tuple of its arguments by the result
  void persistent_id();  // replaces the value before by what it identifies

  // Names the value before, for recall() to stand for it again.
  uint32_t remember();
  void recall(uint32_t name);

  // The pickle; the writer is done.
  std::string finish() &&;

 private:
  void op(int code);
  void little_endian(uint64_t value, int bytes);

  std::string out_;
  uint32_t remembered_ = 0;
};

}  // namespace lowbit::core
