//! Lambda: text in, prediction out, review decision.

// One request at a time, which waits for services: a thread is enough, and wakes no other.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    classify::run().await
}
