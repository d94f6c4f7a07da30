#include "lowbit/core/safetensors.h"

#include <gmock/gmock.h>

#include "lowbit/core/error.h"

namespace lowbit::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string file_of(const std::string& header, const std::string& data = "") {
  std::string length(8, '\0');
  for (size_t i = 0; i < 4; ++i) length[i] = static_cast<char>(header.size() >> 8 * i);
  return length + header + data;
}

std::string safetensors_error(const std::string& file) {
  try {
    read_safetensors(file);
    return "no error";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Safetensors, TensorsComeInTheOrderOfTheirData) {
  const std::string file = file_of(
      R"({"b":{"dtype":"I8","shape":[2,1],"data_offsets":[4,6]},"__metadata__":{"format":"pt"},)"
      R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}} )",
      "1234xy");
  ASSERT_TRUE(is_safetensors(file));
  const std::vector<SafeTensor> tensors = read_safetensors(file);
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(tensors[0].name, "a");
  EXPECT_EQ(tensors[0].type, "F32");
  EXPECT_THAT(tensors[0].shape, ElementsAre());
  EXPECT_EQ(tensors[0].data, "1234");
  EXPECT_THAT(tensors[1].shape, ElementsAre(2, 1));
  EXPECT_EQ(tensors[1].data, "xy");
}

TEST(Safetensors, OtherFilesAreNotTakenForOne) {
  EXPECT_FALSE(is_safetensors(""));
  EXPECT_FALSE(is_safetensors("{\"a\":1}  "));
  EXPECT_FALSE(is_safetensors("\x80\x02N."));
  EXPECT_FALSE(is_safetensors(std::string("\xff\xff\xff\xff\0\0\0\0{", 9)));
}

TEST(Safetensors, DamageIsAnError) {
  const auto one = [](const std::string& entry) {
    return file_of("{\"a\":" + entry + "}", "1234");
  };
  EXPECT_THAT(safetensors_error(one(R"({"dtype":"F32","shape":[1],"data_offsets":[0,5]})")),
              HasSubstr("the data of 'a' lie outside"));
  EXPECT_THAT(safetensors_error(one(R"({"dtype":"F32","shape":[1],"data_offsets":[-1,4]})")),
              HasSubstr("the data of 'a' lie outside"));
  EXPECT_THAT(safetensors_error(one(R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})")),
              HasSubstr("a side of 'a' is none"));
  EXPECT_THAT(safetensors_error(one(R"({"dtype":"F32","shape":[1]})")), HasSubstr("its header"));
  EXPECT_THAT(safetensors_error(one("[")), HasSubstr("its header"));
}

TEST(Safetensors, EveryCutIsAnError) {
  const std::string whole =
      file_of(R"({"a":{"dtype":"I8","shape":[3],"data_offsets":[0,3]}})", "abc");
  for (size_t length = 9; length < whole.size(); ++length)
    EXPECT_THAT(safetensors_error(whole.substr(0, length)), HasSubstr("damaged safetensors"));
}

TEST(Safetensors, DataThatTwoTensorsShareAreRefused) {
  EXPECT_THAT(safetensors_error(file_of(R"({"a":{"dtype":"I8","shape":[3],"data_offsets":[0,3]},)"
                                        R"("b":{"dtype":"I8","shape":[3],"data_offsets":[1,4]}})",
                                        "abcd")),
              HasSubstr("'a' and 'b' overlap"));
}

}  // namespace
}  // namespace lowbit::core
