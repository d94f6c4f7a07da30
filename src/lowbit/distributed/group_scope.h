// What layers do about the other processes while a step runs.
#pragma once

#include "lowbit/distributed/group.h"

namespace lowbit::distributed {

// While it lives, layers that this thread runs take their statistics over the batch of all
// processes: without one, over the batch that they see.
class GroupScope {
 public:
  // group null: no statistics are shared, as outside of any scope.
  GroupScope(Group* group, bool sync_batch_norm);
  ~GroupScope();
  GroupScope(const GroupScope&) = delete;
  GroupScope& operator=(const GroupScope&) = delete;

  // Of quantizers; null: none.
  static Group* current();
  // Of batch norms, which share theirs only if asked to (--sync_bn); null: none.
  static Group* of_batch_norm();

 private:
  Group* group_;
  bool sync_batch_norm_;
  const GroupScope* outer_;
};

// The sum over the processes of the scope, x itself without one. Its gradient is the sum of their
// gradients: with every process's loss weighted by its share of the batch, that of the whole loss.
torch::Tensor sum_over_processes(const torch::Tensor& x);

}  // namespace lowbit::distributed
