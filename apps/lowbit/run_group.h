// The processes that train one network, as `lowbit train` sees them.
#pragma once

#include <memory>

#include "lowbit/config/parse.h"
#include "lowbit/distributed/group.h"

namespace lowbit::app {

// Meets the other processes, which must have the same program and the same options (but for those
// that may differ). Says what it waits for. Throws what Group::join does.
std::unique_ptr<distributed::Group> join(const distributed::Place& place,
                                         const config::Configuration& configuration);

}  // namespace lowbit::app
