#include "lowbit/checkpoint/checkpoint_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "lowbit/core/error.h"
#include "lowbit/core/files.h"
#include "lowbit/core/pickle.h"
#include "lowbit/core/zip.h"
#include "support/random_values.h"

namespace lowbit::checkpoint {
namespace fs = std::filesystem;
namespace {

using core::Error;
using testing::HasSubstr;
using torch::Tensor;

// torch_load_test.py puts files there that its PyTorch has just written.
fs::path fixture(const std::string& name) {
  const char* folder = std::getenv("LOWBIT_CHECKPOINT_FIXTURES");
  return (folder ? fs::path(folder) : fs::path(LOWBIT_SOURCE_DIR) / "tests/checkpoint/fixtures") /
         name;
}

void put(const fs::path& path, std::string_view content) {
  std::ofstream(path, std::ios::binary) << content;
}

// In place: to write the whole file again each time would take most of the test.
void put_byte(const fs::path& path, size_t offset, int byte) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(offset)).put(static_cast<char>(byte));
}

class CheckpointFile : public testing::Test {
 protected:
  CheckpointFile() { fs::create_directories(folder_); }
  ~CheckpointFile() override { fs::remove_all(folder_); }

  Value read(std::string_view content) const {
    put(file_, content);
    return read_checkpoint(file_);
  }
  std::string error_of_file() const {
    try {
      read_checkpoint(file_);
      return "no error";
    } catch (const Error& error) {
      return error.what();
    }
  }
  std::string error_of(std::string_view content) const {
    put(file_, content);
    return error_of_file();
  }

  fs::path folder_ = fs::path(testing::TempDir()) / ("checkpoint." + std::to_string(::getpid()));
  fs::path file_ = folder_ / "file.pth";
};

// --- what PyTorch wrote ---

class FromPyTorch : public testing::TestWithParam<std::string> {
 protected:
  Value file_ = read_checkpoint(fixture("everything." + GetParam() + ".pt"));
  const Dict& root_ = file_.get<Dict>("file");
  const Dict& tensors_ = root_.at("state_dict").get<Dict>("state_dict");

  Tensor tensor(const std::string& name) const {
    return tensors_.at("module." + name).get<Tensor>(name);
  }
  void expect(const std::string& name, const Tensor& wanted) const {
    const Tensor found = tensor(name);
    EXPECT_EQ(found.scalar_type(), wanted.scalar_type()) << name;
    EXPECT_TRUE(found.equal(wanted)) << name << ": " << found;
  }
};

TEST_P(FromPyTorch, PlainValuesAreRead) {
  EXPECT_TRUE(root_.at("none").get_if<None>());
  EXPECT_EQ(root_.at("flag").get<bool>("flag"), true);
  EXPECT_EQ(root_.at("epoch").get<int64_t>("epoch"), 7);
  EXPECT_EQ(root_.at("long").get<LongInteger>("long").twos_complement,
            std::string("\0\0\0\0\0\0\0\0\x40", 9));
  EXPECT_EQ(root_.at("best_acc").get<double>("best_acc"), 68.83);
  EXPECT_EQ(root_.at("numpy").get<double>("numpy"), 68.83);
  EXPECT_EQ(root_.at("arch").get<std::string>("arch"), "resnet20 \u2603");
  EXPECT_EQ(root_.at("bytes").get<Bytes>("bytes").data, std::string("\0\x80\xff", 3));
  const List& list = root_.at("list").get<List>("list");
  EXPECT_EQ(list[0].get<int64_t>("[0]"), 1);
  EXPECT_EQ(list[1].get<List>("[1]")[1].get<std::string>("[1][1]"), "x");
  EXPECT_EQ(root_.at("tuple").get<Tuple>("tuple").items[1].get<Tuple>("[1]").items.size(), 1u);
  EXPECT_EQ(root_.at("shape").get<Tuple>("shape").items[1].get<int64_t>("[1]"), 4);
}

