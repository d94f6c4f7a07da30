// Where processes of one machine may meet.
#pragma once

namespace lowbit::distributed {

// A TCP port of this machine that nobody listens on. Another program could take it before it is
// used, which is unlikely. An Error (failure) if there is none.
int free_port();

}  // namespace lowbit::distributed
