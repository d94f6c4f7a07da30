// JSON in which text that is not UTF-8 comes back as it was.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace lowbit::core {

// `json` as text, pretty with `indent` >= 0. A byte of its strings that is no part of UTF-8 becomes
// the escape of a surrogate, \udc80..\udcff, as Python's json.dumps() writes what os.fsdecode()
// gave. Keys are UTF-8.
std::string json_text(const nlohmann::json& json, int indent = -1);

// What json_text() wrote, or any other JSON. Throws nlohmann::json::parse_error.
nlohmann::json parse_json(std::string_view text);

}  // namespace lowbit::core
