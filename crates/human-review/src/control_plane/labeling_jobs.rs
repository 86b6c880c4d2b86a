//! Labelling jobs on the wire: `CreateLabelingJob`, `DescribeLabelingJob`, `ListLabelingJobs`,
//! `ListLabelingJobsForWorkteam`, `StopLabelingJob`.

use std::collections::BTreeSet;
use std::pin::pin;

use active_learning_aws::bucket::{BucketError, Created};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Deserialize;
use serde_json::{Value, json};

use super::labeling_job_request::CreateJob;
use super::listing::{ListRequest, Page, unknown_token};
use super::{ControlError, ControlPlane, checked_name, epoch, invalid, required};
use crate::flows::Resource;
use crate::labelling_jobs::exclusions::lacking;
use crate::labelling_jobs::listed::{Listed, MARKS};
use crate::labelling_jobs::record::{Job, JobStatus, Template};
use crate::marks::Order;

/// Labelling jobs of a stack that are not final. Source: Ground Truth quotas, concurrent jobs of a Region.
const MAX_OPEN_JOBS: usize = 20;
/// Documents read at a time.
const CONCURRENT_READS: usize = 16;
/// Requests for marks of a page, of which each says a thousand.
const MAX_LISTS: usize = 2;
const STATUSES: [JobStatus; 6] = [
    JobStatus::Initializing,
    JobStatus::InProgress,
    JobStatus::Completed,
    JobStatus::Failed,
    JobStatus::Stopping,
    JobStatus::Stopped,
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneJob {
    labeling_job_name: Option<String>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListJobs {
    #[serde(flatten)]
    list: ListRequest,
    status_equals: Option<String>,
    last_modified_time_after: Option<f64>,
    last_modified_time_before: Option<f64>,
    /// Those of a work team only.
    #[serde(skip)]
    of_team: Option<OfTeam>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListJobsOfTeam {
    #[serde(flatten)]
    list: ListRequest,
    workteam_arn: Option<String>,
    job_reference_code_contains: Option<String>,
}

/// Which jobs of a work team are wanted.
#[derive(Clone)]
struct OfTeam {
    arn: String,
    code_contains: Option<String>,
}

impl ControlPlane<'_> {
    pub(super) async fn create_job(&self, request: Value) -> Result<Value, ControlError> {
        let job = self.new_job(request).await?;
        match self.jobs.create(&job).await? {
            Created::Created => Ok(json!({ "LabelingJobArn": job.arn })),
            Created::Exists => Err(taken(&job.name)),
        }
    }

    /// Returns the job that a request asks for, where it may be created.
    pub(super) async fn new_job(&self, request: Value) -> Result<Job, ControlError> {
        let checked: CreateJob =
            serde_json::from_value(request.clone()).map_err(ControlError::Serialization)?;
        let checked = checked.checked()?;
        self.check_retention(checked.settings.availability_seconds)?;
        self.check_workteam(&checked.workteam).await?;
        let mut settings = checked.settings;
        if let Some(arn) = &checked.human_task_ui {
            let member = "humanTaskConfig.uiConfig.humanTaskUiArn";
            settings.template = match self.template_key(arn, member).await? {
                key if key.is_empty() => Template::BuiltIn,
                key => Template::Key(key),
            };
        }
        let name = checked.name;
        if self.jobs.find(&name).await?.is_some() {
            return Err(taken(&name));
        }
        if self.open_jobs().await? >= MAX_OPEN_JOBS {
            let message = format!("There are {MAX_OPEN_JOBS} labeling jobs in progress already.");
            return Err(ControlError::LimitExceeded(message));
        }

        Ok(Job {
            arn: self.flows.arn("labeling-job", &name),
            name,
            created_at: self.now,
            modified_at: self.now,
            status: JobStatus::Initializing,
            failure: None,
            waits_for: None,
            unknown_answers: Default::default(),
            request,
            settings,
            categories: Default::default(),
            template_key: String::new(),
            parts: Vec::new(),
            looked_through: None,
            totals: None,
            keeps_parts: false,
            is_due_again: false,
            exclusions: Default::default(),
            automation: None,
            lease: None,
        })
    }

    pub(super) async fn describe_job(&self, request: OneJob) -> Result<Value, ControlError> {
        let job = self.job(request).await?;
        let mut description = summary(&job);
        let lacking = lacking(&job, self.members, self.flows, self.now).await?;
        let told: Vec<String> = job.notice().into_iter().chain(lacking).collect();
        if !told.is_empty() {
            description["FailureReason"] = json!(told.join(" "));
        }
        for member in [
            "LabelAttributeName",
            "InputConfig",
            "OutputConfig",
            "RoleArn",
            "LabelCategoryConfigS3Uri",
            "StoppingConditions",
            "LabelingJobAlgorithmsConfig",
            "HumanTaskConfig",
            "Tags",
        ] {
            if let Some(value) = job.request.get(member).filter(|value| !value.is_null()) {
                description[member] = value.clone();
            }
        }
        for member in [
            "WorkteamArn",
            "PreHumanTaskLambdaArn",
            "AnnotationConsolidationLambdaArn",
        ] {
            description.as_object_mut().map(|members| members.remove(member));
        }
        description["JobReferenceCode"] = json!(job.short_id());
        Ok(description)
    }

    pub(super) async fn list_jobs(&self, mut request: ListJobs) -> Result<Value, ControlError> {
        let orders = ["Name", "CreationTime", "Status"];
        request.list = request.list.sorted_by(&orders)?.oldest_first();
        let status = request.status_equals.as_deref().map(status).transpose()?;
        let page = match status {
            _ if request.list.is_by_name() => self.jobs_by_name(&request, status).await?,
            Some(status) => self.jobs_of_status(&request, status).await?,
            None if request.list.is_by_status() => self.jobs_by_status(&request).await?,
            None => self.jobs_by_time(&request, None).await?,
        };
        let summaries: Vec<Value> = page.items.iter().map(summary).collect();
        Ok(json!({ "LabelingJobSummaryList": summaries, "NextToken": page.next_token }))
    }

    pub(super) async fn list_jobs_of_team(&self, request: ListJobsOfTeam) -> Result<Value, ControlError> {
        let arn = required(request.workteam_arn, "workteamArn")?;
        self.check_workteam(&arn).await.map_err(|error| match error {
            ControlError::Validation(message) => ControlError::NotFound(message),
            error => error,
        })?;
        let request = ListJobs {
            list: request.list.sorted_by(&["CreationTime"])?.oldest_first(),
            status_equals: None,
            last_modified_time_after: None,
            last_modified_time_before: None,
            of_team: Some(OfTeam {
                arn,
                code_contains: request.job_reference_code_contains,
            }),
        };
        let page = self.jobs_by_time(&request, None).await?;
        let summaries: Vec<Value> = page.items.iter().map(summary_for_team).collect();
        Ok(json!({ "LabelingJobSummaryList": summaries, "NextToken": page.next_token }))
    }

    /// Returns a page of the jobs of a status by time.
    async fn jobs_of_status(&self, request: &ListJobs, status: JobStatus) -> Result<Page<Job>, ControlError> {
        match status.is_final() {
            true => self.jobs_by_time(request, Some(status)).await,
            false => self.jobs_that_are_open(request).await,
        }
    }

    /// Returns a page of the jobs by the names of their statuses, those of one by time. A token says at which status it goes
    /// on; a job whose status changes between two pages may be on both, or on none.
    async fn jobs_by_status(&self, request: &ListJobs) -> Result<Page<Job>, ControlError> {
        let most = request.list.most()?;
        let mut statuses = STATUSES.to_vec();
        statuses.sort_unstable_by_key(|status| status.as_str());
        if request.list.order() == Order::Descending {
            statuses.reverse();
        }
        let mut token = None;
        if let Some((place, rest)) = request.list.place_and_token()? {
            let known = statuses.iter().position(|status| status.as_str() == place);
            statuses.drain(..known.ok_or_else(|| unknown_token(&place))?);
            token = rest;
        }

        let mut items = Vec::new();
        for status in statuses {
            if items.len() == most {
                let next_token = Some(format!("{}.", status.as_str()));
                return Ok(Page { items, next_token });
            }
            let of_status = ListJobs {
                list: request.list.at(token.take(), most - items.len()),
                status_equals: Some(status.as_str().to_owned()),
                ..request.clone()
            };
            let page = self.jobs_of_status(&of_status, status).await?;
            items.extend(page.items);
            if let Some(next) = page.next_token {
                let next_token = Some(format!("{}.{next}", status.as_str()));
                return Ok(Page { items, next_token });
            }
        }
        Ok(Page {
            items,
            next_token: None,
        })
    }

    /// Returns a page of the jobs by their names: S3 lists the marks by time, all of them.
    async fn jobs_by_name(
        &self,
        request: &ListJobs,
        status: Option<JobStatus>,
    ) -> Result<Page<Job>, ControlError> {
        let mut listed = self.jobs.listed().await?;
        if let Some(status) = status {
            let open = self.jobs.open_names().await?.into_iter().collect();
            listed.retain(|job| job.may_have(status, &open));
        }
        let (listed, most) = request.list.in_order(listed)?;
        let mut found = Vec::new();
        self.read_wanted(request, &listed, most, &mut found).await?;
        Ok(request.list.cut(found, most))
    }

    /// Returns a page of jobs that are not final, of which there are few.
    async fn jobs_that_are_open(&self, request: &ListJobs) -> Result<Page<Job>, ControlError> {
        let names = self.jobs.open_names().await?;
        let reads: Vec<_> = names.iter().map(|name| self.jobs.readable(name)).collect();
        let mut reads = pin!(stream::iter(reads).buffered(CONCURRENT_READS));
        let mut open = Vec::new();
        while let Some(job) = reads.try_next().await? {
            open.extend(job.filter(|job| request.wants(job)));
        }
        request.list.page(open)
    }

    /// Returns a page of the jobs by time, by the marks in their order: as many requests as the page needs. Where few jobs
    /// are wanted, it ends after [`MAX_LISTS`] with what it has found, and says that there may be more.
    async fn jobs_by_time(
        &self,
        request: &ListJobs,
        status: Option<JobStatus>,
    ) -> Result<Page<Job>, ControlError> {
        let (order, most) = (request.list.order(), request.list.most()?);
        let mut start = request.list.start()?;
        self.jobs.mark_in_both_orders().await?;
        let open = match status {
            Some(_) => self.jobs.open_names().await?.into_iter().collect(),
            None => BTreeSet::new(),
        };
        let (mut found, mut looked_at) = (Vec::new(), None);
        for _ in 0..MAX_LISTS {
            let (listed, next) = self.jobs.marked(order, &start, MARKS).await?;
            let is_past = listed.last().is_some_and(|last| request.list.is_past(last));
            looked_at = listed.last().cloned().or(looked_at);
            let wanted = listed.into_iter().filter(|job| {
                request.list.wants(job) && status.is_none_or(|status| job.may_have(status, &open))
            });
            let wanted: Vec<Listed> = wanted.collect();
            self.read_wanted(request, &wanted, most, &mut found).await?;
            start = match next {
                Some(next) if found.len() <= most && !is_past => next,
                _ => return Ok(request.list.cut(found, most)),
            };
        }
        Ok(Page {
            next_token: looked_at.map(|last| request.list.token_after(&last)),
            items: found,
        })
    }

    /// Reads jobs until one more is found than a page has, which shows that there is another. What is not wanted has to be
    /// read to know that.
    async fn read_wanted(
        &self,
        request: &ListJobs,
        listed: &[Listed],
        most: usize,
        found: &mut Vec<Job>,
    ) -> Result<(), ControlError> {
        let reads: Vec<_> = listed
            .iter()
            .map(async |listed| {
                let job = self.jobs.readable(listed.name()).await?;
                // A mark of a creation that came to nothing: the job has another one.
                Ok::<_, BucketError>(job.filter(|job| listed.is_of(job)))
            })
            .collect();
        let reads = stream::iter(reads).buffered(CONCURRENT_READS.min(most + 1));
        let mut reads = pin!(reads);
        while found.len() <= most
            && let Some(job) = reads.try_next().await?
        {
            // One that ended just now may have two marks.
            let is_there = |job: &Job| found.iter().any(|other: &Job| other.name == job.name);
            let job = job.filter(|job| request.wants(job) && !is_there(job));
            found.extend(job);
        }
        Ok(())
    }

    pub(super) async fn stop_job(&self, request: OneJob) -> Result<Value, ControlError> {
        let name = checked_name(request.labeling_job_name, "labelingJobName", true)?;
        match self.jobs.stop(&name, self.now).await? {
            None => Err(no_job(&name)),
            Some(status) if status.is_final() => {
                let message = format!(
                    "The request was rejected because the labeling job {name} is in status {}.",
                    status.as_str()
                );
                Err(ControlError::Validation(message))
            }
            Some(_) => Ok(json!({})),
        }
    }

    /// Counts the jobs that are not final. Those before them are not read, of which there may be thousands.
    async fn open_jobs(&self) -> Result<usize, ControlError> {
        let names = self.jobs.open_names().await?;
        if names.len() < MAX_OPEN_JOBS {
            return Ok(names.len());
        }
        // A mark may have outlived its job.
        let mut count = 0;
        for name in &names {
            let job = self.jobs.find(name).await?;
            count += usize::from(job.is_some_and(|job| !job.status.is_final()));
        }
        Ok(count)
    }

    async fn job(&self, request: OneJob) -> Result<Job, ControlError> {
        let name = checked_name(request.labeling_job_name, "labelingJobName", true)?;
        self.jobs.find(&name).await?.ok_or_else(|| no_job(&name))
    }
}

impl ListJobs {
    fn wants(&self, job: &Job) -> bool {
        let time = job.modified_at.timestamp_millis() as f64 / 1_000.0;
        self.status_equals
            .as_ref()
            .is_none_or(|status| status == job.status.as_str())
            && self.last_modified_time_after.is_none_or(|after| time >= after)
            && self.last_modified_time_before.is_none_or(|before| time < before)
            && self.of_team.as_ref().is_none_or(|team| team.has(job))
    }
}

impl OfTeam {
    fn has(&self, job: &Job) -> bool {
        let code = job.short_id();
        let part = self.code_contains.as_deref();
        job.workteam() == Some(self.arn.as_str()) && part.is_none_or(|part| code.contains(part))
    }
}

/// Returns what a work team is told of a job: how much of it is theirs to do.
fn summary_for_team(job: &Job) -> Value {
    let counts = job.counts();
    let pending = match job.status.is_final() {
        true => 0,
        false => counts.waiting + counts.withheld + counts.asked,
    };
    json!({
        "LabelingJobName": job.name(),
        "JobReferenceCode": job.short_id(),
        "WorkRequesterAccountId": job.arn.split(':').nth(4),
        "CreationTime": epoch(job.created_at),
        "LabelCounters": { "HumanLabeled": counts.human, "PendingHuman": pending, "Total": counts.total() },
        "NumberOfHumanWorkersPerDataObject": job.settings.workers,
    })
}

/// Reads `StatusEquals`.
fn status(name: &str) -> Result<JobStatus, ControlError> {
    let found = STATUSES.into_iter().find(|known| known.as_str() == name);
    found.ok_or_else(|| {
        let known = STATUSES.map(JobStatus::as_str).join(", ");
        let rule = format!("Member must satisfy enum value set: [{known}]");
        invalid(name, "statusEquals", &rule)
    })
}

fn taken(name: &str) -> ControlError {
    ControlError::InUse(format!("A labeling job with the name {name} already exists."))
}

fn no_job(name: &str) -> ControlError {
    ControlError::NotFound(format!("Labeling job {name} does not exist."))
}

fn summary(job: &Job) -> Value {
    let counts = job.counts();
    let config = &job.request["HumanTaskConfig"];
    let mut summary = json!({
        "LabelingJobName": job.name(),
        "LabelingJobArn": job.arn,
        "CreationTime": epoch(job.created_at),
        "LastModifiedTime": epoch(job.modified_at),
        "LabelingJobStatus": job.status.as_str(),
        "LabelCounters": {
            "TotalLabeled": counts.human + counts.machine,
            "HumanLabeled": counts.human,
            "MachineLabeled": counts.machine,
            "FailedNonRetryableError": counts.failed,
            "Unlabeled": counts.waiting + counts.withheld + counts.asked + counts.same + counts.passed,
        },
        "WorkteamArn": config["WorkteamArn"],
        "InputConfig": job.request["InputConfig"],
        "LabelingJobOutput": { "OutputDatasetS3Uri": job.output_manifest() },
    });
    let consolidation = &config["AnnotationConsolidationConfig"]["AnnotationConsolidationLambdaArn"];
    for (member, value) in [
        ("PreHumanTaskLambdaArn", &config["PreHumanTaskLambdaArn"]),
        ("AnnotationConsolidationLambdaArn", consolidation),
        ("FailureReason", &json!(job.notice())),
    ] {
        if !value.is_null() {
            summary[member] = value.clone();
        }
    }
    summary
}
