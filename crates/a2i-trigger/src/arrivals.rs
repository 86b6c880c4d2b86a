//! Counts what came for review by day, for the console: one small object, written once for each delivery.

use active_learning_aws::{
    bucket::{BucketError, Change, JSON, MAX_DOCUMENT_BYTES},
    metrics,
    s3_event::S3Object,
};
use active_learning_core::{
    feedback::arrivals::{Arrivals, DayOfArrivals},
    keys,
};
use chrono::SecondsFormat;
use lambda_runtime::tracing::warn;
use sha2::{Digest, Sha256};

use crate::{A2iTrigger, A2iTriggerError, FUNCTION};

impl A2iTrigger {
    /// Adds what came with an object to the sums of its day. Idempotent: the same object again adds nothing.
    ///
    /// The sums are shown, and decide nothing. So those that cannot be read are begun anew, and where too many deliveries
    /// write them at once, one is left out and logged: its texts are asked about all the same.
    pub(crate) async fn count_arrivals(
        &self,
        object: &S3Object,
        came: &DayOfArrivals,
        today: &str,
    ) -> Result<(), A2iTriggerError> {
        if came.is_empty() {
            return Ok(());
        }
        let time = object.time;
        let written = time.map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true));
        let at = written.unwrap_or_else(|| format!("{today}T00:00:00Z"));
        let delivery = delivery(object);
        let add = |content: Option<Vec<u8>>| {
            let mut arrivals = read(content.as_deref());
            let is_new = arrivals.add(&delivery, &at, came);
            let content = serde_json::to_vec(&arrivals).expect("sums have string keys and finite numbers");
            Ok(Change::to(is_new.then_some(content), ()))
        };
        let changed = self
            .feedback
            .change_bytes(keys::ARRIVALS, JSON, MAX_DOCUMENT_BYTES, add);
        match changed.await {
            Err(error @ BucketError::Contended { .. }) => {
                warn!(%error, "what came with {} is in no figure of its day", object.key);
                Ok(())
            }
            changed => Ok(changed?),
        }
    }
}

fn read(content: Option<&[u8]>) -> Arrivals {
    let Some(content) = content else {
        return Arrivals::default();
    };
    serde_json::from_slice(content).unwrap_or_else(|error| {
        warn!(%error, "{} is begun anew", keys::ARRIVALS);
        metrics::count(FUNCTION, &[("BegunAnew", 1)]);
        Arrivals::default()
    })
}

/// Names a delivered object in a few bytes.
fn delivery(object: &S3Object) -> String {
    let name = format!("{}\0{}", object.bucket, object.key);
    hex::encode(&Sha256::digest(name)[..8])
}
