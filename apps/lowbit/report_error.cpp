#include "report_error.h"

#include <c10/util/Exception.h>

#include <new>

#include "launcher.h"
#include "lowbit/core/error.h"
#include "lowbit/core/interrupt.h"
#include "lowbit/distributed/peer_lost.h"
#include "output.h"

namespace lowbit::app {
namespace {

int report(const core::Error& error) {
  if (dynamic_cast<const distributed::PeerLost*>(&error)) {
    // The others were stopped by the same signal, and this process waited for them.
    if (const int signal = core::interrupted()) {
      complain("lowbit: stopped by signal {}, as the other processes were\n", signal);
      return 128 + signal;
    }
    // The launcher names the process that ended first.
    if (is_launched()) return kLostPeer;
  }
  complain("lowbit: {}\n", error.what());
  if (!error.details().empty()) complain_lines(error.details() + "\n");
  const auto* interrupted = dynamic_cast<const core::Interrupted*>(&error);
  return interrupted ? 128 + interrupted->signal() : error.exit_status();
}

}  // namespace

int report_error(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const core::Error& ours) {
    return report(ours);
  } catch (const c10::Error& other) {
    complain("lowbit: {}\n", other.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    complain("lowbit: not enough memory\n");
  } catch (const std::exception& other) {
    complain("lowbit: {}\n", other.what());
  }
  return 1;
}

}  // namespace lowbit::app
