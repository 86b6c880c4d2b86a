//! Where texts to label go, and which of them are new.

use std::collections::HashSet;

use active_learning_aws::bucket::Bucket;
use active_learning_core::{keys::CLAIMS_FOLDER, sampling::duplicates::form_of};
use serde::Deserialize;

use super::Failure;
use crate::{import::are_asked, wording::counted_as};

/// Where texts to label go, and what is known of them.
#[derive(Debug)]
pub struct TextPlaces {
    /// Bucket of the batch files.
    pub uploads: Bucket,
    /// Training bucket.
    pub training: Bucket,
    /// Feedback bucket.
    pub feedback: Bucket,
    /// Classifier of texts that name none.
    pub classifier: String,
}

impl TextPlaces {
    /// Returns how many texts of a batch file, which is not handed in yet, are new.
    pub(super) async fn novelty_of(&self, lines: &[u8]) -> Result<Novelty, Failure> {
        let mut forms = HashSet::new();
        let (mut novelty, mut texts) = (Novelty::default(), Vec::new());
        for item in serde_json::Deserializer::from_slice(lines).into_iter::<Item>() {
            let text = item?.sentence;
            match forms.insert(form_of(&self.classifier, &text)) {
                true => texts.push(text),
                false => novelty.copies += 1,
            }
        }

        // A stack that was asked nothing yet knows no text.
        if self.feedback.list_after(CLAIMS_FOLDER, "", 1).await?.is_empty() {
            novelty.new = texts.len();
            return Ok(novelty);
        }
        let texts = texts.iter().map(|text| (&self.classifier[..], &text[..]));
        for is_known in are_asked(&self.training, &self.feedback, texts).await? {
            match is_known {
                true => novelty.known += 1,
                false => novelty.new += 1,
            }
        }
        Ok(novelty)
    }
}

/// A line of a file of texts.
#[derive(Deserialize)]
struct Item {
    sentence: String,
}

/// How many texts of a file are new.
#[derive(Debug, Default)]
pub(super) struct Novelty {
    new: usize,
    /// Asked, answered or waiting before.
    known: usize,
    /// Of another text of the file, in any spelling.
    copies: usize,
}

impl Novelty {
    /// Says what becomes of the texts of the file that has this key.
    pub(super) fn describe(&self, key: &str) -> String {
        let new = match self.new {
            0 => format!("No text of {key} is new."),
            new => format!(
                "{} to be labelled, of {key}.",
                counted_as(new, "text waits", "texts wait")
            ),
        };
        let known = counted_as(self.known, "text was", "texts were");
        let copies = counted_as(self.copies, "text is a copy", "texts are copies");
        let known = (self.known > 0).then(|| {
            format!(
                " {known} asked or answered before, or {} waiting already.",
                if self.known == 1 { "is" } else { "are" }
            )
        });
        let copies = (self.copies > 0).then(|| format!(" {copies} of others in the file."));
        new + &known.unwrap_or_default() + &copies.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use active_learning_aws::claims::Claims;
    use local_aws::{LocalAws, s3::BucketSpec};
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn texts_that_are_known_or_copies_do_not_wait_to_be_labelled() {
        let aws = LocalAws::in_memory();
        for name in ["uploads", "training", "feedback"] {
            let bucket = BucketSpec {
                name: name.to_owned(),
                ..BucketSpec::default()
            };
            aws.s3.put_bucket(bucket).expect("a new bucket");
        }
        let uploads = Bucket::new(aws_sdk_s3::Client::new(&aws.sdk_config()), "uploads");
        let places = TextPlaces {
            training: uploads.other("training"),
            feedback: uploads.other("feedback"),
            uploads,
            classifier: "default".to_owned(),
        };
        let told = async |texts: &[&str]| {
            let lines = texts
                .iter()
                .map(|text| json!({ "sentence": text }).to_string() + "\n");
            let lines = lines.collect::<String>().into_bytes();
            let novelty = places.novelty_of(&lines).await.expect("the buckets are there");
            novelty.describe("b.jsonl")
        };
        let first = told(&["Rain today", "Snow today"]).await;
        let claims = Claims::new(places.feedback.clone(), std::time::Duration::from_secs(86_400));
        for text in ["Rain today", "Snow today"] {
            let form = format!("text-{}", form_of("default", text));
            claims.hand_over(&form, "r").await.expect("written");
        }

        let again = told(&["Rain today", "Snow today"]).await;
        let some = told(&["Rain today", "Sun today", "Sun today"]).await;

        assert_eq!(first, "2 texts wait to be labelled, of b.jsonl.");
        assert_eq!(
            again,
            "No text of b.jsonl is new. 2 texts were asked or answered before, or are waiting already."
        );
        assert_eq!(
            some,
            "1 text waits to be labelled, of b.jsonl. 1 text was asked or answered before, or is waiting already. \
             1 text is a copy of others in the file."
        );
    }
}
