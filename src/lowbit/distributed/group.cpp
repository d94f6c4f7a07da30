#include "lowbit/distributed/group.h"

// Debian's headers of Gloo declare what LibTorch's own copy of it, which its wheel does not bring
// headers for, defines.
#define USE_C10D_GLOO
#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "lowbit/distributed/nccl.h"

namespace lowbit::distributed {
namespace {

// A process may wait for another that evaluates, saves, or reads a cold disk; whether one still
// lives, the connection and the launcher tell.
constexpr auto kLongestWait = std::chrono::hours(2);
constexpr auto kLongestMeeting = std::chrono::minutes(10);

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

// What c10d throws is the end of a connection in one form or another.
template <class Call>
auto guarded(const Call& call) {
  try {
    return call();
  } catch (const core::Error&) {
    throw;
  } catch (const c10::Error& error) {
    throw PeerLost(first_line(error.what_without_backtrace()));
  } catch (const std::exception& error) {
    throw PeerLost(first_line(error.what()));
  }
}

void finish(const c10::intrusive_ptr<c10d::Work>& work) {
  if (work) work->wait();
}

c10::intrusive_ptr<c10d::Store> open_store(const Place& place) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(place.port);
  options.isServer = place.leads() && !place.store_is_open;
  options.waitWorkers = false;
  options.timeout = kLongestMeeting;
  const auto store = c10::make_intrusive<c10d::TCPStore>(place.host, options);
  return c10::make_intrusive<c10d::PrefixStore>("lowbit", store);
}

c10::intrusive_ptr<c10d::Backend> open_gloo(const c10::intrusive_ptr<c10d::Store>& store,
                                            const Place& place) {
  const auto options = c10d::ProcessGroupGloo::Options::create(kLongestWait);
  options->devices.push_back(place.size == place.local_size
                                 ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                 : c10d::ProcessGroupGloo::createDefaultDevice());
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, place.rank, place.size, options);
}

}  // namespace

struct Pending::Work {
  c10::intrusive_ptr<c10d::Work> work;
};

Pending::Pending(std::unique_ptr<Work> work) : work_(std::move(work)) {}
Pending::Pending(Pending&&) noexcept = default;
Pending& Pending::operator=(Pending&&) noexcept = default;
Pending::~Pending() = default;

void Pending::wait() {
  guarded([this] { finish(work_->work); });
}

struct Group::Engines {
  c10::intrusive_ptr<c10d::Backend> hosts;    // between the hosts' memories
  c10::intrusive_ptr<c10d::Backend> devices;  // between the devices; on CPUs the same

  c10::intrusive_ptr<c10d::Work> reduce(c10d::Backend& engine, const torch::Tensor& tensor,
                                        c10d::ReduceOp operation, bool beside) const {
    std::vector<torch::Tensor> tensors = {tensor};
    c10d::AllreduceOptions options;
    options.reduceOp = operation;
    options.asyncOp = beside;
    return engine.allreduce(tensors, options);
  }
  void reduce(c10d::Backend& engine, const torch::Tensor& tensor, c10d::ReduceOp operation) const {
    guarded([&] { finish(reduce(engine, tensor, operation, false)); });
  }
};

std::unique_ptr<Group> Group::join(const Place& place, torch::Device device) {
  auto engines = std::make_unique<Engines>();
  guarded([&] {
    const auto store = open_store(place);
    engines->hosts = open_gloo(c10::make_intrusive<c10d::PrefixStore>("hosts", store), place);
    engines->devices = device.is_cuda()
                           ? open_nccl(c10::make_intrusive<c10d::PrefixStore>("devices", store),
                                       place, device, kLongestWait)
                           : engines->hosts;
  });
  std::unique_ptr<Group> group(new Group(place, device, std::move(engines)));
  group->wait_for_all();
  return group;
}

Group::Group(const Place& place, torch::Device device, std::unique_ptr<Engines> engines)
    : rank_(place.rank), size_(place.size), device_(device), engines_(std::move(engines)) {}

Group::~Group() = default;

void Group::sum(const torch::Tensor& tensor) {
  engines_->reduce(*engines_->devices, tensor, c10d::ReduceOp::SUM);
}

void Group::largest(const torch::Tensor& tensor) {
  engines_->reduce(*engines_->devices, tensor, c10d::ReduceOp::MAX);
}

void Group::take_from_first(const std::vector<torch::Tensor>& tensors) {
  const torch::NoGradGuard no_grad;
  std::map<torch::ScalarType, std::vector<torch::Tensor>> by_type;
  for (const torch::Tensor& tensor : tensors) by_type[tensor.scalar_type()].push_back(tensor);
  for (const auto& [type, alike] : by_type) {
    std::vector<torch::Tensor> parts;
    for (const torch::Tensor& tensor : alike) parts.push_back(tensor.detach().flatten());
    std::vector<torch::Tensor> flat = {torch::cat(parts)};
    guarded([&] {
      c10d::BroadcastOptions options;
      options.rootRank = 0;
      options.asyncOp = false;
      finish(engines_->devices->broadcast(flat, options));
    });
    int64_t at = 0;
    for (torch::Tensor tensor : alike) {
      tensor.copy_(flat[0].narrow(0, at, tensor.numel()).view(tensor.sizes()));
      at += tensor.numel();
    }
  }
}

torch::Tensor Group::gather(const torch::Tensor& tensor) {
  std::vector<int64_t> shape = tensor.sizes().vec();
  shape.insert(shape.begin(), size_);
  const torch::Tensor all = torch::empty(shape, tensor.options());
  guarded([&] {
    std::vector<std::vector<torch::Tensor>> outputs = {all.unbind(0)};
    std::vector<torch::Tensor> inputs = {tensor};
    c10d::AllgatherOptions options;
    options.asyncOp = false;
    finish(engines_->devices->allgather(outputs, inputs, options));
  });
  return all;
}

Pending Group::start_sum(const torch::Tensor& tensor) {
  auto work = std::make_unique<Pending::Work>();
  guarded([&] {
    work->work = engines_->reduce(*engines_->devices, tensor, c10d::ReduceOp::SUM, true);
  });
  return Pending(std::move(work));
}

int64_t Group::largest(int64_t number) {
  const torch::Tensor one = torch::full({1}, number, torch::kInt64);
  engines_->reduce(*engines_->hosts, one, c10d::ReduceOp::MAX);
  return *one.const_data_ptr<int64_t>();
}

int64_t Group::sum(int64_t number) {
  const torch::Tensor one = torch::full({1}, number, torch::kInt64);
  engines_->reduce(*engines_->hosts, one, c10d::ReduceOp::SUM);
  return *one.const_data_ptr<int64_t>();
}

std::string Group::first_text(const std::string& text) {
  constexpr int64_t kRoom = 1024;
  // One row for each process: the others' stay zero, so that the sum holds all texts.
  const torch::Tensor rows = torch::zeros({size_, kRoom}, torch::kUInt8);
  std::memcpy(rows[rank_].data_ptr<uint8_t>(), text.data(),
              std::min(text.size(), static_cast<size_t>(kRoom - 1)));
  engines_->reduce(*engines_->hosts, rows, c10d::ReduceOp::SUM);
  for (int rank = 0; rank < size_; ++rank) {
    const auto* row = reinterpret_cast<const char*>(rows[rank].const_data_ptr<uint8_t>());
    if (*row != 0) return row;
  }
  return "";
}

void Group::wait_for_all() {
  largest(int64_t{0});
}

}  // namespace lowbit::distributed
