//! Blind review: items whose prediction the reviewer sees only after their own choice.

use std::str::FromStr;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Signal of items that measure the model: see
/// [`Signal::Audit`](active_learning_core::feedback::Signal::Audit).
const AUDIT: &str = "audit";

/// Share of the items, from 0 to 1, that are reviewed blind.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BlindShare(f64);

/// A share that is not from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a number from 0 to 1")]
pub struct InvalidShare;

impl FromStr for BlindShare {
    type Err = InvalidShare;

    fn from_str(text: &str) -> Result<Self, InvalidShare> {
        let share: f64 = text.parse().map_err(|_| InvalidShare)?;
        (0.0..=1.0)
            .contains(&share)
            .then_some(Self(share))
            .ok_or(InvalidShare)
    }
}

/// Marks the items of an input that are reviewed blind: `blind` is true. What drove their predictions is taken out.
///
/// Audits always are, since a prediction above the choice leans the measured accuracy towards the model. Of
/// the others the share is, chosen by loop and item: the same whenever the task is opened.
pub fn mark_blind(input: &mut Value, loop_id: &str, share: BlindShare) {
    let mut blind_ids = Vec::new();
    // Not by index, which makes it where there is none.
    let items = input
        .get_mut("comprehendPredictions")
        .and_then(Value::as_array_mut);
    for (item, number) in items.into_iter().flatten().zip(0_usize..) {
        if item.is_object() && (item["signal"] == AUDIT || is_drawn(loop_id, number, share)) {
            item["blind"] = json!(true);
            blind_ids.extend(item["id"].as_str().map(str::to_owned));
        }
    }
    if let Some(words) = input.get_mut("words").and_then(Value::as_object_mut) {
        words.retain(|id, _| !blind_ids.contains(id));
    }
}

fn is_drawn(loop_id: &str, number: usize, BlindShare(share): BlindShare) -> bool {
    let digest = Sha256::digest(format!("blind:{loop_id}:{number}"));
    let drawn = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    f64::from(drawn) < share * 2_f64.powi(32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blind(share: &str, signal: &str) -> usize {
        let items: Vec<Value> = (0..1_000)
            .map(|_| json!({ "utterance": "x", "signal": signal }))
            .collect();
        let mut input = json!({ "comprehendPredictions": items });

        mark_blind(&mut input, "a-loop", share.parse().expect("a share"));

        let items = input["comprehendPredictions"].as_array().expect("items");
        items.iter().filter(|item| item["blind"] == json!(true)).count()
    }

    #[test]
    fn audits_are_always_blind() {
        assert_eq!(blind("0", "audit"), 1_000);
        assert_eq!(blind("0", "low-confidence"), 0);
    }

    #[test]
    fn what_drove_a_prediction_is_kept_from_a_blind_review() {
        let mut input = json!({
            "comprehendPredictions": [{ "id": "a", "signal": "audit" }, { "id": "b", "signal": "dislike" }],
            "words": { "a": ["goal"], "b": ["bank"] },
        });

        mark_blind(&mut input, "a-loop", BlindShare::default());

        assert_eq!(input["words"], json!({ "b": ["bank"] }));
    }

    #[test]
    fn of_the_others_the_share_is_blind() {
        assert_eq!(blind("1", "dislike"), 1_000);
        let some = blind("0.25", "dislike");
        assert!((200..300).contains(&some), "{some}");
    }

    #[test]
    fn a_share_is_from_0_to_1() {
        for wrong in ["1.1", "-0.1", "NaN", "half"] {
            assert_eq!(wrong.parse::<BlindShare>(), Err(InvalidShare), "{wrong}");
        }
    }
}
