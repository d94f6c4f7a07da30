#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>

#include "lowbit/runtime/lowbit.h"
#include "programs.h"
#include "support/random_values.h"

namespace lowbit::runtime {
namespace {

using testing::HasSubstr;

class CInterface : public testing::Test {
 protected:
  CInterface() : program_(random_program(11, 25)) {
    program_.model.preprocessing = std::make_unique<packed::PreprocessingT>();
    program_.model.preprocessing->resize = 40;
    program_.model.checked = "3 images";
    const int classes = program_.shape(program_.last()).channels;
    for (int i = 0; i < classes; ++i)
      program_.model.classes.push_back("class " + std::to_string(i));
    bytes_ = seal(program_.model);
    image_ = Draw(4).codes(program_.shape(0).count() * 3, 256);
  }

  lowbit_model* open(const char* kernels = "auto") {
    lowbit_model* model = nullptr;
    EXPECT_EQ(lowbit_open_bytes(bytes_.data(), bytes_.size(), kernels, &model, &message_),
              LOWBIT_OK)
        << message_.text;
    return model;
  }
  size_t classes() const { return program_.model.classes.size(); }

  // Logits of three images.
  std::vector<float> run(const lowbit_model* model, int threads) {
    lowbit_session* session = nullptr;
    EXPECT_EQ(lowbit_session_open(model, threads, &session, &message_), LOWBIT_OK);
    std::vector<float> logits(3 * classes());
    EXPECT_EQ(lowbit_run(session, image_.data(), 3, logits.data(), &message_), LOWBIT_OK);
    lowbit_session_close(session);
    return logits;
  }

