// Ctrl-C and SIGTERM as a flag that long loops look at, so that they stop at a place where the
// state can be saved.
#pragma once

namespace lowbit::core {

// From here on SIGINT and SIGTERM only set the flag, which begins unset; a second signal ends the
// process at once.
void catch_interrupts();

// The signal that arrived, 0 if none: a loop that sees one saves, stops, and the program exits with
// 128 + signal.
int interrupted();

}  // namespace lowbit::core
