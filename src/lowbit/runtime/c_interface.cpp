#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lowbit/core/error.h"
#include "lowbit/core/mapped_file.h"
#include "lowbit/core/threads.h"
#include "lowbit/runtime/container.h"
#include "lowbit/runtime/kernels/instruction_set.h"
#include "lowbit/runtime/lowbit.h"
#include "lowbit/runtime/network.h"
#include "lowbit/runtime/plan.h"
#include "lowbit/runtime/session.h"

namespace runtime = lowbit::runtime;
using lowbit::core::usage_error;

// The bytes of a model, mapped or copied.
struct Bytes {
  explicit Bytes(const char* path) : mapped(std::in_place, path) {
    const std::string_view bytes = mapped->bytes();
    mapped->bring(bytes);
    span = {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
  }
  Bytes(const void* bytes, size_t size) : copied(std::in_place, size) {
    std::memcpy(copied->data(), bytes, size);
    span = {reinterpret_cast<const uint8_t*>(copied->data()), size};
  }

  // What the plan needs it has in a form of its own: that and the file need not be in memory both.
  void let_go() const {
    if (mapped) mapped->let_go();
  }

  std::optional<lowbit::core::MappedFile> mapped;
  std::optional<runtime::AlignedBytes> copied;
  std::span<const uint8_t> span;
};

struct lowbit_model {
  // An Error if there is no such file.
  template <class... Args>
  explicit lowbit_model(Args... bytes_of) : bytes(bytes_of...) {}

  // An Error if the bytes are no network that can be run.
  void open(const runtime::InstructionSet& with) {
    isa = &with;
    network.emplace(runtime::open_sealed(bytes.span));
    plan.emplace(*network, *isa, [this] { bytes.let_go(); });
    bytes.let_go();
  }

  Bytes bytes;
  const runtime::InstructionSet* isa = nullptr;
  std::optional<runtime::Network> network;
  std::optional<runtime::Plan> plan;
};

struct lowbit_session {
  lowbit_session(const lowbit_model& of, int threads)
      : model(of), session(*of.network, *of.plan, threads) {}