  Program program_;
  std::vector<uint8_t> bytes_, image_;
  lowbit_message message_{};
};

TEST_F(CInterface, DescribesAModel) {
  lowbit_model* model = open();
  lowbit_description description;
  lowbit_describe(model, &description);
  EXPECT_EQ(description.height, program_.shape(0).height);
  EXPECT_EQ(description.width, program_.shape(0).width);
  EXPECT_EQ(description.channels, program_.shape(0).channels);
  EXPECT_EQ(description.resize, 40);
  EXPECT_EQ(description.classes, static_cast<int>(classes()));
  EXPECT_EQ(description.steps, program_.last());
  EXPECT_STREQ(description.network, "made up");
  EXPECT_STREQ(description.checked, "3 images");
  EXPECT_STREQ(description.kernels, instruction_set("auto").name);
  EXPECT_STREQ(lowbit_class_name(model, 0), "class 0");
  EXPECT_EQ(lowbit_class_name(model, -1), nullptr);
  EXPECT_EQ(lowbit_class_name(model, static_cast<int>(classes())), nullptr);
  lowbit_value value;
  ASSERT_EQ(lowbit_describe_value(model, program_.last(), &value, &message_), LOWBIT_OK);
  EXPECT_STREQ(value.operation, "Mean");
  EXPECT_EQ(value.kind, LOWBIT_REAL);
  EXPECT_EQ(value.bytes, classes() * sizeof(float));
  EXPECT_EQ(value.group, program_.last() - 1);
  EXPECT_EQ(lowbit_describe_value(model, program_.last() + 1, &value, &message_),
            LOWBIT_BAD_ARGUMENT);
  lowbit_close(model);
}

TEST_F(CInterface, NamesOfClassesAreTheBytesThatWereWritten) {
  test_support::RandomValues random(8);
  for (int i = 0; i < 20; ++i) {
    for (std::string& name : program_.model.classes) name = random.text(/*nul=*/false);
    bytes_ = seal(program_.model);
    lowbit_model* model = open("reference");
    for (size_t k = 0; k < classes(); ++k)
      EXPECT_EQ(lowbit_class_name(model, static_cast<int>(k)), program_.model.classes[k]);
    lowbit_close(model);
  }
}

TEST_F(CInterface, GivesTheSameLogitsForAnyKernelsAndThreads) {
  lowbit_model* plain = open("reference");
  const std::vector<float> logits = run(plain, 1);
  lowbit_close(plain);
  for (const char* kernels : {"auto", "portable"}) {
    lowbit_model* model = open(kernels);
    for (const int threads : {0, 1, 3})
      EXPECT_EQ(
          std::memcmp(run(model, threads).data(), logits.data(), logits.size() * sizeof(float)), 0);
    lowbit_close(model);
  }
}

TEST_F(CInterface, OneModelIsRunBySeveralThreadsAtOnce) {
  lowbit_model* model = open();
  const std::vector<float> logits = run(model, 1);
  std::vector<std::vector<float>> found(4);
  std::vector<std::thread> threads;
  for (std::vector<float>& mine : found)
    threads.emplace_back([this, model, &mine] { mine = run(model, 2); });
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<float>& mine : found)
    EXPECT_EQ(std::memcmp(mine.data(), logits.data(), logits.size() * sizeof(float)), 0);
  lowbit_close(model);
}

TEST_F(CInterface, VisitsTheValueOfEachStepAndTimesIt) {
  lowbit_model* model = open("reference");
  lowbit_session* session = nullptr;
  ASSERT_EQ(lowbit_session_open(model, 1, &session, &message_), LOWBIT_OK);
  std::vector<float> logits(classes());
  std::vector<size_t> sizes;
  ASSERT_EQ(lowbit_run_visiting(
                session, image_.data(),
                [](void* context, int number, const void*, size_t bytes) {
                  auto& seen = *static_cast<std::vector<size_t>*>(context);
                  EXPECT_EQ(number, static_cast<int>(seen.size()) + 1);
                  seen.push_back(bytes);
                },
                &sizes, logits.data(), &message_),
            LOWBIT_OK);
  ASSERT_EQ(sizes.size(), static_cast<size_t>(program_.last()));
  EXPECT_EQ(sizes.back(), classes() * sizeof(float));
  std::vector<double> seconds(sizes.size());
  ASSERT_EQ(lowbit_run_timed(session, image_.data(), seconds.data(), logits.data(), &message_),
            LOWBIT_OK);
  for (const double time : seconds) EXPECT_GE(time, 0);
  EXPECT_GT(lowbit_session_bytes(session), 0u);
  lowbit_session_close(session);
  lowbit_close(model);
}

TEST_F(CInterface, OpensAFile) {
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) /
                                     ("c_interface." + std::to_string(::getpid()) + ".lowbit");
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes_.data()),
             static_cast<std::streamsize>(bytes_.size()));
  lowbit_model* model = nullptr;
  EXPECT_EQ(lowbit_open(path.c_str(), nullptr, &model, &message_), LOWBIT_OK) << message_.text;
  EXPECT_EQ(run(model, 1).size(), 3 * classes());
  lowbit_close(model);
  std::filesystem::resize_file(path, bytes_.size() - 1);
  EXPECT_EQ(lowbit_open(path.c_str(), nullptr, &model, &message_), LOWBIT_BAD_FILE);
  EXPECT_EQ(model, nullptr);
  EXPECT_THAT(message_.text, HasSubstr(path.string()));
  std::filesystem::remove(path);
  EXPECT_EQ(lowbit_open(path.c_str(), nullptr, &model, &message_), LOWBIT_BAD_FILE);
  EXPECT_THAT(message_.text, HasSubstr(path.string()));
}

TEST_F(CInterface, SaysWhatIsWrongWithACall) {
  lowbit_model* model = nullptr;
  EXPECT_EQ(lowbit_open_bytes(bytes_.data(), bytes_.size(), "protable", &model, &message_),
            LOWBIT_BAD_ARGUMENT);
  EXPECT_THAT(message_.text, HasSubstr("this machine has auto, reference, portable"));
  EXPECT_THAT(message_.text, HasSubstr("did you mean 'portable'"));
  EXPECT_EQ(lowbit_open_bytes("no network", 10, "auto", &model, nullptr), LOWBIT_BAD_FILE);
  EXPECT_EQ(lowbit_open_bytes(nullptr, 10, "auto", &model, &message_), LOWBIT_BAD_ARGUMENT);
  model = open();
  lowbit_session* session = nullptr;
  EXPECT_EQ(lowbit_session_open(model, -1, &session, &message_), LOWBIT_BAD_ARGUMENT);
  ASSERT_EQ(lowbit_session_open(model, 1, &session, &message_), LOWBIT_OK);
  EXPECT_EQ(lowbit_run(session, nullptr, 1, nullptr, &message_), LOWBIT_BAD_ARGUMENT);
  EXPECT_EQ(lowbit_run(session, nullptr, 0, nullptr, &message_), LOWBIT_OK);
  lowbit_session_close(session);
  lowbit_close(model);
  lowbit_close(nullptr);
  lowbit_session_close(nullptr);
}

