// The verbs of `lowbit tools`: each takes the arguments behind its name and gives the exit status.
#pragma once

#include "commands.h"

namespace lowbit::app {

// tools_checkpoints.cpp
int inspect_checkpoint(const Arguments& arguments);
int update_checkpoint(const Arguments& arguments);
int load_checkpoint(const Arguments& arguments);
int save_checkpoint(const Arguments& arguments);
int infer_once(const Arguments& arguments);

// tools_lists.cpp
int swap_list(const Arguments& arguments);
int sort_list(const Arguments& arguments);

// cmd_export.cpp
int export_onnx(const Arguments& arguments);

// tools_images.cpp
int verify_data(const Arguments& arguments);
int verify_image(const Arguments& arguments);
int pack_data(const Arguments& arguments);

// tools_project.cpp
int parity(const Arguments& arguments);
int list_options(const Arguments& arguments);
int plot_quantizers(const Arguments& arguments);

}  // namespace lowbit::app
