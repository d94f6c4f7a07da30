#include "lowbit/distributed/group.h"

// Debian's headers of Gloo declare what LibTorch's own copy of it, which its wheel does not bring
// headers for, defines.
#define USE_C10D_GLOO
#include <c10/util/Logging.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <tuple>
#include <utility>

#include "lowbit/distributed/background.h"
#include "lowbit/distributed/meeting.h"
#include "lowbit/distributed/nccl.h"
#include "lowbit/distributed/peer_watch.h"

namespace lowbit::distributed {
namespace {

// Until the main thread looks whether a wait still makes sense.
constexpr auto kSlice = std::chrono::milliseconds(200);

// c10d warns on standard error of each attempt to connect, and of what it throws.
void keep_c10d_quiet() {
  if (!std::getenv("TORCH_CPP_LOG_LEVEL")) FLAGS_caffe2_log_level = c10::GLOG_FATAL;
}

c10::intrusive_ptr<c10d::Backend> open_gloo(const c10::intrusive_ptr<c10d::Store>& store,
                                            const Place& place) {
  const auto options = c10d::ProcessGroupGloo::Options::create(kNoLimit);
  options->devices.push_back(place.size == place.local_size
                                 ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                 : c10d::ProcessGroupGloo::createDefaultDevice());
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, place.rank, place.size, options);
}

}  // namespace

struct Pending::Work {
  Group::Engines* engines;
  c10::intrusive_ptr<c10d::Work> work;
};

Pending::Pending(std::unique_ptr<Work> work) : work_(std::move(work)) {}
Pending::Pending(Pending&&) noexcept = default;
Pending& Pending::operator=(Pending&&) noexcept = default;
Pending::~Pending() = default;

struct Group::Engines {
  // In the order in which they end: others look at what the first process stores.
  c10::intrusive_ptr<c10d::Store> store;
  PeerWatch watch;
  const std::function<void(std::exception_ptr)> end;
  c10::intrusive_ptr<c10d::Backend> hosts;    // between the hosts' memories
  c10::intrusive_ptr<c10d::Backend> devices;  // between the devices; on CPUs the same
  bool broken = false;

  Engines(c10::intrusive_ptr<c10d::Store> shared, PeerWatch::Setup setup)
      : store(std::move(shared)), watch(setup), end(setup.end) {}
  ~Engines() {
    if (!broken) return;
    // Their destructors would wait for operations that never end. For as long as the process lasts:
    static auto& kept = *new std::vector<c10::intrusive_ptr<c10d::Backend>>;
    kept.push_back(std::move(hosts));
    kept.push_back(std::move(devices));
  }

  // What c10d throws is the end of a connection in one form or another.
  void guarded(const auto& call) {
    try {
      call();
    } catch (const std::exception& error) {
      broken = true;
      std::exception_ptr thrown = std::current_exception();
      if (!dynamic_cast<const core::Error*>(&error)) {
        PeerLost lost(watch.find_lost());
        lost.detail(reason_of(error));
        thrown = std::make_exception_ptr(lost);
      }
      if (end) end(thrown);
      std::rethrow_exception(thrown);
    }
  }

  void finish_on_hosts(const c10::intrusive_ptr<c10d::Work>& work, Limit limit = Limit::patience) {
    guarded([&] {
      const PeerWatch::Waiting waiting(watch, limit);
      for (;; watch.check()) {
        const bool done = work->isCompleted();
        try {
          work->wait(kSlice);
          return;
        } catch (const std::exception&) {
          // Else only the slice is over.
          if (done) throw;
        }
      }
    });
  }
  // On a GPU no host waits.
  void finish_on_devices(const c10::intrusive_ptr<c10d::Work>& work) {
    if (hosts == devices)
      finish_on_hosts(work);
    else if (work)
      guarded([&] { work->wait(); });
  }

  c10::intrusive_ptr<c10d::Work> start_reduce(c10d::Backend& engine, const torch::Tensor& tensor,
                                              c10d::ReduceOp operation, bool beside) {
    std::vector<torch::Tensor> tensors = {tensor};
    c10d::AllreduceOptions options;
    options.reduceOp = operation;
    options.asyncOp = beside;
    c10::intrusive_ptr<c10d::Work> work;
    guarded([&] { work = engine.allreduce(tensors, options); });
    return work;
  }
  void reduce_on_devices(const torch::Tensor& tensor, c10d::ReduceOp operation) {
    finish_on_devices(start_reduce(*devices, tensor, operation, false));
  }
  int64_t reduce_on_hosts(int64_t number, c10d::ReduceOp operation, Limit limit = Limit::patience) {
    const torch::Tensor one = torch::full({1}, number, torch::kInt64);
    finish_on_hosts(start_reduce(*hosts, one, operation, false), limit);
    return *one.const_data_ptr<int64_t>();
  }
};

void Pending::wait() {
  work_->engines->finish_on_devices(work_->work);
}

