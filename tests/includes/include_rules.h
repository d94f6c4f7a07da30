// Which folder of the sources may include which, and finding what breaks that.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lowbit::includes {

// Reads every source, header and CMakeLists.txt below root/src/lowbit and every source below
// root/apps. One line an offence, as "src/lowbit/core/log.h:12: why", sorted. Offences are
//  - an include of, or a CMake dependency on, a folder that the including one stands below or
//  beside,
//  - a header of LibTorch in a folder that has to do without,
//  - an include of the programs (apps), by anyone but themselves,
//  - an include by a path with "..", which hides the folder it goes to,
//  - a folder that the rules do not know.
std::vector<std::string> offences(const std::filesystem::path& root);

}  // namespace lowbit::includes
