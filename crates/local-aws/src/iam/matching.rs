//! Patterns of policies: with `*` and `?`, of texts and of ARNs.

/// Matches an ARN part by part, so that a `*` does not reach over a colon into the next part; the
/// last part, which may hold colons itself, is one.
pub(super) fn arn_like(pattern: &str, arn: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let (patterns, parts) = (pattern.splitn(6, ':'), arn.splitn(6, ':'));
    patterns.clone().count() == parts.clone().count()
        && patterns.zip(parts).all(|(pattern, part)| wildcard(pattern, part))
}

/// Matches `*` (any characters, or none) and `?` (one character).
pub(super) fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at_pattern, mut at_text) = (0, 0);
    // Where to go on after the last `*` if the characters behind it turn out not to match.
    let mut retry: Option<(usize, usize)> = None;
    while at_text < text.len() {
        match pattern.get(at_pattern) {
            Some('*') => {
                at_pattern += 1;
                retry = Some((at_pattern, at_text));
            }
            Some(&expected) if expected == '?' || expected == text[at_text] => {
                at_pattern += 1;
                at_text += 1;
            }
            _ => match retry {
                Some((after_star, from)) => {
                    retry = Some((after_star, from + 1));
                    (at_pattern, at_text) = (after_star, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at_pattern..].iter().all(|&rest| rest == '*')
}
