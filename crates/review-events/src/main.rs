//! Lambda: tells the clients of predictions what people answered.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    review_events::run().await
}
