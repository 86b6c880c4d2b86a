//! Lambda: likes, dislikes and corrections.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    feedback_api::run().await
}
