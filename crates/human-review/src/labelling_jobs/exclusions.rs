//! Who is not asked about the objects of a job, and whether anybody else is there who could be.

use active_learning_aws::bucket::BucketError;
use active_learning_core::text::counted;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::record::{Job, JobStatus};
use crate::flows::Flows;
use crate::loop_flow::team_of_arn;
use crate::members::{Listed, Members};
use crate::session::Role;
use crate::worker::Worker;

/// Different groups of excluded workers that a job remembers: what is beyond them is asked about all the same.
const MAX_GROUPS: usize = 100;

/// Who is not asked about how many objects of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exclusions(Vec<Group>);

/// Objects that the same workers are not asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Group {
    /// By id, in order.
    workers: Vec<String>,
    objects: usize,
}

impl Exclusions {
    /// Returns whether nobody is excluded from anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Counts an object that these workers, in order, are not asked about.
    pub fn add(&mut self, workers: &[String]) {
        let known = self.0.len();
        match self.0.iter_mut().find(|group| group.workers == workers) {
            Some(group) => group.objects += 1,
            None if known < MAX_GROUPS => self.0.push(Group {
                workers: workers.to_vec(),
                objects: 1,
            }),
            None => {}
        }
    }

    /// Returns whether there may be groups beyond those that are remembered.
    fn may_have_more(&self) -> bool {
        self.0.len() >= MAX_GROUPS
    }

    /// Returns how many objects, answered since or not, need more answers than people are left for them; each of these is
    /// known by some ids.
    fn lacking(&self, people: &[Vec<String>], answers: usize) -> usize {
        let is_short = |group: &&Group| {
            let may_answer = |ids: &&Vec<String>| !ids.iter().any(|id| group.workers.contains(id));
            people.iter().filter(may_answer).count() < answers
        };
        self.0.iter().filter(is_short).map(|group| group.objects).sum()
    }
}

/// Says how many objects of a job at most wait for somebody whom its work team lacks; none where it lacks nobody. Who has
/// neither been invited nor signed in is not known.
///
/// # Errors
///
/// [`BucketError`].
pub async fn lacking(
    job: &Job,
    members: &Members,
    flows: &Flows,
    now: DateTime<Utc>,
) -> Result<Option<String>, BucketError> {
    let counts = job.counts();
    let open = counts.waiting + counts.withheld + counts.asked;
    if job.status != JobStatus::InProgress || job.exclusions.is_empty() || open == 0 {
        return Ok(None);
    }
    let team = job.workteam().and_then(team_of_arn);
    let team = team.filter(|team| team != flows.own_name());
    let people = people(team.as_deref(), members, flows, now).await?;
    let lacking = job.exclusions.lacking(&people, job.settings.workers);
    // Some of them may have been answered while the team was another.
    let most = match job.exclusions.may_have_more() {
        true => open,
        false => lacking.min(open),
    };
    Ok((lacking > 0).then(|| words(most)))
}

/// Returns who may answer tasks of a work team, or of that of the stack, each by all their ids.
async fn people(
    team: Option<&str>,
    members: &Members,
    flows: &Flows,
    now: DateTime<Utc>,
) -> Result<Vec<Vec<String>>, BucketError> {
    let teams = flows.teams(now).await?;
    let is_in = |listed: &Listed| {
        let member = &listed.member;
        let is_of_team = |team: &str| member.role == Role::Admin || member.teams_among(&teams).contains(team);
        !member.paused && team.is_none_or(is_of_team)
    };
    let (mut people, mut after) = (Vec::new(), Some(String::new()));
    while let Some(from) = after {
        let page = members.page(&from).await?;
        people.extend(page.reviewers.into_iter().filter(is_in).map(ids));
        after = page.next;
    }
    Ok(people)
}

fn ids(listed: Listed) -> Vec<String> {
    let mut ids = vec![Worker::of(&listed.member.name).id, listed.worker_id];
    ids.extend(listed.member.earlier_ids.into_iter().flatten());
    ids
}

fn words(most: usize) -> String {
    let wait = if most == 1 { "waits" } else { "wait" };
    format!(
        "Up to {} {wait} for somebody else: of those who were invited to the work team or have signed in, too few may answer \
         that have not given the label and are not excluded. Invite another reviewer.",
        counted(most, "object")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn objects_lack_somebody_where_fewer_are_left_than_answers_are_needed() {
        let mut exclusions = Exclusions::default();
        for workers in [names(&["ada"]), names(&["ada"]), names(&["ada", "bob"])] {
            exclusions.add(&workers);
        }
        let (ada, bob, cy) = (
            names(&["ada"]),
            names(&["bob-in-capitals", "bob"]),
            names(&["cy"]),
        );

        assert_eq!(exclusions.lacking(std::slice::from_ref(&ada), 1), 3);
        assert_eq!(exclusions.lacking(&[ada.clone(), bob.clone()], 1), 1);
        assert_eq!(exclusions.lacking(&[ada.clone(), bob.clone(), cy.clone()], 1), 0);
        assert_eq!(exclusions.lacking(&[ada, bob, cy], 2), 1);
    }

    #[test]
    fn how_many_wait_is_said_as_the_most_there_can_be() {
        assert!(words(1).starts_with("Up to 1 object waits for somebody else: "));
        assert!(words(3).starts_with("Up to 3 objects wait for somebody else: "));
    }

    #[test]
    fn no_more_groups_are_remembered_than_a_document_has_room_for() {
        let mut exclusions = Exclusions::default();

        for number in 0..2 * MAX_GROUPS {
            exclusions.add(&[number.to_string()]);
        }

        assert_eq!(exclusions.0.len(), MAX_GROUPS);
        assert!(exclusions.may_have_more());
    }
}