TEST_P(FromPyTorch, ObjectsOfClassesAreOpaque) {
  EXPECT_EQ(root_.at("options").get<Opaque>("options").type, "argparse.Namespace");
  EXPECT_EQ(root_.at("dtype").get<Opaque>("dtype").type, "torch.float32");
}

TEST_P(FromPyTorch, TheStateOfAnOptimizerIsRead) {
  const Dict& optimizer = root_.at("optimizer").get<Dict>("optimizer");
  const auto& [number, state] = *optimizer.at("state").get<Dict>("state").begin();
  EXPECT_EQ(number.get<int64_t>("number"), 0);
  EXPECT_TRUE(state.get<Dict>("state")
                  .at("momentum_buffer")
                  .get<Tensor>("momentum")
                  .equal(torch::tensor({0.5f, 0.25f})));
  const Value& group = optimizer.at("param_groups").get<List>("groups")[0];
  EXPECT_EQ(group.get<Dict>("group").at("lr").get<double>("lr"), 0.1);
}

TEST_P(FromPyTorch, TensorsOfEveryTypeAreRead) {
  expect("scalar", torch::tensor(3.5f));
  expect("double", torch::tensor({1e-300, 2.0}, torch::kFloat64));
  expect("half", torch::tensor({0.5f, -65504.0f}).to(torch::kFloat16));
  expect("bfloat16", torch::tensor({0.5f, 3e38f}).to(torch::kBFloat16));
  expect("int64", torch::tensor({-(int64_t{1} << 62), int64_t{3}}));
  expect("int32", torch::tensor({std::numeric_limits<int32_t>::min(), 3}, torch::kInt32));
  expect("int16", torch::tensor({-32768, 3}, torch::kInt16));
  expect("int8", torch::tensor({-128, 3}, torch::kInt8));
  expect("uint8", torch::tensor({255, 3}, torch::kUInt8));
  expect("bool", torch::tensor({true, false}));
  expect("empty", torch::empty({0, 3}));
  expect("expanded", torch::full({2, 3}, 4.0f));
}

TEST_P(FromPyTorch, ViewsShareTheirStorage) {
  const Tensor base = torch::arange(12, torch::kFloat32);
  expect("base", base);
  expect("row", base.view({3, 4})[1]);
  expect("transposed", base.view({3, 4}).t());
  expect("step", base.slice(0, 1, 12, 3));
  for (const char* view : {"row", "transposed", "step"})
    EXPECT_TRUE(tensor(view).is_alias_of(tensor("base"))) << view;
}

TEST_P(FromPyTorch, ParametersKnowThatTheyAreTrained) {
  EXPECT_TRUE(tensor("parameter").requires_grad());
  EXPECT_FALSE(tensor("base").requires_grad());
}

