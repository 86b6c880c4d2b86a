//! Lambda: an A2I-runtime-compatible review service and the reviewers' portal.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    human_review::run().await
}
