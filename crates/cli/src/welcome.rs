//! What a user sees when the stack is ready.

use crate::outputs::StackOutputs;

/// Renders the addresses of the stack and three commands to begin with.
pub fn welcome(stack: &StackOutputs) -> String {
    let rows = [
        ("Classify", stack.output("TextClassificationApiGatewayID")),
        ("Feedback", stack.output("FeedbackAPIGatewayID")),
        ("API key", &stack.api_key_value),
        ("Batch files", stack.output("BatchUploadS3Bucket")),
        ("You sign in", &stack.sign_in_url),
        ("AWS endpoint", &stack.endpoint_url),
    ];
    // A row whose output the template does not have says nothing.
    let table: String = rows
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("  {name:<17} {value}\n"))
        .collect();
    let mut welcome =
        format!("The stack runs. Ctrl-C stops it; the next start goes on from there.\n\n{table}\n");
    if !stack.sign_in_url.is_empty() {
        welcome += "The sign-in link works once, and is an admin's: it opens the console too. \
                    `active-learning sign-in-link` makes one for a reviewer. ";
    }
    welcome += "At the AWS endpoint the user `test` with the secret `test` has all rights.\n";
    if !stack.api_key_value.is_empty() {
        welcome += &commands(stack);
    }
    welcome
}

/// Three commands: classify a text, dislike the answer, hand in a file of texts.
fn commands(stack: &StackOutputs) -> String {
    let StackOutputs {
        endpoint_url,
        api_key_value: key,
        ..
    } = stack;
    let classify = stack.output("TextClassificationApiGatewayID");
    let feedback = stack.output("FeedbackAPIGatewayID");
    let bucket = stack.output("BatchUploadS3Bucket");
    format!(
        r#"
  curl -H 'x-api-key: {key}' -d '{{"classifier":"news","sentence":"The city wants to buy the club a new stadium."}}' {classify}
  curl -H 'x-api-key: {key}' -d '{{"classifier":"news","sentence":"Shares fell after the merger was called off.","feedback":"dislike"}}' {feedback}
  curl --aws-sigv4 aws:amz:us-east-1:s3 --user test:test -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' -X PUT --data-binary '{{"classifier":"news","sentences":["A probe landed on the far side of the Moon."]}}' {endpoint_url}/{bucket}/first.json
"#
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn stack(api_key_value: &str, outputs: &[(&str, &str)]) -> StackOutputs {
        StackOutputs {
            endpoint_url: "http://127.0.0.1:4566".to_owned(),
            api_key_value: api_key_value.to_owned(),
            portal_url: String::new(),
            sign_in_url: String::new(),
            outputs: (outputs.iter())
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect::<BTreeMap<_, _>>(),
        }
    }

    #[test]
    fn the_commands_can_be_pasted() {
        let outputs = [
            (
                "TextClassificationApiGatewayID",
                "http://127.0.0.1:4566/_aws/execute-api/a/dev/classify",
            ),
            (
                "FeedbackAPIGatewayID",
                "http://127.0.0.1:4566/_aws/execute-api/b/dev/feedback",
            ),
            ("BatchUploadS3Bucket", "uploads"),
        ];

        let text = welcome(&stack("k3y", &outputs));

        let commands: Vec<_> = text.lines().filter(|line| line.starts_with("  curl ")).collect();
        assert_eq!(commands.len(), 3);
        assert!(commands[0].ends_with(" http://127.0.0.1:4566/_aws/execute-api/a/dev/classify"));
        assert!(commands[1].ends_with(" http://127.0.0.1:4566/_aws/execute-api/b/dev/feedback"));
        assert!(commands[2].ends_with(" http://127.0.0.1:4566/uploads/first.json"));
        assert!(commands[0].contains("'x-api-key: k3y'"));
    }

    #[test]
    fn a_stack_without_apis_shows_its_endpoint_only() {
        let text = welcome(&stack("", &[]));

        assert!(text.contains("AWS endpoint      http://127.0.0.1:4566\n"));
        assert!(!text.contains("curl") && !text.contains("sign-in"));
    }
}
