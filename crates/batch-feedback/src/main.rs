//! Lambda: a file of feedback in S3.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    batch_feedback::run().await
}
