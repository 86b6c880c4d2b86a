//! Lambda: human answers into labelled records.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    label_collection::run().await
}
