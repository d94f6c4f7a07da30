#include "lowbit/core/file_kind.h"

#include <algorithm>
#include <cctype>
#include <string>

namespace lowbit::core {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kUnpack = "unpack it and name the file inside";

struct Magic {
  size_t offset;
  std::string_view bytes;
  FileKind kind;
};

constexpr Magic kMagics[] = {
    {0, "\x1f\x8b"sv, {"compressed by gzip", "unpack it (gunzip, or tar -xzf) and name the file"}},
    {0, "BZh"sv, {"compressed by bzip2", "unpack it (bunzip2) and name the file inside"}},
    {0, "\xfd\x37zXZ\0"sv, {"compressed by xz", "unpack it (unxz) and name the file inside"}},
    {0,
     "\x28\xb5\x2f\xfd"sv,
     {"compressed by zstd", "unpack it (unzstd) and name the file inside"}},
    {0, "7z\xbc\xaf\x27\x1c"sv, {"a 7z archive", kUnpack}},
    {0, "Rar!\x1a\x07"sv, {"a RAR archive", kUnpack}},
    {257, "ustar"sv, {"a tar archive", "unpack it (tar -xf) and name the file inside"}},
    {0,
     "version https://git-lfs"sv,
     {"a pointer of Git LFS, not the file itself", "fetch the file: git lfs pull"}},
    {0,
     "\x89HDF\r\n\x1a\n"sv,
     {"an HDF5 file, as Keras writes it", "convert it to a checkpoint of PyTorch"}},
    {0,
     "\x93NUMPY"sv,
     {"an array of numpy", "save it in Python: torch.save({name: torch.from_numpy(array)}, FILE)"}},
    {0, "GGUF"sv, {"a GGUF file", "lowbit reads checkpoints of PyTorch and safetensors"}},
    {4, "TFL3"sv, {"a TensorFlow Lite file", "lowbit reads checkpoints of PyTorch"}},
    {4, "LBIT"sv, {"a packed network", "lowbit run, summary and bench take it"}},
    {0, "\x89PNG"sv, {"an image", {}}},
    {0, "\xff\xd8\xff"sv, {"an image", {}}},
    {0, "%PDF"sv, {"a PDF document", {}}},
    {0,
     "\x7f"
     "ELF"sv,
     {"a program", {}}},
};

bool is_blank(char c) {
  return std::isspace(static_cast<unsigned char>(c));
}

// HTML or XML: what a server answers in place of a file.
bool is_web_page(std::string_view start) {
  if (start.starts_with("\xef\xbb\xbf")) start.remove_prefix(3);
  while (!start.empty() && is_blank(start.front())) start.remove_prefix(1);
  std::string begin(start.substr(0, 16));
  std::ranges::transform(begin, begin.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::ranges::any_of(
      std::initializer_list<std::string_view>{"<!doctype", "<html", "<?xml", "<head", "<!--"},
      [&](std::string_view tag) { return begin.starts_with(tag); });
}

// A message of protobuf that begins as onnx.ModelProto does: ir_version, then the producer, the
// domain, the version of the model, a text, the graph or the sets of operators.
bool is_onnx(std::string_view start) {
  return start.size() > 3 && start[0] == 0x08 && start[1] > 0 && start[1] < 64 &&
         "\x12\x1a\x22\x28\x32\x3a\x42"sv.find(start[2]) != std::string_view::npos;
}

bool is_text(std::string_view start) {
  return std::ranges::all_of(start, [](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return byte >= 0x20 ? byte != 0x7f : is_blank(c);
  });
}

}  // namespace

std::optional<FileKind> file_kind(std::string_view start) {
  start = start.substr(0, file_kind_bytes);
  if (start.empty())
    return FileKind{"an empty file", "the download or the run that wrote it was cut off"};
  for (const Magic& magic : kMagics)
    if (start.size() >= magic.offset && start.substr(magic.offset).starts_with(magic.bytes))
      return magic.kind;
  if (is_web_page(start))
    return FileKind{"a web page (HTML or XML)", "the download needs a login or another address"};
  if (is_onnx(start))
    return FileKind{"an ONNX file", "lowbit writes ONNX; name the checkpoint it was made from"};
  if (std::ranges::all_of(start, [](char c) { return c == 0; }))
    return FileKind{"a file of zeros", "its download or copy failed"};
  if (is_text(start)) return FileKind{"a text file", {}, /*text=*/true};
  return {};
}

}  // namespace lowbit::core
