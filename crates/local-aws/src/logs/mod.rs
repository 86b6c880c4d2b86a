//! Amazon CloudWatch Logs, as far as users look into the logs of functions: read only, over the log files.
//!
//! Differs from CloudWatch Logs:
//! - Log files are closed each day and at eight megabytes; they expire as wholes, when their last line is older than
//!   the group's retention, and at most 30 closed ones of a function are kept.
//! - A log group has one stream, `local`, with what all of its functions printed.
//! - An event has the time that its line says (`timestamp`, or that of embedded metrics). Another has that of the next
//!   line which says one, or of the file's last change.
//! - Filter patterns are words, `"phrases"`, `?any`, `-not`, and one comparison of a JSON field with a text; others are
//!   refused.
//! - Only `DescribeLogGroups`, `DescribeLogStreams`, `FilterLogEvents`, `GetLogEvents` and `ListTagsForResource` answer; nothing is stored in
//!   other groups.

mod event;
mod pattern;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use axum::body::Body;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use http::{Request, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use self::{event::LogEvent, pattern::Pattern};
use crate::{
    ACCOUNT_ID,
    aws_error::AwsError,
    iam::{Iam, Principal},
    json_protocol, log_file,
    service::{Protocol, Service},
    store::Store,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MAX_BODY_BYTES: usize = 64 * 1024;
/// Most events in one answer, unless the request says less.
const PAGE_EVENTS: usize = 10_000;
/// Most groups in one answer.
const PAGE_GROUPS: usize = 50;
/// The class of every group.
const CLASS: &str = "STANDARD";
/// The stream that every group has.
const STREAM: &str = "local";

/// Returns whether a filter pattern shows a line of a log.
///
/// # Errors
///
/// Says what of the pattern is wrong or not implemented.
pub fn shows(pattern: &str, line: &str) -> Result<bool, String> {
    let pattern = Pattern::parse(pattern).map_err(|error| error.message().to_owned())?;
    Ok(pattern.matches(line))
}

/// A log group of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogGroupSpec {
    /// Name.
    pub name: String,
    /// Days for which log files are kept after their last line; `None` for as long as there is room.
    pub retention_days: Option<u32>,
    /// Names of the functions that log to it.
    pub functions: Vec<String>,
    /// When it was made.
    pub created: DateTime<Utc>,
}

/// The service.
#[derive(Debug)]
pub struct Logs {
    store: Arc<Store>,
    iam: Arc<Iam>,
    region: String,
    groups: RwLock<BTreeMap<String, LogGroupSpec>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupsRequest {
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    log_group_class: Option<String>,
    limit: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TagsRequest {
    resource_arn: Option<String>,
}

/// What the requests of one group have, each a part of it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventsRequest {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name: Option<String>,
    log_stream_names: Option<Vec<String>>,
    log_stream_name_prefix: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    filter_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<usize>,
    #[serde(default)]
    start_from_head: bool,
}

impl Service for Arc<Logs> {
    fn name(&self) -> &'static str {
        "logs"
    }

    fn protocol(&self) -> Protocol {
        Protocol::Json {
            prefix: "Logs_20140328",
            content_type: json_protocol::JSON_1_1,
        }
    }

    fn serve(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>> {
        Box::pin(Logs::handle(self, request))
    }
}

impl Logs {
    /// Makes the service without groups.
    pub fn new(store: Arc<Store>, iam: Arc<Iam>, region: String) -> Self {
        Self {
            store,
            iam,
            region,
            groups: RwLock::default(),
        }
    }

    /// Adds or replaces a log group.
    pub fn put_log_group(&self, spec: LogGroupSpec) {
        let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
        groups.insert(spec.name.clone(), spec);
    }

    /// Answers one request, whose caller the gateway has put into its extensions.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        json_protocol::reply(self.answer(request).await)
    }

    /// Removes the log files that have expired at `now`. Blocks.
    pub fn sweep(&self, now: SystemTime) {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner).clone();
        for group in groups.values() {
            let Some(days) = group.retention_days else {
                continue;
            };
            for function in &group.functions {
                let path = self.store.logs().join(format!("{function}.log"));
                if let Err(error) = log_file::expire(&path, days * DAY, now) {
                    tracing::warn!(function, %error, "expired log files could not be removed");
                }
            }
        }
    }

    /// Sweeps at once and then every hour, for ever.
    pub async fn run(self: Arc<Self>) {
        let mut hour = tokio::time::interval(Duration::from_secs(60 * 60));
        loop {
            hour.tick().await;
            let logs = self.clone();
            let swept = tokio::task::spawn_blocking(move || logs.sweep(SystemTime::now()));
            if let Err(error) = swept.await {
                tracing::error!(%error, "expired log files could not be removed");
            }
        }
    }

