//! Writes feedback records to the delivery stream, with an outcome for every record.

use std::time::Duration;

use active_learning_core::{feedback::FeedbackRecord, text::counted_as};
use aws_sdk_firehose::{Client, error::BoxError, primitives::Blob, types::Record};

use crate::failure::Refusal;

/// Most records of one `PutRecordBatch`. Source: Amazon Data Firehose quotas.
pub const MAX_BATCH_RECORDS: usize = 500;

/// Largest `PutRecordBatch`, all records together, in bytes. Source: Amazon Data Firehose quotas.
pub const MAX_BATCH_BYTES: usize = 4 << 20;

/// Tries of one batch before its refused records are given up: about a minute.
///
/// In most regions a stream takes 1 MiB a second, so batches in flight together wait for one another.
/// Source: Amazon Data Firehose quotas.
const MAX_TRIES: u32 = 14;

/// Longest pause between two tries.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Records that the stream did not take.
#[derive(Debug, thiserror::Error)]
#[error("{} not stored", counted_as(*remaining, "feedback record was", "feedback records were"))]
pub struct PublishError {
    /// Number of records that are not stored.
    pub remaining: usize,
    /// What the stream answered last.
    #[source]
    pub source: BoxError,
}

/// The delivery stream that feedback flows through.
#[derive(Clone, Debug)]
pub struct FeedbackStream {
    client: Client,
    name: String,
}

impl FeedbackStream {
    /// Names the stream to write to.
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// Stores one record; once this returns, the stream holds it.
    ///
    /// # Errors
    ///
    /// [`PublishError`] after the SDK's retries. The record may still have been stored.
    pub async fn publish(&self, record: &FeedbackRecord) -> Result<(), PublishError> {
        let sent = match entry(record.to_line()) {
            Ok(entry) => {
                let call = self
                    .client
                    .put_record()
                    .delivery_stream_name(&self.name)
                    .record(entry);
                let sent = call.send().await.map(|_| ());
                sent.map_err(|error| Refusal::from(error).into())
            }
            Err(error) => Err(error),
        };
        sent.map_err(|source| PublishError { remaining: 1, source })
    }

    /// Stores up to [`MAX_BATCH_RECORDS`] lines of together at most [`MAX_BATCH_BYTES`].
    ///
    /// The stream may take some and refuse others; the refused ones alone are sent again, with
    /// exponential back-off, for about a minute. A refusal that time does not mend is final at once.
    ///
    /// # Errors
    ///
    /// [`PublishError`] naming how many lines remain.
    pub async fn publish_batch(&self, lines: Vec<String>) -> Result<(), PublishError> {
        let mut remaining = lines;
        let mut pause = Duration::from_millis(100);
        for attempt in 1.. {
            let source = match self.put_batch(&remaining).await {
                Ok(refused) if refused.is_empty() => return Ok(()),
                Ok(refused) => {
                    let reason = format!("the stream refused {} of {}", refused.len(), remaining.len());
                    remaining = refused;
                    reason.into()
                }
                Err(error) => error,
            };
            let refusal: Option<&Refusal> = source.downcast_ref();
            if attempt == MAX_TRIES || refusal.is_some_and(|refusal| !refusal.is_transient()) {
                return Err(PublishError {
                    remaining: remaining.len(),
                    source,
                });
            }
            tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
            pause = MAX_PAUSE.min(pause * 2);
        }
        unreachable!("the last attempt returns")
    }

    /// Sends one batch and returns the lines that were refused.
    async fn put_batch(&self, lines: &[String]) -> Result<Vec<String>, BoxError> {
        let mut call = self.client.put_record_batch().delivery_stream_name(&self.name);
        for line in lines {
            call = call.records(entry(line.clone())?);
        }
        let answer = call.send().await.map_err(Refusal::from)?;
        if answer.failed_put_count() == 0 {
            return Ok(Vec::new());
        }
        if answer.request_responses().len() != lines.len() {
            return Err("the stream answered for another number of records".into());
        }
        let outcomes = lines.iter().zip(answer.request_responses());
        Ok(outcomes
            .filter(|(_, outcome)| outcome.error_code().is_some())
            .map(|(line, _)| line.clone())
            .collect())
    }
}

