//! The function: what it answers says the path of the request.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[test]
#[ignore = "the program that the other tests start as their function"]
fn function_process() {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("the runtime starts");
    runtime
        .block_on(lambda_runtime::run(service_fn(handle)))
        .expect("the service answers until it ends");
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let event = event.payload;
    let path = event.get("rawPath").or(event.get("path")).and_then(Value::as_str);
    match path.unwrap_or_default() {
        "/fail" => Err("this request cannot be handled".into()),
        "/malformed" => Ok(json!({"statusCode": "no status"})),
        "/wait" => std::future::pending().await,
        "/hang-once" => {
            let marker = event["input"]["marker"].as_str().ok_or("no marker")?;
            if std::fs::exists(marker)? {
                return Ok(json!("called again"));
            }
            std::fs::write(marker, "")?;
            std::future::pending().await
        }
        "/inferred" => Ok(json!({"Classes": []})),
        "/refuse" => Ok(json!({
            "statusCode": 400,
            "headers": {"x-amzn-errortype": "TextSizeLimitExceededException"},
            "body": "{\"Message\":\"too long\"}",
        })),
        _ => Ok(json!({
            "statusCode": 200,
            "headers": {"content-type": "application/x-amz-json-1.1", "x-from": "function"},
            "body": event.to_string(),
        })),
    }
}