TEST_P(FromPyTorch, WhatWasReadIsWrittenAndReadAlike) {
  const fs::path copy = fs::path(testing::TempDir()) / fmt::format("copy.{}.pth", ::getpid());
  write_checkpoint(copy, root_.at("state_dict"));
  const Value again = read_checkpoint(copy);
  fs::remove(copy);
  for (const auto& [name, value] : tensors_) {
    const auto& text = name.get<std::string>("name");
    EXPECT_TRUE(again.get<Dict>("copy").at(text).get<Tensor>(text).equal(value.get<Tensor>(text)))
        << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, FromPyTorch, testing::Values("zip", "legacy"),
                         [](const auto& format) { return format.param; });

TEST_F(CheckpointFile, AWholePickledModuleIsItsStateByName) {
  const Value file = read_checkpoint(fixture("module.zip.pt"));
  const Dict& state = file.get<Dict>("file");
  ASSERT_EQ(state.size(), 2u);
  EXPECT_THAT(state.at("weight").get<Tensor>("weight").sizes(), testing::ElementsAre(1, 1));
  EXPECT_THAT(state.at("bias").get<Tensor>("bias").sizes(), testing::ElementsAre(1));
}

TEST_F(CheckpointFile, CompressedEntriesOfAnArchiveAreRead) {
  const Value file = read_checkpoint(fixture("small.deflated.pt"));
  EXPECT_TRUE(file.get<Dict>("file").at("a").get<Tensor>("a").equal(torch::tensor({1.0f, 2.0f})));
}

// What torch.load(weights_only=True) reads beyond plain data and usual tensors, and what it does
// not.
class KindsFromPyTorch : public testing::TestWithParam<std::string> {
 protected:
  Value file_ = read_checkpoint(fixture("kinds." + GetParam() + ".pt"));
  const Dict& root_ = file_.get<Dict>("file");

  template <class T>
  const T& at(const char* name) const {
    return root_.at(name).get<T>(name);
  }
};

TEST_P(KindsFromPyTorch, ScalarsOfNumpyAreNumbers) {
  EXPECT_EQ(at<double>("float"), 1.5);
  EXPECT_EQ(at<double>("float32"), 0.5);
  EXPECT_EQ(at<int64_t>("int"), -3);
  EXPECT_EQ(at<bool>("flag"), true);
}

TEST_P(KindsFromPyTorch, EveryKindOfDictIsADict) {
  EXPECT_EQ(at<Dict>("default").at("a").get<int64_t>("a"), 1);
  EXPECT_EQ(at<Dict>("ordered").at("b").get<int64_t>("b"), 2);
  EXPECT_EQ(at<Dict>("counts").at("c").get<int64_t>("c"), 3);
}

TEST_P(KindsFromPyTorch, BytesAndTextsThatAreNotUtf8AreRead) {
  EXPECT_EQ(at<Bytes>("bytes").data, std::string("\0\xff", 2));
  EXPECT_EQ(at<std::string>("surrogate"), "abeille_\xe9");
}

TEST_P(KindsFromPyTorch, TensorsWithAttributesAndOfNewTypesAreRead) {
  EXPECT_TRUE(at<Tensor>("attributed").equal(torch::tensor({1.0f, 2.0f})));
  EXPECT_EQ(at<Tensor>("float8").scalar_type(), torch::kFloat8_e4m3fn);
  EXPECT_TRUE(at<Tensor>("float8").to(torch::kFloat32).equal(torch::tensor({0.5f, -2.0f})));
  EXPECT_TRUE(at<Tensor>("float8 row").to(torch::kFloat32).equal(torch::tensor({1.0f, 4.0f})));
  EXPECT_TRUE(
      at<Tensor>("uint16").to(torch::kInt32).equal(torch::tensor({1, 65535}, torch::kInt32)));
}

TEST_P(KindsFromPyTorch, WhatIsNotReadIsCalledByItsName) {
  EXPECT_EQ(root_.at("array").kind(), "a numpy.ndarray");
  EXPECT_EQ(root_.at("sparse").kind(), "a sparse tensor");
  EXPECT_EQ(root_.at("quantized").kind(), "a quantized tensor");
  EXPECT_EQ(root_.at("complex").kind(), "a complex tensor");
  EXPECT_EQ(root_.at("meta").kind(), "a tensor without data (device meta)");
}

TEST_P(KindsFromPyTorch, AModuleHasTheEntriesOfItsStateDict) {
  const Dict& module = at<Dict>("module");
  ASSERT_EQ(module.size(), 3u);
  EXPECT_EQ(module.at("scale").get<Tensor>("scale").item<float>(), 2);
  EXPECT_EQ(module.at("mean").get<Tensor>("mean").item<float>(), 3);
  EXPECT_TRUE(module.at("child.weight").get<Tensor>("child").equal(torch::tensor({{5.0f, 6.0f}})));
}

TEST_P(KindsFromPyTorch, NewTypesAreWrittenAndReadAlike) {
  const fs::path copy = fs::path(testing::TempDir()) / fmt::format("kinds.{}.pth", ::getpid());
  write_checkpoint(copy,
                   Dict{{"float8", at<Tensor>("float8 row")}, {"uint16", at<Tensor>("uint16")}});
  const Value again = read_checkpoint(copy);
  fs::remove(copy);
  const Dict& root = again.get<Dict>("file");
  EXPECT_EQ(root.at("float8").get<Tensor>("float8").scalar_type(), torch::kFloat8_e5m2);
  EXPECT_TRUE(root.at("float8")
                  .get<Tensor>("float8")
                  .to(torch::kFloat32)
                  .equal(torch::tensor({1.0f, 4.0f})));
  EXPECT_EQ(root.at("uint16").get<Tensor>("uint16").scalar_type(), torch::kUInt16);
}

INSTANTIATE_TEST_SUITE_P(Formats, KindsFromPyTorch, testing::Values("zip", "legacy"),
                         [](const auto& format) { return format.param; });

// --- what we write; torch_load_test.py reads the file of this test ---

TEST_F(CheckpointFile, EveryKindOfValueIsWrittenAndReadBack) {
  const Tensor shared = torch::tensor({1.5f, -2.0f});
  const Value twice = List{1, "x"};
  const Dict root = {
      {"none", Value()},
      {"flag", true},
      {"small", 7},
      {"negative", -1},
      {"large", int64_t{1} << 40},
      {"long", Value(Value::Content(LongInteger{std::string("\0\0\0\0\0\0\0\0\x40", 9)}))},
      {"real", 0.1},
      {"text", "na\u00efve \u2603"},
      {"not utf8", "abeille_\xe9"},
      {"bytes", Bytes{std::string("\0\x80\xff", 3)}},
      {"no bytes", Bytes{}},
      {"list", twice},
      {"same list", twice},
      {"empty list", List{}},
      {"tuple", Tuple{{1, 2.5}}},
      {"dict", Dict{{1, "one"}, {"two", 2}}},
      {"float32", shared},
      {"again", shared},
      {"transposed", torch::arange(6, torch::kFloat32).view({2, 3}).t()},
      {"scalar", torch::tensor(3.5)},
      {"empty", torch::empty({0, 3})},
      {"half", torch::tensor({0.5f}).to(torch::kFloat16)},
      {"bfloat16", torch::tensor({0.5f}).to(torch::kBFloat16)},
      {"int64", torch::tensor({int64_t{1} << 62})},
      {"int32", torch::tensor({-7}, torch::kInt32)},
      {"int16", torch::tensor({-7}, torch::kInt16)},
      {"int8", torch::tensor({-7}, torch::kInt8)},
      {"uint8", torch::tensor({255}, torch::kUInt8)},
      {"bool", torch::tensor({true, false})},
      {"float8", torch::tensor({0.5f, -2.0f}).to(torch::kFloat8_e4m3fn)},
      {"uint16", torch::tensor({1, 65535}, torch::kInt32).to(torch::kUInt16)},
  };
  const char* folder = std::getenv("LOWBIT_CHECKPOINT_OUTPUT");
  const fs::path path = (folder ? fs::path(folder) : folder_) / "written.pth";
  write_checkpoint(path, root);

  const Value file = read_checkpoint(path);
  const Dict& read = file.get<Dict>("file");
  ASSERT_EQ(read.size(), root.size());
  EXPECT_EQ(read.at("large").get<int64_t>("large"), int64_t{1} << 40);
  EXPECT_EQ(read.at("real").get<double>("real"), 0.1);
  EXPECT_EQ(read.at("bytes").get<Bytes>("bytes").data, std::string("\0\x80\xff", 3));
  EXPECT_EQ(&read.at("list").content(), &read.at("same list").content());
  EXPECT_TRUE(
      read.at("again").get<Tensor>("again").is_alias_of(read.at("float32").get<Tensor>("float32")));
  for (const auto& [key, value] : root) {
    const auto& name = key.get<std::string>("key");
    EXPECT_EQ(read.at(name).kind(), value.kind()) << name;
    if (const auto* tensor = value.get_if<Tensor>()) {
      const auto& found = read.at(name).get<Tensor>(name);
      EXPECT_EQ(found.scalar_type(), tensor->scalar_type()) << name;
      EXPECT_TRUE(found.to(torch::kFloat64).equal(tensor->to(torch::kFloat64))) << name;
      EXPECT_TRUE(found.is_contiguous()) << name;
    }
  }
}

TEST_F(CheckpointFile, AnyValuesAreReadAsTheyWereWritten) {
  test_support::RandomValues random(4);
  for (int i = 0; i < 200; ++i) {
    const std::string text = random.text(), data = random.text();
    const double real = random.real();
    const Dict root = {{random.text() + "1", text},
                       {random.text() + "2", Bytes{data}},
                       {random.text() + "3", real},
                       {random.text() + "4", random.integer()},
                       {random.text() + "5", List{text, real}},
                       {random.text() + "6", torch::full({2}, real, torch::kFloat64)}};
    write_checkpoint(file_, root);
    const Value file = read_checkpoint(file_);
    const Dict& again = file.get<Dict>("file");
    ASSERT_EQ(again.size(), root.size());
    for (size_t k = 0; k < root.size(); ++k)
      EXPECT_EQ(again.begin()[k].first.get<std::string>("key"),
                root.begin()[k].first.get<std::string>("key"));
    const auto read = [&](size_t k) { return again.begin()[k].second; };
    EXPECT_EQ(read(0).get<std::string>("text"), text);
    EXPECT_EQ(read(1).get<Bytes>("bytes").data, data);
    EXPECT_TRUE(test_support::same_number(read(2).get<double>("real"), real));
    EXPECT_EQ(read(3).get<int64_t>("integer"), root.begin()[3].second.get<int64_t>("integer"));
    EXPECT_EQ(read(4).get<List>("list")[0].get<std::string>("item"), text);
    EXPECT_TRUE(test_support::same_number(read(5).get<Tensor>("tensor")[1].item<double>(), real));
  }
}

TEST_F(CheckpointFile, AnOpaqueValueIsNamedWithItsPlaceAndTheOldFileStays) {
  write_checkpoint(file_, Dict{{"epoch", 1}});
  const Value options(Value::Content(Opaque{"argparse.Namespace"}));
  try {
    write_checkpoint(file_, Dict{{"run", List{0, Dict{{"options", options}}}}});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("the checkpoint.run[1].options"));
    EXPECT_THAT(error.what(), HasSubstr("argparse.Namespace"));
  }
  EXPECT_EQ(read_checkpoint(file_).get<Dict>("file").at("epoch").get<int64_t>("epoch"), 1);
}

