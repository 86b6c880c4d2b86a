//! Lambda: the steps of the model-building state machine.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    model_building::run().await
}
