//! Lambda: text in, prediction out, review decision.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    classify::run().await
}