TEST_F(CheckpointFile, AFolderThatIsNotThereIsNamed) {
  try {
    write_checkpoint(folder_ / "none" / "x.pth", Dict{});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("none"));
  }
}

// --- bad files ---

TEST_F(CheckpointFile, AMissingFileIsNamed) {
  try {
    read_checkpoint(folder_ / "missing.pth");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("missing.pth"));
  }
}

TEST_F(CheckpointFile, AFileOfAnotherKindIsAnErrorThatNamesIt) {
  for (const std::string content : {"", "text", "\x80\x02N.", "\x80\x02K\1."}) {
    EXPECT_THAT(error_of(content), HasSubstr("file.pth: no checkpoint"));
  }
  EXPECT_THAT(error_of("\x1f\x8b\x08"), HasSubstr("it is compressed by gzip"));
  EXPECT_THAT(error_of("\x80\x04K\1."), HasSubstr("it is a pickle, but not of torch.save"));
}

TEST_F(CheckpointFile, AnArchiveOfSomethingElseIsCalledByItsName) {
  const auto error_of_archive = [&](const std::vector<std::string>& names) {
    core::StoredZipWriter archive;
    for (const std::string& name : names) archive.add(name, "x");
    return error_of(std::move(archive).finish());
  };
  EXPECT_THAT(error_of_archive({"conv1.weight.npy"}), HasSubstr("numpy's archive of arrays"));
  EXPECT_THAT(error_of_archive({"net/data.pkl", "net/constants.pkl"}), HasSubstr("TorchScript"));
  EXPECT_THAT(error_of_archive({"best.pth"}), HasSubstr("a zip archive around one"));
  EXPECT_THAT(error_of_archive({"readme.txt"}), HasSubstr("it has no data.pkl"));
}