    async fn answer(&self, request: Request<Body>) -> Result<Value, AwsError> {
        let caller = json_protocol::caller(&request)?;
        let operation = json_protocol::operation(request.headers(), "Logs_20140328.");
        let body = request.into_body();
        match operation.as_str() {
            "DescribeLogGroups" => {
                self.authorize(&caller, "logs:DescribeLogGroups", "*")?;
                let known = [
                    "logGroupNamePrefix",
                    "logGroupNamePattern",
                    "logGroupClass",
                    "limit",
                    "nextToken",
                ];
                let of = ("logs", "DescribeLogGroups");
                self.describe_groups(&json_protocol::parse_known(body, MAX_BODY_BYTES, of, &known).await?)
            }
            "DescribeLogStreams" | "FilterLogEvents" | "GetLogEvents" => {
                let request: EventsRequest = json_protocol::parse(body, MAX_BODY_BYTES).await?;
                let group = self.find(&caller, &format!("logs:{operation}"), &request)?;
                match operation.as_str() {
                    // There is one stream, so one page.
                    "DescribeLogStreams" if request.next_token.is_some() => {
                        Err(invalid("The specified nextToken is invalid."))
                    }
                    "DescribeLogStreams" => Ok(self.describe_streams(&group, &request)),
                    "FilterLogEvents" => self.filter(&group, &request),
                    _ => self.get(&group, &request),
                }
            }
            "ListTagsForResource" => {
                let request: TagsRequest = json_protocol::parse(body, MAX_BODY_BYTES).await?;
                let request = EventsRequest {
                    log_group_identifier: request.resource_arn,
                    ..EventsRequest::default()
                };
                self.find(&caller, "logs:ListTagsForResource", &request)?;
                Ok(json!({ "tags": {} }))
            }
            other => Err(AwsError::not_implemented("logs", other)),
        }
    }

    fn describe_groups(&self, request: &GroupsRequest) -> Result<Value, AwsError> {
        let limit = request.limit.unwrap_or(PAGE_GROUPS);
        if !(1..=PAGE_GROUPS).contains(&limit) {
            return Err(invalid(&format!(
                "limit must be from 1 to {PAGE_GROUPS}, not {limit}"
            )));
        }
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        let prefix = request.log_group_name_prefix.as_deref().unwrap_or_default();
        let part = request.log_group_name_pattern.as_deref().unwrap_or_default();
        let groups: Vec<&LogGroupSpec> = groups
            .values()
            .filter(|group| group.name.starts_with(prefix) && group.name.contains(part))
            .filter(|_| {
                request
                    .log_group_class
                    .as_deref()
                    .is_none_or(|class| class == CLASS)
            })
            .collect();
        let page = json_protocol::page(groups, request.next_token.as_deref(), limit);
        let (groups, next) = page.ok_or_else(|| invalid("The specified nextToken is invalid."))?;
        let groups: Vec<Value> = groups
            .into_iter()
            .map(|group| {
                let arn = self.arn(&group.name);
                let mut json = json!({
                    "logGroupName": group.name,
                    "creationTime": group.created.timestamp_millis(),
                    "metricFilterCount": 0,
                    "arn": format!("{arn}:*"),
                    "logGroupArn": arn,
                    "storedBytes": event::stored_bytes(&self.store.logs(), &group.functions),
                    "logGroupClass": CLASS,
                });
                if let Some(days) = group.retention_days {
                    json["retentionInDays"] = days.into();
                }
                json
            })
            .collect();
        let mut answer = json!({ "logGroups": groups });
        if let Some(token) = next {
            answer["nextToken"] = token.into();
        }
        Ok(answer)
    }

    fn describe_streams(&self, group: &LogGroupSpec, request: &EventsRequest) -> Value {
        let prefix = request.log_stream_name_prefix.as_deref().unwrap_or_default();
        let events = event::read(&self.store.logs(), &group.functions);
        let (Some(first), Some(last)) = (events.first(), events.last()) else {
            return json!({ "logStreams": [] });
        };
        if !STREAM.starts_with(prefix) {
            return json!({ "logStreams": [] });
        }
        json!({ "logStreams": [{
            "logStreamName": STREAM,
            "creationTime": first.at,
            "firstEventTimestamp": first.at,
            "lastEventTimestamp": last.at,
            "lastIngestionTime": last.at,
            "uploadSequenceToken": "1",
            "arn": format!("{}:log-stream:{STREAM}", self.arn(&group.name)),
            "storedBytes": 0,
        }] })
    }

