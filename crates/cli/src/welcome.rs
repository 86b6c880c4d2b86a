//! What a user sees when the stack is ready.

use crate::outputs::StackOutputs;

/// What the classifier learned first, and the commands are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Examples {
    /// The news that are shipped.
    News,
    /// Texts of the user's own.
    Own,
}

/// Renders the addresses of the stack and three commands to begin with.
pub fn welcome(stack: &StackOutputs, examples: Examples) -> String {
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
        welcome += &commands(stack, examples);
    }
    welcome
}

/// Three commands: classify a text, dislike the answer, hand in a file of texts.
fn commands(stack: &StackOutputs, examples: Examples) -> String {
    let StackOutputs {
        endpoint_url,
        api_key_value: key,
        ..
    } = stack;
    let classify = stack.output("TextClassificationApiGatewayID");
    let feedback = stack.output("FeedbackAPIGatewayID");
    let bucket = stack.output("BatchUploadS3Bucket");
    let [first, second, third] = match examples {
        Examples::News => [
            r#""classifier":"news","sentence":"The city wants to buy the club a new stadium.""#,
            r#""classifier":"news","sentence":"Shares fell after the merger was called off.""#,
            r#""classifier":"news","sentences":["A probe landed on the far side of the Moon."]"#,
        ],
        Examples::Own => [
            r#""sentence":"A text of your own.""#,
            r#""sentence":"A text with a wrong label.""#,
            r#""sentences":["One more text.","And another one."]"#,
        ],
    };
    format!(
        r#"
  curl -H 'x-api-key: {key}' -d '{{{first}}}' {classify}
  curl -H 'x-api-key: {key}' -d '{{{second},"feedback":"dislike"}}' {feedback}
  curl --aws-sigv4 aws:amz:us-east-1:s3 --user test:test -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' -X PUT --data-binary '{{{third}}}' {endpoint_url}/{bucket}/first.json
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
            damaged_objects: Vec::new(),
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

        let text = welcome(&stack("k3y", &outputs), Examples::News);

        let commands: Vec<_> = text.lines().filter(|line| line.starts_with("  curl ")).collect();
        assert_eq!(commands.len(), 3);
        assert!(commands[0].ends_with(" http://127.0.0.1:4566/_aws/execute-api/a/dev/classify"));
        assert!(commands[1].ends_with(" http://127.0.0.1:4566/_aws/execute-api/b/dev/feedback"));
        assert!(commands[2].ends_with(" http://127.0.0.1:4566/uploads/first.json"));
        assert!(commands[0].contains("'x-api-key: k3y'"));
    }

    #[test]
    fn who_comes_with_own_texts_reads_nothing_of_news() {
        let outputs = [("TextClassificationApiGatewayID", "http://127.0.0.1:4566/classify")];

        let text = welcome(&stack("k3y", &outputs), Examples::Own);

        assert!(
            text.contains(r#"-d '{"sentence":"A text of your own."}' http"#),
            "{text}"
        );
        assert!(!text.contains("news"), "{text}");
    }

    #[test]
    fn a_stack_without_apis_shows_its_endpoint_only() {
        let text = welcome(&stack("", &[]), Examples::News);

        assert!(text.contains("AWS endpoint      http://127.0.0.1:4566\n"));
        assert!(!text.contains("curl") && !text.contains("sign-in"));
    }
}