TEST_F(CheckpointFile, SafetensorsAreRead) {
  const std::string header = R"({"w":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]},)"
                             R"("b":{"dtype":"BOOL","shape":[2],"data_offsets":[4,6]},)"
                             R"("f4":{"dtype":"F4","shape":[2],"data_offsets":[6,7]}})";
  std::string content(8, '\0');
  content[0] = static_cast<char>(header.size());
  content += header;
  content += std::string("\x00\x38\x00\xc0\x02\x00\x00", 7);
  const Value file = read(content);
  const Dict& root = file.get<Dict>("file");
  EXPECT_TRUE(root.at("w").get<Tensor>("w").equal(torch::tensor({{0.5f, -2.0f}}).to(torch::kHalf)));
  EXPECT_TRUE(root.at("b").get<Tensor>("b").equal(torch::tensor({true, false})));
  EXPECT_EQ(root.at("f4").kind(), "a tensor of F4");
  content[content.find("[1,2]") + 1] = '2';
  EXPECT_THAT(error_of(content), HasSubstr("the data of 'w' have not the size of its shape"));
}

TEST_F(CheckpointFile, EveryCutIsAnErrorThatNamesTheFile) {
  for (const char* name : {"small.zip.pt", "small.legacy.pt"}) {
    put(file_, core::read_file(fixture(name)));
    for (size_t length = fs::file_size(file_); length-- > 0;) {
      fs::resize_file(file_, length);
      ASSERT_THAT(error_of_file(), HasSubstr("file.pth: ")) << name << " cut at byte " << length;
    }
  }
}

