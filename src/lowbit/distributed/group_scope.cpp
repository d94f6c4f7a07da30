#include "lowbit/distributed/group_scope.h"

#include <torch/autograd.h>

namespace lowbit::distributed {
namespace {

thread_local const GroupScope* innermost = nullptr;

// Backward passes may run on other threads, which the scope does not reach.
class SumFunction : public torch::autograd::Function<SumFunction> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               Group* group) {
    context->saved_data["group"] = reinterpret_cast<int64_t>(group);
    torch::Tensor y = x.clone(torch::MemoryFormat::Contiguous);
    group->sum(y);
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    auto* group = reinterpret_cast<Group*>(context->saved_data["group"].toInt());
    torch::Tensor grad = grads[0].clone(torch::MemoryFormat::Contiguous);
    group->sum(grad);
    return {grad, {}};
  }
};

}  // namespace

GroupScope::GroupScope(Group* group, bool sync_batch_norm)
    : group_(group), sync_batch_norm_(sync_batch_norm), outer_(innermost) {
  innermost = this;
}

GroupScope::~GroupScope() {
  innermost = outer_;
}

Group* GroupScope::current() {
  return innermost ? innermost->group_ : nullptr;
}

Group* GroupScope::of_batch_norm() {
  return innermost && innermost->sync_batch_norm_ ? innermost->group_ : nullptr;
}

torch::Tensor sum_over_processes(const torch::Tensor& x) {
  Group* group = GroupScope::current();
  return group ? SumFunction::apply(x, group) : x;
}

}  // namespace lowbit::distributed
