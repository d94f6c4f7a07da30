// Whole files: read at once, written so that a reader sees either the old or the new content; and
// files that grow. Every writer of the program goes through here.
#pragma once

#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace lowbit::core {

class Descriptor;

// The content of a file, or what a FIFO gives until its writers close it; an Error (failure) naming
// the path and the reason otherwise. A FIFO that no process writes to and a device are errors: they
// could be waited for without end.
std::string read_file(const std::filesystem::path& path);

// At most the first `bytes` of a regular file; empty if there is none that can be read.
std::string read_start(const std::filesystem::path& path, size_t bytes);

// Gives `write` the path of a new file beside `path`, then syncs it and renames it over `path`. If
// anything fails (full disk, read-only folder, an exception in `write`) the new file is removed,
// `path` keeps its old content, and an Error (failure) says why. `kept`, if not empty: a path that
// the old content then has; whenever the process dies, `path` or `kept` is whole.
// A symbolic link stays: the file it leads to is replaced. A file keeps its permissions. What is no
// regular file is never replaced: content given as such is written into a character device or a
// FIFO that a process reads, everything else is an Error (failure).
void replace_file(const std::filesystem::path& path,
                  const std::function<void(const std::filesystem::path&)>& write,
                  const std::filesystem::path& kept = {});
void replace_file(const std::filesystem::path& path, std::string_view content,
                  const std::filesystem::path& kept = {});

enum class Special { written, refused };  // devices and FIFOs

// Throws what replace_file would throw for `path`, as far as it can be known before there is
// content: a folder of that name, a missing folder, no permission, a name that is too long, a file
// system that is read-only, a FIFO that no process reads. For what is to be known before long work.
// The reader of a FIFO then waits for as long as this process lives.
void require_writable(const std::filesystem::path& path, Special special);

// Writes at the end of a file, which is made where there is none; an Error (failure) says why if
// that fails: then a part of `content` may stand there.
void append_file(const std::filesystem::path& path, std::string_view content);

// Writes all of `content` to an open file; `path` is its name in the Error (failure) otherwise.
void write_all(const Descriptor& file, const std::filesystem::path& path, std::string_view content);

// Where replace_file puts the content for `path`: behind all symbolic links, dangling ones, too.
std::filesystem::path behind_links(const std::filesystem::path& path);

// Removes what replace_file had not finished in processes that were killed, of the paths
// (FOLDER/NAME) for which `ours` is true.
void remove_unfinished(const std::filesystem::path& folder,
                       const std::function<bool(const std::filesystem::path&)>& ours);

// Whether there is a file, and not a folder, of that name; or a folder. False where that cannot be
// seen.
bool is_file(const std::filesystem::path& path);
bool is_folder(const std::filesystem::path& path);

// The file beside `path` whose name is nearest to that of `path`, for an error; "" if none is near.
std::string nearest_file(const std::filesystem::path& path);

// Creates the folder with its parents; an Error (failure) naming it if that is impossible or if it
// cannot be written to.
void make_writable_folder(const std::filesystem::path& folder);

}  // namespace lowbit::core