// Reads a file with single bytes changed; the number of changes that were errors.
int errors_of_changes(const fs::path& path, const std::string& whole) {
  int errors = 0;
  put(path, whole);
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      put_byte(path, i, whole[i] ^ flip);
      try {
        read_checkpoint(path);
      } catch (const Error& error) {
        ++errors;
        EXPECT_THAT(error.what(), HasSubstr(path.filename().string()));
      }
    }
    put_byte(path, i, whole[i]);
  }
  return errors;
}

TEST_F(CheckpointFile, EveryChangedByteOfALegacyFileGivesAValueOrAnError) {
  EXPECT_GT(errors_of_changes(file_, core::read_file(fixture("small.legacy.pt"))), 0);
}

TEST_F(CheckpointFile, EveryChangedByteOfAZipFileGivesAValueOrAnError) {
  EXPECT_GT(errors_of_changes(file_, core::read_file(fixture("small.zip.pt"))), 0);
}

// An archive of one float storage of 4 elements, its checksums right, around a pickle.
std::string archive_of(std::string pickle, const std::string& byteorder = "little") {
  core::StoredZipWriter archive;
  archive.add("a/data.pkl", pickle);
  archive.add("a/byteorder", byteorder);
  archive.add("a/data/0", std::string(16, '\0'));
  return std::move(archive).finish();
}

