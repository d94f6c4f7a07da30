#include "lowbit/runtime/packed_network.h"

#include <exception>

#include "lowbit/core/error.h"

namespace lowbit::runtime {
namespace {

void require(lowbit_status status, const lowbit_message& message) {
  if (status == LOWBIT_OK) return;
  if (status == LOWBIT_BAD_ARGUMENT || status == LOWBIT_BAD_FILE)
    throw core::usage_error("{}", message.text);
  throw core::failure("{}", message.text);
}

struct Visit {
  const PackedNetwork::Visitor& visitor;
  std::exception_ptr thrown;
};

// No exception passes through C.
void visit(void* context, int number, const void* data, size_t bytes) {
  auto& visit = *static_cast<Visit*>(context);
  if (visit.thrown) return;
  try {
    visit.visitor(number, {static_cast<const uint8_t*>(data), bytes});
  } catch (...) {
    visit.thrown = std::current_exception();
  }
}

}  // namespace

PackedNetwork::PackedNetwork(const std::string& path, const std::string& kernels, int threads) {
  lowbit_message message{};
  lowbit_model* model = nullptr;
  require(lowbit_open(path.c_str(), kernels.c_str(), &model, &message), message);
  model_.reset(model);
  open_session(threads);
}

PackedNetwork::PackedNetwork(std::span<const uint8_t> file, const std::string& kernels,
                             int threads) {
  lowbit_message message{};
  lowbit_model* model = nullptr;
  require(lowbit_open_bytes(file.data(), file.size(), kernels.c_str(), &model, &message), message);
  model_.reset(model);
  open_session(threads);
}

void PackedNetwork::open_session(int threads) {
  lowbit_message message{};
  lowbit_session* session = nullptr;
  require(lowbit_session_open(model_.get(), threads, &session, &message), message);
  session_.reset(session);
  lowbit_describe(model_.get(), &description_);
  logits_.resize(static_cast<size_t>(description_.classes));
}

lowbit_value PackedNetwork::describe(int number) const {
  lowbit_message message{};
  lowbit_value value{};
  require(lowbit_describe_value(model_.get(), number, &value, &message), message);
  return value;
}

std::vector<std::string> PackedNetwork::class_names() const {
  std::vector<std::string> names;
  for (int i = 0; i < description_.classes; ++i)
    names.emplace_back(lowbit_class_name(model_.get(), i));
  if (!names.empty() && names.front().empty()) names.clear();
  return names;
}

void PackedNetwork::run(const uint8_t* images, int count, float* logits) {
  lowbit_message message{};
  require(lowbit_run(session_.get(), images, count, logits, &message), message);
}

void PackedNetwork::run_visiting(const uint8_t* image, const Visitor& visitor) {
  lowbit_message message{};
  Visit context{visitor, nullptr};
  require(lowbit_run_visiting(session_.get(), image, visit, &context, logits_.data(), &message),
          message);
  if (context.thrown) std::rethrow_exception(context.thrown);
}

std::vector<double> PackedNetwork::run_timed(const uint8_t* image) {
  lowbit_message message{};
  std::vector<double> seconds(static_cast<size_t>(description_.steps));
  require(lowbit_run_timed(session_.get(), image, seconds.data(), logits_.data(), &message),
          message);
  return seconds;
}

}  // namespace lowbit::runtime