  const lowbit_model& model;
  runtime::Session session;
};

namespace {

// The reason stands at the end of a text: of one that is longer than a message the middle is left
// out, in whole characters.
lowbit_status say(lowbit_message* message, lowbit_status status, std::string_view text) {
  if (!message) return status;
  constexpr std::string_view kGap = " ... ";
  constexpr size_t kRoom = sizeof message->text - 1;
  const auto within_character = [&](size_t at) { return (text[at] & 0xC0) == 0x80; };
  char* to = message->text;
  if (text.size() > kRoom) {
    size_t head = kRoom / 3, tail = text.size() - (kRoom - head - kGap.size());
    while (head > 0 && within_character(head)) --head;
    while (tail < text.size() && within_character(tail)) ++tail;
    to = std::ranges::copy(text.substr(0, head), to).out;
    to = std::ranges::copy(kGap, to).out;
    text.remove_prefix(tail);
  }
  *std::ranges::copy(text, to).out = '\0';
  return status;
}

// The first exception of a thread asks for thread-local data of the C++ library, which is part of
// this one. Where a library has data of this kind, the system allocates all of it with the thread;
// otherwise it does so at the first use, and ends the process if there is no memory.
[[gnu::tls_model("initial-exec")]] thread_local char allocated_with_the_thread;

// Does it; what it throws becomes the status, `refused` where the fault is the caller's or a
// file's.
template <class Body>
lowbit_status guarded(lowbit_message* message, lowbit_status refused, const Body& body) {
  asm volatile("" : : "r"(&allocated_with_the_thread));
  try {
    body();
    return LOWBIT_OK;
  } catch (const lowbit::core::Error& error) {
    return say(message, refused, error.what());
  } catch (const std::bad_alloc&) {
    return say(message, LOWBIT_NO_MEMORY, "there is not enough memory");
  } catch (const std::exception& error) {
    return say(message, LOWBIT_FAILED, error.what());
  }
}

// path: nullptr where the bytes are no file's.
template <class... Args>
lowbit_status open_model(const char* path, const char* kernels, lowbit_model** model,
                         lowbit_message* message, Args... bytes_of) {
  if (!model) return say(message, LOWBIT_BAD_ARGUMENT, "there is no place for the model");
  *model = nullptr;
  const runtime::InstructionSet* isa = nullptr;
  const lowbit_status status = guarded(message, LOWBIT_BAD_ARGUMENT, [&] {
    isa = &runtime::instruction_set(kernels ? kernels : "auto");
  });
  if (status != LOWBIT_OK) return status;
  return guarded(message, LOWBIT_BAD_FILE, [&] {
    auto opened = std::make_unique<lowbit_model>(bytes_of...);
    try {
      opened->open(*isa);
    } catch (lowbit::core::Error& error) {
      if (path) error.at(path);
      throw;
    }
    *model = opened.release();
  });
}

const char* text_of(const flatbuffers::String* text) {
  return text ? text->c_str() : "";
}

using Clock = std::chrono::steady_clock;

struct Timing {
  double* seconds;
  Clock::time_point last;
};

struct Visit {
  lowbit_visitor visit;
  void* context;
};

}  // namespace

lowbit_status lowbit_open(const char* path, const char* kernels, lowbit_model** model,
                          lowbit_message* message) {
  if (!path) return say(message, LOWBIT_BAD_ARGUMENT, "there is no path");
  return open_model(path, kernels, model, message, path);
}

lowbit_status lowbit_open_bytes(const void* bytes, size_t size, const char* kernels,
                                lowbit_model** model, lowbit_message* message) {
  if (!bytes) return say(message, LOWBIT_BAD_ARGUMENT, "there are no bytes");
  return open_model(nullptr, kernels, model, message, bytes, size);
}

void lowbit_close(lowbit_model* model) {
  delete model;
}

void lowbit_describe(const lowbit_model* model, lowbit_description* description) {
  const runtime::Network& network = *model->network;
  const runtime::Shape& image = network.types().front().shape;
  const auto* preprocessing = network.model().preprocessing();
  *description = {image.height,
                  image.width,
                  image.channels,
                  preprocessing ? preprocessing->resize() : 0,
                  network.types().back().shape.channels,
                  network.steps(),
                  text_of(network.model().network()),
                  text_of(network.model().checked()),
                  model->isa->name};
}

const char* lowbit_class_name(const lowbit_model* model, int index) {
  const auto* names = model->network->model().classes();
  if (index < 0 || index >= model->network->types().back().shape.channels) return nullptr;
  if (!names || names->size() == 0) return "";
  return names->Get(static_cast<unsigned>(index))->c_str();
}

lowbit_status lowbit_describe_value(const lowbit_model* model, int number, lowbit_value* value,
                                    lowbit_message* message) {
  const runtime::Network& network = *model->network;
  if (number < 0 || number > network.steps())
    return say(message, LOWBIT_BAD_ARGUMENT, "there is no value of that number");
  const runtime::ValueType& type = network.types()[static_cast<size_t>(number)];
  const auto* declared = network.model().values()->Get(static_cast<unsigned>(number));
  *value = {type.kind == lowbit::packed::Kind::code ? LOWBIT_CODE : LOWBIT_REAL,
            type.shape.height,
            type.shape.width,
            type.shape.channels,
            type.levels,
            type.bytes(),
            text_of(declared->name()),
            "image",
            "",
            -1};
  if (number == 0) return LOWBIT_OK;
  const runtime::Group& group = model->plan->group_of(number - 1);
  value->operation = lowbit::packed::EnumNameOperation(network.step(number - 1).operation_type());
  value->kernel = group.kernel();
  value->group = group.steps.back();
  return LOWBIT_OK;
}

lowbit_status lowbit_session_open(const lowbit_model* model, int threads, lowbit_session** session,
                                  lowbit_message* message) {
  constexpr int kMostThreads = 1024;
  if (!model || !session)
    return say(message, LOWBIT_BAD_ARGUMENT, "there is no model or no place for the session");
  *session = nullptr;
  if (threads < 0 || threads > kMostThreads)
    return say(message, LOWBIT_BAD_ARGUMENT, "threads are 0, for all cores, to 1024");
  return guarded(message, LOWBIT_FAILED, [&] {
    const int cores = lowbit::core::usable_cores();
    *session = new lowbit_session(*model, threads ? std::min(threads, cores) : cores);
  });
}

void lowbit_session_close(lowbit_session* session) {
  delete session;
}

size_t lowbit_session_bytes(const lowbit_session* session) {
  return session->session.bytes();
}

lowbit_status lowbit_run(lowbit_session* session, const uint8_t* images, int count, float* logits,
                         lowbit_message* message) {
  if (!session || count < 0 || (count > 0 && (!images || !logits)))
    return say(message, LOWBIT_BAD_ARGUMENT, "there is no session, image or place for logits");
  const auto& types = session->model.network->types();
  for (int i = 0; i < count; ++i) {
    session->session.run(images, logits);
    images += types.front().bytes();
    logits += types.back().shape.count();
  }
  return LOWBIT_OK;
}

lowbit_status lowbit_run_visiting(lowbit_session* session, const uint8_t* image,
                                  lowbit_visitor visit, void* context, float* logits,
                                  lowbit_message* message) {
  if (!session || !image || !visit || !logits)
    return say(message, LOWBIT_BAD_ARGUMENT,
               "there is no session, image, visitor or place for logits");
  Visit visiting{visit, context};
  const auto watch = [](void* what, const runtime::Session& ran, const runtime::Group& group) {
    const auto& [call, data] = *static_cast<Visit*>(what);
    for (const int number : group.stored)
      call(data, number, ran.value(number).data, ran.value(number).type.bytes());
  };
  session->session.run(image, logits, watch, &visiting);
  return LOWBIT_OK;
}

lowbit_status lowbit_run_timed(lowbit_session* session, const uint8_t* image, double* seconds,
                               float* logits, lowbit_message* message) {
  if (!session || !image || !seconds || !logits)
    return say(message, LOWBIT_BAD_ARGUMENT,
               "there is no session, image or place for times or logits");
  std::fill_n(seconds, session->model.network->steps(), 0.0);
  Timing timing{seconds, Clock::now()};
  const auto watch = [](void* what, const runtime::Session&, const runtime::Group& group) {
    Timing& clock = *static_cast<Timing*>(what);
    const Clock::time_point now = Clock::now();
    clock.seconds[group.steps.back()] = std::chrono::duration<double>(now - clock.last).count();
    clock.last = now;
  };
  session->session.run(image, logits, watch, &timing);
  return LOWBIT_OK;
}