// The pickle of a tensor over that storage.
std::string tensor_pickle(int64_t elements, int64_t offset, const std::vector<int64_t>& sizes,
                          const std::vector<int64_t>& strides, const char* key = "0") {
  core::PickleWriter pickle;
  const auto integers = [&](const std::vector<int64_t>& values) {
    pickle.begin_tuple();
    for (const int64_t value : values) pickle.integer(value);
    pickle.end_tuple();
  };
  pickle.global("torch._utils", "_rebuild_tensor_v2");
  pickle.begin_tuple();
  pickle.begin_tuple();
  pickle.text("storage");
  pickle.global("torch", "FloatStorage");
  pickle.text(key);
  pickle.text("cpu");
  pickle.integer(elements);
  pickle.end_tuple();
  pickle.persistent_id();
  pickle.integer(offset);
  integers(sizes);
  integers(strides);
  pickle.end_tuple();
  pickle.call();
  return std::move(pickle).finish();
}

TEST_F(CheckpointFile, ATensorMayNotReachBeyondItsData) {
  constexpr int64_t huge = int64_t{1} << 62;
  EXPECT_EQ(read(archive_of(tensor_pickle(4, 1, {3}, {1}))).get<Tensor>("t").numel(), 3);
  const auto message = [&](const std::string& pickle) { return error_of(archive_of(pickle)); };
  EXPECT_THAT(message(tensor_pickle(4, 2, {3}, {1})), HasSubstr("reaches beyond its data"));
  EXPECT_THAT(message(tensor_pickle(4, 0, {2}, {4})), HasSubstr("reaches beyond its data"));
  EXPECT_THAT(message(tensor_pickle(4, huge, {1}, {1})), HasSubstr("reaches beyond its data"));
  EXPECT_THAT(message(tensor_pickle(5, 0, {1}, {1})), HasSubstr("ends early"));
  EXPECT_THAT(message(tensor_pickle(huge, 0, {1}, {1})), HasSubstr("ends early"));
  EXPECT_THAT(message(tensor_pickle(4, 0, {huge, huge}, {1, 1})), HasSubstr("any memory"));
  EXPECT_THAT(message(tensor_pickle(4, 0, {3}, {huge})), HasSubstr("any memory"));
  EXPECT_THAT(message(tensor_pickle(4, 0, {huge}, {0})), HasSubstr("elements over 4"));
  EXPECT_THAT(message(tensor_pickle(4, 0, {-1}, {1})), HasSubstr("size or offset"));
  EXPECT_THAT(message(tensor_pickle(4, -1, {1}, {1})), HasSubstr("size or offset"));
  EXPECT_THAT(message(tensor_pickle(4, 0, {2, 2}, {1})), HasSubstr("do not fit together"));
  EXPECT_THAT(message(tensor_pickle(4, 0, {1}, {1}, "7")), HasSubstr("'7' is missing"));
}

TEST_F(CheckpointFile, NumbersOfABigEndianMachineAreRefused) {
  EXPECT_THAT(error_of(archive_of(tensor_pickle(4, 0, {4}, {1}), "big")),
              HasSubstr("not little-endian"));
}

TEST_F(CheckpointFile, AValueWithinItselfIsRefused) {
  const std::string pickle("\x80\x02]q\0h\0a.", 9);
  EXPECT_THAT(error_of(archive_of(pickle)), HasSubstr("contains itself"));
}

TEST_F(CheckpointFile, NestingWithoutEndIsRefused) {
  const std::string pickle =
      "\x80\x02" + std::string(100'000, ']') + std::string(99'999, 'a') + ".";
  EXPECT_THAT(error_of(archive_of(pickle)), HasSubstr("nested too deeply"));
}

TEST_F(CheckpointFile, ReferencesThatDoubleAtEveryLevelTakeNoMoreThanTheFile) {
  std::string pickle("\x80\x02N", 3);
  for (int level = 0; level < 100; ++level) pickle += "2\x86";  // (x, x)
  Value value = read(archive_of(pickle + "."));
  int depth = 0;
  while (const auto* pair = value.get_if<Tuple>()) {
    value = Value(pair->items[1]);
    ++depth;
  }
  EXPECT_EQ(depth, 100);
}

}  // namespace
}  // namespace lowbit::checkpoint
