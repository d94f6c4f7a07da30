#include "lowbit/core/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/core/pickled_module.h"
#include "support/random_values.h"

namespace lowbit::core {
namespace {

using testing::HasSubstr;
using namespace std::string_literals;
using namespace std::string_view_literals;

std::string fixture(int protocol) {
  return read_file(
      fmt::format("{}/tests/core/fixtures/values.protocol{}.pkl", LOWBIT_SOURCE_DIR, protocol));
}

std::string describe(const PickleTree& tree, PickleRef ref);

std::string describe_items(const PickleTree& tree, const PickleNode& node) {
  const bool dict = node.kind == PickleKind::dict;
  std::string text;
  for (size_t i = 0; i < node.items.size(); ++i)
    text += (i == 0 ? "" : dict && i % 2 == 1 ? ": " : ", ") + describe(tree, node.items[i]);
  return text;
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<uint8_t>(c));
  return text;
}

// The tree in a spelling close to Python's repr().
std::string describe(const PickleTree& tree, PickleRef ref) {
  const PickleNode& node = tree[ref];
  switch (node.kind) {
    case PickleKind::none:
      return "None";
    case PickleKind::boolean:
      return node.integer ? "True" : "False";
    case PickleKind::integer:
      return std::to_string(node.integer);
    case PickleKind::long_integer:
      return "long " + hex(node.text);
    case PickleKind::real:
      return fmt::format("{}", node.real);
    case PickleKind::text:
      return node.text;
    case PickleKind::bytes:
      return "bytes " + hex(node.text);
    case PickleKind::list:
      return "[" + describe_items(tree, node) + "]";
    case PickleKind::tuple:
      return "(" + describe_items(tree, node) + ")";
    case PickleKind::set:
      return "set {" + describe_items(tree, node) + "}";
    case PickleKind::dict:
      return "{" + describe_items(tree, node) + "}";
    case PickleKind::global:
      return "<" + node.text + ">";
    case PickleKind::persistent_id:
      return "id " + describe_items(tree, node);
    case PickleKind::object:
      return describe(tree, node.maker) + describe(tree, node.arguments) + " with " +
             describe(tree, node.state) + " and [" + describe_items(tree, node) + "]";
  }
  return "";
}

std::string read(std::string_view bytes) {
  const PickleTree tree = read_pickle(bytes);
  return describe(tree, tree.root);
}

// A pickle of protocol 2 around some opcodes.
std::string around(std::string_view opcodes) {
  return "\x80\x02" + std::string(opcodes) + ".";
}

std::string pickle_error_of(std::string_view bytes) {
  try {
    return "no error, but " + read(bytes);
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Pickle, EveryProtocolFrom2To5IsReadAlike) {
  for (int protocol = 2; protocol <= 5; ++protocol) {
    EXPECT_EQ(read(fixture(protocol)),
              "{none: None, yes: True, no: False, ints: [0, 255, 256, 65535, 65536, -1, "
              "-2147483648, 2147483648, -9223372036854775808, 9223372036854775807], longs: [long "
              "000000000000008000, long 0000000000000000c0], real: 1.5, text: na\u00efve \u2603 "
              "\U0001f40d, bytes: bytes 0080ff, no bytes: bytes , tuples: [(), (1), (1, 2), (1, 2, "
              "3), (1, 2, 3, 4)], set: set {7}, frozen: set {8}, ordered: {b: 1, a: 2}, shared: "
              "[[x], [x]], options: <argparse.Namespace>() with {lr: 0.5} and [], 3: three}")
        << "protocol " << protocol;
  }
}

TEST(Pickle, AnObjectInTwoPlacesIsOneNode) {
  const PickleTree tree = read_pickle(around(std::string_view("](K\1\x85q\0h\0e", 10)));
  const std::vector<PickleRef>& items = tree[tree.root].items;
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[0], items[1]);
}

TEST(Pickle, WhatAPickleNamesIsNeitherImportedNorCalled) {
  EXPECT_EQ(read(around("cos\nsystem\nU\4true\x85R")), "<os.system>(true) with None and []");
}

TEST(Pickle, ItemsAppendedToAnObjectStayWithIt) {
  EXPECT_EQ(read(around("ccollections\ndeque\n)R(K\1K\2e")),
            "<collections.deque>() with None and [1, 2]");
}

TEST(Pickle, EntriesSetInAnObjectArePairs) {
  const PickleTree tree = read_pickle(around("c__main__\nMyDict\n)R(K\1K\2u"));
  EXPECT_TRUE(tree[tree.root].pairs);
  EXPECT_EQ(tree[tree.root].items.size(), 2u);
  EXPECT_THAT(pickle_error_of(around("c__main__\nMyDict\n)R(K\1K\2uK\3a")),
              HasSubstr("both items and entries"));
}

// A module, "m", with a parameter "w" and the children written after it.
std::string module_with(std::string_view children) {
  return "cm\nM\n)R}(X\x0b\0\0\0_parameters}X\1\0\0\0wNsX\x08\0\0\0_modules}("s +
         std::string(children) + "uub"s;
}

TEST(PickledModule, AModuleWithinItselfIsAnError) {
  const std::string self =
      "cm\nM\n)Rq\0}(X\x0b\0\0\0_parameters}X\x08\0\0\0_modules}X\1\0\0\0ah\0sub"s;
  const PickleTree tree = read_pickle(around(self));
  ModuleReader modules(tree);
  ASSERT_TRUE(modules.is_module(tree[tree.root]));
  EXPECT_THROW(modules.state_of(tree[tree.root]), Error);
}

// Each level has the one below twice: 2^30 entries.
TEST(PickledModule, AModuleInVeryManyPlacesIsAnError) {
  std::string nested = module_with("");
  for (int level = 0; level < 30; ++level)
    nested = module_with("X\1\0\0\0a"s + nested + "r\0\0\0"s + static_cast<char>(level) +
                         "X\1\0\0\0bj\0\0\0"s + static_cast<char>(level));
  const PickleTree tree = read_pickle(around(nested));
  ModuleReader modules(tree);
  EXPECT_THROW(modules.state_of(tree[tree.root]), Error);
}

TEST(Pickle, AByteArrayIsBytes) {
  EXPECT_EQ(read(around("c__builtin__\nbytearray\nX\1\0\0\0aX\7\0\0\0latin-1\x86R"sv)), "bytes 61");
  EXPECT_EQ(read(around("cbuiltins\nbytearray\nC\1\xff\x85R"sv)), "bytes ff");
  EXPECT_EQ(read(around("cbuiltins\nbytearray\n)R"sv)), "bytes ");
}

TEST(Pickle, AnyValuesAreReadAsTheyWereWritten) {
  test_support::RandomValues random(3);
  for (int i = 0; i < 5000; ++i) {
    const std::string key = random.text(), value = random.text(), data = random.text();
    const int64_t integer = random.integer();
    const double real = random.real();
    PickleWriter writer;
    writer.begin_dict();
    writer.text(key);
    writer.text(value);
    writer.integer(integer);
    writer.real(real);
    writer.bytes(data);
    writer.none();
    writer.end_dict();
    const PickleTree tree = read_pickle(std::move(writer).finish());
    const std::vector<PickleRef>& items = tree[tree.root].items;
    ASSERT_EQ(items.size(), 6u);
    EXPECT_TRUE(tree[items[0]].is_text(key));
    EXPECT_TRUE(tree[items[1]].is_text(value));
    EXPECT_EQ(tree[items[2]].integer, integer);
    EXPECT_TRUE(test_support::same_number(tree[items[3]].real, real));
    EXPECT_EQ(tree[items[4]].kind, PickleKind::bytes);
    EXPECT_EQ(tree[items[4]].text, data);
  }
}

TEST(Pickle, AListMayContainItself) {
  const PickleTree tree = read_pickle(around(std::string_view("]q\0h\0a", 6)));
  EXPECT_EQ(tree[tree.root].items, std::vector<PickleRef>{tree.root});
}

TEST(Pickle, PicklesInARowAreReadOneByOne) {
  const std::string two = around("K\1") + around("K\2");
  const PickleTree first = read_pickle(two);
  const PickleTree second = read_pickle(two, first.end);
  EXPECT_EQ(first[first.root].integer, 1);
  EXPECT_EQ(second[second.root].integer, 2);
  EXPECT_EQ(second.end, two.size());
}

TEST(Pickle, PersistentIdsKeepWhatTheyName) {
  EXPECT_EQ(read(around("K\7\x85Q")), "id (7)");
}

TEST(Pickle, TextOfPython2IsTextIfItIsUtf8) {
  EXPECT_EQ(read(around("U\3abc")), "abc");
  EXPECT_EQ(read(around("U\2a\xff")), "bytes 61ff");
}

TEST(Pickle, ARedundantSignByteDoesNotMakeAnIntegerLong) {
  EXPECT_EQ(read(around(std::string_view("\x8a\x09\xff\0\0\0\0\0\0\0\0", 11))), "255");
  EXPECT_EQ(read(around("\x8a\x09\xfe\xff\xff\xff\xff\xff\xff\xff\xff")), "-2");
}

TEST(Pickle, ErrorsSayWhatIsWrongAtWhichByte) {
  const std::string_view huge_text("X\xff\xff\xff\x7f", 5), endless_long("\x8b\xff\xff\xff\xff", 5);
  EXPECT_EQ(pickle_error_of(around(huge_text)), "damaged pickle, byte 2: it ends early");
  EXPECT_EQ(pickle_error_of(around(endless_long)), "damaged pickle, byte 2: it ends early");
  EXPECT_EQ(pickle_error_of(around("Na")), "damaged pickle, byte 3: a value is missing");
  EXPECT_EQ(pickle_error_of(around("NNa")),
            "damaged pickle, byte 4: items for what cannot hold them");
  EXPECT_EQ(pickle_error_of(around("Nt")), "damaged pickle, byte 3: a mark is missing");
  EXPECT_EQ(pickle_error_of(around("(N.")), "damaged pickle, byte 4: values left over at its end");
  EXPECT_EQ(pickle_error_of(around("}(Nu")), "damaged pickle, byte 5: a key without value");
  EXPECT_EQ(pickle_error_of(around("h\7")), "damaged pickle, byte 2: no value was stored under 7");
  EXPECT_EQ(pickle_error_of(around("X\1\1\1\1")), "damaged pickle, byte 2: it ends early");
  EXPECT_EQ(pickle_error_of(around("\x8c\1\xff")),
            "damaged pickle, byte 2: a text that is not UTF-8");
  EXPECT_EQ(pickle_error_of(around("cmodule")), "damaged pickle, byte 2: a line without end");
  EXPECT_EQ(pickle_error_of(around("I12x\n")), "damaged pickle, byte 2: no decimal number");
  EXPECT_EQ(pickle_error_of(around("NNR")), "damaged pickle, byte 4: arguments that are no tuple");
  EXPECT_EQ(pickle_error_of(around("NNb")), "damaged pickle, byte 4: a state for what has none");
  EXPECT_THAT(pickle_error_of(around("\xff")), HasSubstr("unsupported opcode 0xff"));
  EXPECT_THAT(pickle_error_of("\x80\x06N."), HasSubstr("byte 0: pickle protocol 6"));
  EXPECT_THAT(pickle_error_of("N."), HasSubstr("byte 0: no pickle of protocol 2"));
}

TEST(Pickle, EveryCutIsAnError) {
  for (int protocol = 2; protocol <= 5; ++protocol) {
    const std::string whole = fixture(protocol);
    for (size_t length = 0; length < whole.size(); ++length)
      EXPECT_THROW(read_pickle(std::string_view(whole).substr(0, length)), Error) << length;
  }
}

TEST(Pickle, EveryChangedByteGivesATreeOrAnError) {
  int trees = 0, errors = 0;
  for (int protocol = 2; protocol <= 5; ++protocol) {
    std::string bytes = fixture(protocol);
    for (char& byte : bytes) {
      const char before = byte;
      for (const int flip : {0x01, 0x02, 0x08, 0x20, 0x80, 0xff}) {
        byte = static_cast<char>(before ^ flip);
        try {
          const PickleTree tree = read_pickle(bytes);
          for (const PickleNode& node : tree.nodes)
            for (const PickleRef item : node.items) ASSERT_LT(item, tree.nodes.size());
          ++trees;
        } catch (const Error&) {
          ++errors;
        }
      }
      byte = before;
    }
  }
  EXPECT_GT(trees, 0);
  EXPECT_GT(errors, 0);
}

TEST(Pickle, NestingDoesNotUseUpTheStack) {
  constexpr size_t depth = 1'000'000;
  const PickleTree tree =
      read_pickle(around(std::string(depth, ']') + std::string(depth - 1, 'a')));
  EXPECT_EQ(tree[tree.root].items.size(), 1u);
}

TEST(PickleWriter, WhatIsWrittenIsReadBack) {
  PickleWriter writer;
  writer.begin_list();
  writer.none();
  writer.boolean(true);
  for (const int64_t integer : {int64_t{0}, int64_t{255}, int64_t{256}, int64_t{-1},
                                int64_t{1} << 31, std::numeric_limits<int64_t>::min()})
    writer.integer(integer);
  writer.long_integer(std::string_view("\0\0\0\0\0\0\0\0\1", 9));
  writer.real(-0.1);
  writer.text("\u2603");
  writer.bytes(std::string_view("\0\x7f\x80\xff", 4));
  const uint32_t name = writer.remember();
  writer.recall(name);
  writer.begin_dict();
  writer.text("key");
  writer.begin_tuple();
  writer.end_tuple();
  writer.end_dict();
  writer.global("module", "make");
  writer.begin_tuple();
  writer.integer(1);
  writer.end_tuple();
  writer.call();
  writer.integer(9);
  writer.persistent_id();
  writer.end_list();
  EXPECT_EQ(read(std::move(writer).finish()),
            "[None, True, 0, 255, 256, -1, 2147483648, -9223372036854775808, long "
            "000000000000000001, -0.1, \u2603, bytes 007f80ff, bytes 007f80ff, {key: ()}, "
            "<module.make>(1) with None and [], id 9]");
}

TEST(PickleWriter, AnIntegerTooLongForItsOpcodeIsAnError) {
  EXPECT_THROW(PickleWriter().long_integer(std::string(256, '\1')), Error);
}

}  // namespace
}  // namespace lowbit::core