    fn filter(&self, group: &LogGroupSpec, request: &EventsRequest) -> Result<Value, AwsError> {
        let pattern = Pattern::parse(request.filter_pattern.as_deref().unwrap_or_default())?;
        let prefix = request.log_stream_name_prefix.as_deref().unwrap_or_default();
        let named = request.log_stream_names.as_deref();
        let in_stream =
            STREAM.starts_with(prefix) && named.is_none_or(|it| it.iter().any(|name| name == STREAM));

        let events = event::read(&self.store.logs(), &group.functions);
        let events = (events.iter().enumerate())
            .filter(|(_, event)| in_stream && is_within(event, request) && pattern.matches(&event.message));
        let (skip, limit) = (offset(request, "")?.unwrap_or(0), limit(request));
        let mut page: Vec<Value> = Vec::new();
        let mut next = None;
        for (index, event) in events.filter(|(index, _)| *index >= skip) {
            if page.len() == limit {
                next = Some(index.to_string());
                break;
            }
            page.push(json!({
                "logStreamName": STREAM,
                "timestamp": event.at,
                "ingestionTime": event.at,
                "message": event.message,
                "eventId": format!("{index:056}"),
            }));
        }
        let mut answer = json!({ "events": page, "searchedLogStreams": [] });
        if let Some(token) = next {
            answer["nextToken"] = token.into();
        }
        Ok(answer)
    }

    fn get(&self, group: &LogGroupSpec, request: &EventsRequest) -> Result<Value, AwsError> {
        if request.log_stream_name.as_deref() != Some(STREAM) {
            return Err(not_found("The specified log stream does not exist."));
        }
        let events = event::read(&self.store.logs(), &group.functions);
        let events: Vec<_> = events.iter().filter(|event| is_within(event, request)).collect();

        let limit = limit(request);
        let (begin, end) = match (offset(request, "f/")?, offset(request, "b/")?) {
            (Some(begin), _) => (begin, begin.saturating_add(limit)),
            (None, Some(end)) => (end.saturating_sub(limit), end),
            (None, None) if request.start_from_head => (0, limit),
            (None, None) => (events.len().saturating_sub(limit), events.len()),
        };
        let (begin, end) = (begin.min(events.len()), end.min(events.len()));
        let page: Vec<Value> = events[begin..end]
            .iter()
            .map(
                |event| json!({ "timestamp": event.at, "ingestionTime": event.at, "message": event.message }),
            )
            .collect();
        Ok(json!({
            "events": page,
            "nextForwardToken": format!("f/{end}"),
            "nextBackwardToken": format!("b/{begin}"),
        }))
    }

    /// Finds the group that a request names, for a caller who may.
    fn find(
        &self,
        caller: &Principal,
        action: &str,
        request: &EventsRequest,
    ) -> Result<LogGroupSpec, AwsError> {
        let name = request.log_group_name.as_deref();
        let name = name
            .or(request.log_group_identifier.as_deref())
            .unwrap_or_default();
        let name = name.rsplit(":log-group:").next().unwrap_or_default();
        let name = name.strip_suffix(":*").unwrap_or(name);
        self.authorize(caller, action, &format!("{}:*", self.arn(name)))?;
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        let group = groups.get(name).cloned();
        group.ok_or_else(|| not_found("The specified log group does not exist."))
    }

    fn arn(&self, name: &str) -> String {
        format!("arn:aws:logs:{}:{ACCOUNT_ID}:log-group:{name}", self.region)
    }

    fn authorize(&self, caller: &Principal, action: &str, resource: &str) -> Result<(), AwsError> {
        self.iam.permit(caller, action, resource)?;
        Ok(())
    }
}

fn is_within(event: &LogEvent, request: &EventsRequest) -> bool {
    request.start_time.is_none_or(|start| start <= event.at)
        && request.end_time.is_none_or(|end| event.at < end)
}

fn limit(request: &EventsRequest) -> usize {
    request.limit.unwrap_or(PAGE_EVENTS).clamp(1, PAGE_EVENTS)
}

/// Reads the position in a paging token, if it is one of this kind.
fn offset(request: &EventsRequest, kind: &str) -> Result<Option<usize>, AwsError> {
    let Some(token) = request.next_token.as_deref().filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    let known = ["f/", "b/"]
        .iter()
        .find(|it| token.starts_with(*it))
        .copied()
        .unwrap_or_default();
    let position = token[known.len()..]
        .parse()
        .map_err(|_| invalid("The specified nextToken is invalid."))?;
    Ok((known == kind).then_some(position))
}

fn not_found(message: &str) -> AwsError {
    AwsError::new(400, "ResourceNotFoundException", message)
}

fn invalid(message: &str) -> AwsError {
    AwsError::new(400, "InvalidParameterException", message)
}