fn entry(line: String) -> Result<Record, BoxError> {
    Ok(Record::builder().data(Blob::new(line.into_bytes())).build()?)
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, sync::Mutex};

    use aws_credential_types::Credentials;
    use axum::{Router, http::StatusCode};
    use base64::{Engine, prelude::BASE64_STANDARD};
    use serde_json::{Value, json};

    use super::*;

    /// A Firehose that answers as told and remembers what it was sent.
    #[derive(Default)]
    struct Script {
        answers: VecDeque<(u16, Value)>,
        sent: Vec<Vec<String>>,
    }

    fn stream(script: &'static Mutex<Script>) -> FeedbackStream {
        let router = Router::new().fallback(move |body: axum::body::Bytes| async move {
            let request: Value = serde_json::from_slice(&body).expect("the SDK sends JSON");
            let records = request["Records"].as_array().expect("a batch").iter();
            let mut script = script.lock().expect("no test panics with the lock held");
            script
                .sent
                .push(records.map(|record| text(&record["Data"])).collect());
            let (status, answer) = script
                .answers
                .pop_front()
                .unwrap_or((500, json!({"__type": "InternalFailure"})));
            (
                StatusCode::from_u16(status).expect("a status"),
                answer.to_string(),
            )
        });
        let config = local_aws::transport::sdk_config(router, Credentials::from_keys("test", "test", None));
        FeedbackStream::new(Client::new(&config), "feedback".into())
    }

    fn text(data: &Value) -> String {
        let bytes = BASE64_STANDARD
            .decode(data.as_str().expect("text"))
            .expect("base64");
        String::from_utf8(bytes).expect("UTF-8")
    }

    fn answer(refused: &[bool]) -> (u16, Value) {
        let entries = refused.iter().map(|refused| match refused {
            true => json!({"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}),
            false => json!({"RecordId": "1"}),
        });
        let count = refused.iter().filter(|refused| **refused).count();
        (
            200,
            json!({"FailedPutCount": count, "RequestResponses": entries.collect::<Vec<_>>()}),
        )
    }

    fn script(answers: impl Into<VecDeque<(u16, Value)>>) -> &'static Mutex<Script> {
        Box::leak(Box::new(Mutex::new(Script {
            answers: answers.into(),
            ..Script::default()
        })))
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_refused_entries_of_a_batch_are_sent_again() {
        let script = script([
            answer(&[false, true, true]),
            answer(&[true, false]),
            answer(&[false]),
        ]);

        let stored = stream(script)
            .publish_batch(["a\n", "b\n", "c\n"].map(str::to_owned).to_vec())
            .await;

        assert!(stored.is_ok());
        let sent = &script.lock().expect("no panic").sent;
        assert_eq!(
            *sent,
            [vec!["a\n", "b\n", "c\n"], vec!["b\n", "c\n"], vec!["b\n"]]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_is_throttled_for_long_takes_the_batch_in_the_end() {
        let throttled = std::iter::repeat_n(answer(&[true]), 10);
        let script = script(throttled.chain([answer(&[false])]).collect::<VecDeque<_>>());

        let stored = stream(script).publish_batch(vec!["a\n".into()]).await;

        assert!(stored.is_ok());
        assert_eq!(script.lock().expect("no panic").sent.len(), 11);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_that_time_does_not_mend_is_final_and_its_words_stay_out() {
        let denied = json!({"__type": "AccessDeniedException", "message": "Not this: the minister"});
        let script = script([(400, denied), answer(&[false])]);

        let error = stream(script)
            .publish_batch(vec!["a\n".into()])
            .await
            .expect_err("denied");

        assert_eq!(script.lock().expect("no panic").sent.len(), 1);
        assert_eq!(
            crate::failure::chain(&error),
            "1 feedback record was not stored: refused with AccessDeniedException, HTTP 400"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_stays_unavailable_is_an_error_that_counts_what_remains() {
        let error = stream(script([]))
            .publish_batch(vec!["a\n".into(), "b\n".into()])
            .await
            .expect_err("down");

        assert_eq!(error.to_string(), "2 feedback records were not stored");
    }
}
