//! Trains and runs the built-in model; Lambda: a Comprehend-compatible API.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    text_classifier::run().await
}
