#include "lowbit/config/model_options.h"

#include "lowbit/config/option_table.h"

namespace lowbit::config {

std::vector<Option> model_option_rows() {
  auto table = option_table<ModelOptions>(
      "Model", true, [](auto& o) -> auto& { return o.model; });
  table.choice({"--model", "-m"}, &ModelOptions::name,
               {{"resnet18", "resnet18"},
                {"resnet20", "resnet20"},
                {"resnet20_", "resnet20_"},
                {"resnet32", "resnet32"},
                {"resnet34", "resnet34"},
                {"resnet34_", "resnet34_"},
                {"resnet44", "resnet44"},
                {"resnet56", "resnet56"}},
               {"resnet50", "resnet101", "pytorch-resnet18", "pytorch-resnet34", "pytorch-resnet50",
                "pytorch-resnet101", "mobilenetv1", "mobilenetv2", "vgg_small", "nin"},
               "network");
  table.without_field({"--keyword"}, "WORD,WORD,..", ",",
                      "structure, quantization method and data set: see the keywords");
  // At least one of the 64 channels of the first stage has to remain.
  table.number({"--width_alpha"}, &ModelOptions::width_alpha, between(1.0 / 64, 64),
               "factor on every layer's width");
  table
      .integer({"--num_classes"}, &ModelOptions::num_classes, between(1, 1000000),
               "classes; default by keyword, else by data set")
      .default_value = "of the data set";
  table
      .integer({"--input_size"}, &ModelOptions::input_size, between(8, 8192),
               "pixels of an image's side; default by keyword, else by data set")
      .default_value = "of the data set";
  table.flag({"--padding_after_quant"}, &ModelOptions::padding_after_quant,
             "pad the quantized map with zeros instead of quantizing the padded map");
  table.unbuilt({"--base"}, "INT", "1", "branches of a block (Group-Net)");
  table.unbuilt({"--block_alpha"}, "NUMBER", "1", "factor on the number of blocks");
  table.unbuilt({"--stem_kernel"}, "1|3", "1", "kernel of the space-to-depth stem");
  table.without_field({"--order"}, "LETTERS", "none", "layers of a lossless downsampling")
      .without_effect = "without keyword 'ReShapeResolution'";
  table.unbuilt({"--policy"}, "FILE", "none", "file that sets quantizer attributes by layer");
  table.unbuilt_flag({"--re_init"}, "initialize anew after loading");
  return std::move(table).rows();
}

}  // namespace lowbit::config