TEST_F(CInterface, CutsTheMiddleOfALongMessage) {
  const std::string path = "/nonexistent/" + std::string(1000, 'a') + "\u00e4\u00f6";
  lowbit_model* model = nullptr;
  for (size_t cut = 0; cut < 4; ++cut) {  // at each byte of a character
    const std::string name = path + std::string(cut, 'b') + std::string(300, 'c');
    EXPECT_EQ(lowbit_open(name.c_str(), "auto", &model, &message_), LOWBIT_BAD_FILE);
    EXPECT_THAT(message_.text,
                AllOf(testing::StartsWith("cannot read '/nonexistent/aaa"), HasSubstr("a ... "),
                      testing::EndsWith("No such file or directory")));
  }
  // A character of two bytes at each of the places where the text is cut.
  for (size_t shift = 0; shift < 2; ++shift) {
    std::string name = "/" + std::string(shift, 'x');
    for (int i = 0; i < 1000; ++i) name += "\u00e4";
    EXPECT_EQ(lowbit_open(name.c_str(), "auto", &model, &message_), LOWBIT_BAD_FILE);
    const std::string text = message_.text;
    const size_t gap = text.find(" ... ");
    ASSERT_NE(gap, std::string::npos);
    EXPECT_EQ(text.substr(gap - 2, 9), "\u00e4 ... \u00e4");
  }
}

TEST_F(CInterface, EscapesNamesInMessages) {
  program_.model.values[1]->name = "\x1b[31m\nforged";
  program_.model.values[1]->channels += 1;
  bytes_ = seal(program_.model);
  lowbit_model* model = nullptr;
  EXPECT_EQ(lowbit_open_bytes(bytes_.data(), bytes_.size(), "auto", &model, &message_),
            LOWBIT_BAD_FILE);
  EXPECT_THAT(message_.text, HasSubstr("step 0 (\\x1b[31m\\nforged): what it gives"));
}

// What a forked process finds, which is ended then.
template <class Body>
bool holds_in_a_fork(const Body& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body() ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(CInterface, RunsAndClosesASessionInAForkedProcess) {
  lowbit_model* model = open();
  const std::vector<float> logits = run(model, 1);
  lowbit_session* session = nullptr;
  ASSERT_EQ(lowbit_session_open(model, 2, &session, &message_), LOWBIT_OK);
  std::vector<float> found(logits.size());
  ASSERT_EQ(lowbit_run(session, image_.data(), 3, found.data(), &message_), LOWBIT_OK);
  EXPECT_TRUE(holds_in_a_fork([&] {
    std::ranges::fill(found, 0.0f);
    const lowbit_status status = lowbit_run(session, image_.data(), 3, found.data(), nullptr);
    lowbit_session_close(session);
    lowbit_close(model);
    return status == LOWBIT_OK && found == logits;
  }));
  lowbit_session_close(session);
  lowbit_close(model);
}

TEST_F(CInterface, OpensASessionWithThreadsInAForkedProcess) {
  lowbit_model* model = open();
  const std::vector<float> logits = run(model, 2);
  EXPECT_TRUE(holds_in_a_fork([&] { return run(model, 2) == logits; }));
  lowbit_close(model);
}

// Every NaN is the same one.
TEST(Session, GivesOneNan) {
  for (const char* kernels : {"reference", "portable", "auto"}) {
    Program program(1, 1, 4);
    Draw draw(1);
    const int conv = add_code_conv(program, draw, 0, 4, 1, 1, 0, 1);
    const float huge = std::numeric_limits<float>::max(), nan = std::bit_cast<float>(0xffc12345u);
    const int large = add_affine(program, conv, {huge}, {huge, -huge, 1, nan});
    const int larger = add_affine(program, large, {huge, huge, -huge, 1}, {huge});
    packed::BinaryT difference;
    difference.a = difference.b = larger;
    difference.arithmetic = packed::Arithmetic::subtract;
    program.add(std::move(difference), program.shape(larger));
    const Program::File file = program.file();
    const Network network(open_sealed(file.span()));
    const std::vector<uint8_t> image(4, 200);
    std::vector<float> logits(4);
    const Plan plan(network, instruction_set(kernels));
    Session(network, plan, 1).run(image.data(), logits.data());
    EXPECT_EQ(std::bit_cast<uint32_t>(logits[3]), 0x7fc00000u) << kernels;
    EXPECT_EQ(std::bit_cast<uint32_t>(logits[0]), 0x7fc00000u) << kernels;
  }
}

}  // namespace
}  // namespace lowbit::runtime