std::unique_ptr<Group> Group::join(const Place& place, torch::Device device, Terms terms) {
  keep_c10d_quiet();
  Met met = meet(place, terms.facts, terms.patience);
  if (!device.is_cuda()) terms.end = nullptr;
  auto engines =
      std::make_unique<Engines>(met.store, PeerWatch::Setup{.place = place,
                                                            .names = std::move(met.names),
                                                            .store = std::move(met.store_of_watch),
                                                            .patience = terms.patience,
                                                            .end = terms.end});
  using Pair = std::pair<c10::intrusive_ptr<c10d::Backend>, c10::intrusive_ptr<c10d::Backend>>;
  const auto connect = [=, store = met.store, longest = terms.patience.longest](
                           const std::shared_ptr<Stages>& stages) -> Pair {
    stages->enter({.what = "connections between the processes", .longest = longest});
    const auto hosts = open_gloo(c10::make_intrusive<c10d::PrefixStore>("hosts", store), place);
    if (!device.is_cuda()) return {hosts, hosts};
    return {hosts, open_nccl(c10::make_intrusive<c10d::PrefixStore>("devices", store), place,
                             device, kNoLimit)};
  };
  try {
    std::tie(engines->hosts, engines->devices) = in_background(connect, terms.patience);
  } catch (const core::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw core::failure("the processes of the run met, but cannot connect")
        .detail(reason_of(error));
  }
  std::unique_ptr<Group> group(new Group(place, device, std::move(engines)));
  group->wait_for_all();
  return group;
}

Group::Group(const Place& place, torch::Device device, std::unique_ptr<Engines> engines)
    : rank_(place.rank), size_(place.size), device_(device), engines_(std::move(engines)) {}

Group::~Group() = default;

void Group::sum(const torch::Tensor& tensor) {
  engines_->reduce_on_devices(tensor, c10d::ReduceOp::SUM);
}

void Group::largest(const torch::Tensor& tensor) {
  engines_->reduce_on_devices(tensor, c10d::ReduceOp::MAX);
}

void Group::take_from_first(const std::vector<torch::Tensor>& tensors) {
  const torch::NoGradGuard no_grad;
  std::map<torch::ScalarType, std::vector<torch::Tensor>> by_type;
  for (const torch::Tensor& tensor : tensors) by_type[tensor.scalar_type()].push_back(tensor);
  for (const auto& [type, alike] : by_type) {
    std::vector<torch::Tensor> parts;
    for (const torch::Tensor& tensor : alike) parts.push_back(tensor.detach().flatten());
    std::vector<torch::Tensor> flat = {torch::cat(parts)};
    c10::intrusive_ptr<c10d::Work> work;
    engines_->guarded([&] {
      c10d::BroadcastOptions options;
      options.rootRank = 0;
      options.asyncOp = false;
      work = engines_->devices->broadcast(flat, options);
    });
    engines_->finish_on_devices(work);
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
  c10::intrusive_ptr<c10d::Work> work;
  engines_->guarded([&] {
    std::vector<std::vector<torch::Tensor>> outputs = {all.unbind(0)};
    std::vector<torch::Tensor> inputs = {tensor};
    c10d::AllgatherOptions options;
    options.asyncOp = false;
    work = engines_->devices->allgather(outputs, inputs, options);
  });
  engines_->finish_on_devices(work);
  return all;
}

Pending Group::start_sum(const torch::Tensor& tensor) {
  auto work = std::make_unique<Pending::Work>();
  work->engines = engines_.get();
  work->work = engines_->start_reduce(*engines_->devices, tensor, c10d::ReduceOp::SUM, true);
  return Pending(std::move(work));
}

int64_t Group::largest(int64_t number) {
  return engines_->reduce_on_hosts(number, c10d::ReduceOp::MAX);
}

int64_t Group::sum(int64_t number) {
  return engines_->reduce_on_hosts(number, c10d::ReduceOp::SUM);
}

std::string Group::first_text(const std::string& text) {
  constexpr int64_t kRoom = 1024;
  // One row for each process: the others' stay zero, so that the sum holds all texts.
  const torch::Tensor rows = torch::zeros({size_, kRoom}, torch::kUInt8);
  std::memcpy(rows[rank_].data_ptr<uint8_t>(), text.data(),
              std::min(text.size(), static_cast<size_t>(kRoom - 1)));
  engines_->finish_on_hosts(
      engines_->start_reduce(*engines_->hosts, rows, c10d::ReduceOp::SUM, false));
  for (int rank = 0; rank < size_; ++rank) {
    const auto* row = reinterpret_cast<const char*>(rows[rank].const_data_ptr<uint8_t>());
    if (*row != 0) return row;
  }
  return "";
}

void Group::wait_for_all(Limit limit) {
  engines_->reduce_on_hosts(0, c10d::ReduceOp::MAX, limit);
}

void Group::leave(const std::string& reason) {
  engines_->watch.leave(reason);
}

void Group::agree(const Facts& facts) {
  const std::string own = to_text(facts);
  const int64_t size = largest(static_cast<int64_t>(own.size()));
  const torch::Tensor text = torch::zeros({size + 1}, torch::kUInt8);
  std::memcpy(text.data_ptr<uint8_t>(), own.data(), own.size());
  const torch::Tensor first = text.to(device_);
  take_from_first({first});
  const torch::Tensor bytes = first.to(torch::kCPU);
  const std::string of_first(reinterpret_cast<const char*>(bytes.const_data_ptr<uint8_t>()),
                             static_cast<size_t>(size));
  const std::string found = first_text(differences(facts_of(of_first), facts, rank_));
  if (!found.empty()) throw disagreement(found);
}

}  // namespace lowbit::distributed
