//! Lambda: delivered feedback into human loops.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    a2i_trigger::run().await
}
