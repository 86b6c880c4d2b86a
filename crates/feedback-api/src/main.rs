//! Lambda: likes, dislikes and corrections.

// One request at a time, which waits for services: a thread is enough, and wakes no other.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    feedback_api::run().await
}
