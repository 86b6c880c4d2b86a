//! How API Gateway calls the portal.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Makes the event of a browser's request; `page` is relative to the portal, and may have a query.
pub fn portal_event(cookie: &str, method: &str, page: &str, form: &[(&str, &str)]) -> Value {
    let (path, query) = page.split_once('?').unwrap_or((page, ""));
    let query: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    json!({
        "resource": "/{proxy+}", "path": format!("/{path}"), "httpMethod": method,
        "headers": { "Host": "portal.example", "X-Forwarded-Proto": "https", "Cookie": cookie },
        "queryStringParameters": query,
        "requestContext": { "path": format!("/dev/{path}"), "stage": "dev", "requestId": "2" },
        "body": body, "isBase64Encoded": false,
    })
}
