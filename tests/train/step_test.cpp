#include "lowbit/train/step.h"

#include <gtest/gtest.h>

#include "lowbit/models/factory.h"
#include "lowbit/optim/parameter_groups.h"
#include "lowbit/optim/sgd.h"
#include "trainer_fixture.h"

namespace lowbit::train {
namespace {

// Steps on the network of TrainerTest's runs.
class StepTest : public TrainerTest {
 protected:
  // What the first step adds to the loss of the epoch, per sample.
  double loss_of_step(models::Network& network) const {
    const config::Options& options = options_;
    const torch::Device device = torch::kCPU;
    optim::Sgd optimizer(optim::group_parameters(options.train, network), options.train);
    optim::LossScaler scaler(false, device);
    optim::Update update(optimizer, scaler, options.train, /*batches=*/9);
    update.begin(/*epoch=*/0, /*batch=*/0);
    EpochTotals totals(device);
    data::ResidentBatches source(
        data::load(options.data, data::Split::train),
        data::batch_options(options.data, data::Split::train, 1, kernels::Backend::cpu, device));
    BatchLoop loop =
        training_loop({network, update, totals, options.train}, source,
                      {.device = device, .compute_type = torch::kFloat32, .capture = false},
                      options.data.train_batch);
    loop.run(0, 8);
    return to_accuracy(totals.read().totals).loss;
  }

  std::shared_ptr<models::Network> network() const {
    torch::manual_seed(1);
    return models::make_network(options_.model);
  }

 private:
  const config::Options options_ = configuration("step", {}).options;
};

TEST_F(StepTest, ItsLossContainsTheQuantizationLossAndItsGradient) {
  const auto plain = network(), added = network();
  quant::Quantizer& quantizer = *added->quantizers().front();
  quantizer.set_loss(config::QuantLoss::l2, 3);
  const double difference = loss_of_step(*added) - loss_of_step(*plain);
  const double quantization = added->quantization_loss().item<double>();
  EXPECT_GT(quantization, 1e-4);
  EXPECT_NEAR(difference, quantization, 1e-5);
  const auto clip_of = [](const quant::Quantizer& of) { return of.named_parameters()["clip_val"]; };
  EXPECT_FALSE(torch::equal(clip_of(quantizer), clip_of(*plain->quantizers().front())));
}

}  // namespace
}  // namespace lowbit::train
