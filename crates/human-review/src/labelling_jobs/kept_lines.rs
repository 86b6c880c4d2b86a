//! The lines of a manifest as a job keeps them: without texts that were erased, and without personal data.

use std::borrow::Cow;

use active_learning_aws::failure::chain;
use active_learning_aws::personal_data::{Masking, NotMasked};
use active_learning_core::erasure::ErasedTexts;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Map;
use sha2::{Digest, Sha256};

use super::drive::{Drive, DriveError};
use super::manifest::{ERASED_LINE, output_line, parse};
use super::record::{LookedThrough, PART_OBJECTS};

/// Lines that are looked through at a time.
const CONCURRENT: usize = 8;

impl Drive<'_> {
    /// Returns the lines of a manifest as they are kept; none where there was no time to look through all of them: those that
    /// Comprehend has looked through are stored, the job notes how many, and the next run goes on after them.
    pub(super) async fn kept_lines<'l>(
        &mut self,
        manifest: &[u8],
        lines: &[&'l [u8]],
        erased: &ErasedTexts,
    ) -> Result<Option<Vec<Cow<'l, [u8]>>>, DriveError> {
        let asks = self.jobs.masking.is_some_and(Masking::asks);
        let mut all = Vec::with_capacity(lines.len());
        let before = self.job.looked_through.take();
        if asks {
            let manifest = hex::encode(Sha256::digest(manifest));
            // What is stored besides may be as it came.
            let before = before.filter(|before| before.manifest == manifest);
            let parts = before.map_or(0, |before| before.parts);
            self.job.looked_through = Some(LookedThrough { manifest, parts });
        }
        for (number, lines) in lines.chunks(PART_OBJECTS).enumerate() {
            if let Some(before) = self.looked_through(number, lines.len()).await? {
                let again = lines.iter().zip(before);
                all.extend(again.map(|(line, before)| match is_of_erased(line, erased) {
                    true => Cow::Borrowed(ERASED_LINE),
                    false => Cow::Owned(before),
                }));
                continue;
            }
            if asks && self.is_over() {
                return Ok(None);
            }
            let kept: Vec<_> = lines
                .iter()
                .zip(self.first_object(number)..)
                .map(|(line, object)| kept(line, object, erased, self.jobs.masking))
                .collect();
            let kept: Vec<Cow<'l, [u8]>> = stream::iter(kept).buffered(CONCURRENT).try_collect().await?;
            if asks {
                self.write_lines(number, &kept).await?;
            }
            if let Some(looked_through) = &mut self.job.looked_through {
                looked_through.parts = number + 1;
            }
            all.extend(kept);
        }
        Ok(Some(all))
    }

    /// Returns the lines of a part that Comprehend has looked through in a run before.
    async fn looked_through(&self, number: usize, lines: usize) -> Result<Option<Vec<Vec<u8>>>, DriveError> {
        let looked_through = self.job.looked_through.as_ref();
        if looked_through.is_none_or(|looked_through| looked_through.parts <= number) {
            return Ok(None);
        }
        let before = self.jobs.find_lines(&self.job.name, number).await?;
        Ok(before.filter(|before| before.len() == lines))
    }
}

/// Returns a line of a manifest as it is kept: something else in its place where its text was erased, and its personal data
/// masked where that is wanted.
async fn kept<'l>(
    line: &'l [u8],
    object: usize,
    erased: &ErasedTexts,
    masking: Option<&Masking>,
) -> Result<Cow<'l, [u8]>, DriveError> {
    if is_of_erased(line, erased) {
        return Ok(Cow::Borrowed(ERASED_LINE));
    }
    let Some((masking, parsed)) = masking.zip(parse(line).ok()) else {
        return Ok(Cow::Borrowed(line));
    };
    let Some(mut text) = parsed.text("source") else {
        return Ok(Cow::Borrowed(line));
    };
    let kinds = masking.apply(&mut text).await;
    let kinds = kinds.map_err(|error| match error.is_of_text() {
        // It would be asked about, and billed, with each run.
        true => DriveError::Job(format!(
            "ManifestS3Uri: the text of object {object}, counted from 0: {}",
            chain(&error)
        )),
        false => DriveError::Outside(in_words(&error)),
    })?;
    if kinds.is_empty() {
        return Ok(Cow::Borrowed(line));
    }
    let source = Map::from_iter([("source".to_owned(), text.into())]);
    Ok(Cow::Owned(output_line(&parsed, &source).into_bytes()))
}

/// Says why a text could not be looked through now, for who waits for the job.
pub(super) fn in_words(error: &NotMasked) -> String {
    match error {
        NotMasked::Comprehend(refusal) => {
            format!("Comprehend did not look for personal data in a text: {refusal}")
        }
        NotMasked::OutOfPlace => "what Comprehend found in a text does not fit it".to_owned(),
    }
}

/// Returns whether the text of a line was erased.
fn is_of_erased(line: &[u8], erased: &ErasedTexts) -> bool {
    let text = || parse(line).ok()?.text("source");
    !erased.is_empty() && text().is_some_and(|text| erased.contains(&text))
}
