//! Lambda: human answers into labelled records.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    training_data::run().await
}
