//! The requests to a job's own functions and what they answer.
//!
//! Source: Amazon SageMaker Ground Truth, "Pre-annotation and Post-annotation Lambda Functions".

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::audits::full_worker_id;
use super::manifest::{Line, metadata_of};
use super::record::Job;
use crate::output::Answer;

/// Version of the requests.
const VERSION: &str = "2018-10-16";

/// What a pre-annotation function says of an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Prepared {
    /// Reviewers are asked, with this input of the worker task template.
    Ask(Value),
    /// It needs no people.
    Pass,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PreAnnotationRequest<'a> {
    version: &'a str,
    labeling_job_arn: &'a str,
    data_object: &'a Line,
}

/// Returns the request to a pre-annotation function, with the line as it is written.
pub fn pre_annotation_request(job: &Job, line: &Line) -> String {
    let request = PreAnnotationRequest {
        version: VERSION,
        labeling_job_arn: &job.arn,
        data_object: line,
    };
    serde_json::to_string(&request).expect("members have names that are texts")
}

/// Reads the answer of a pre-annotation function. The flag goes by two names in Ground Truth's own examples, and may be
/// a text.
///
/// # Errors
///
/// What is wrong with it.
pub fn prepared(mut answer: Value) -> Result<Prepared, &'static str> {
    let flag = ["isHumanAnnotationRequired", "humanAnnotationRequired"]
        .iter()
        .find_map(|name| answer.get(*name))
        .filter(|flag| !flag.is_null());
    let is_required = match flag {
        None => true,
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => true,
        Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => false,
        Some(_) => return Err("isHumanAnnotationRequired is neither true nor false"),
    };
    if !is_required {
        return Ok(Prepared::Pass);
    }
    match answer.get_mut("taskInput").map(Value::take) {
        Some(input @ Value::Object(_)) => Ok(Prepared::Ask(input)),
        _ => Err("taskInput is no object"),
    }
}

/// An object whose answers are to be consolidated.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Its number in the input.
    pub object: usize,
    /// Its input line.
    pub line: Line,
    /// The answers, in the order in which they came.
    pub answers: Vec<Answer>,
}

/// Returns the payload of a consolidation: what was answered to some objects.
pub fn payload(objects: &[Answered], region: &str) -> Value {
    objects
        .iter()
        .map(|answered| of_object(answered, region))
        .collect()
}

fn of_object(answered: &Answered, region: &str) -> Value {
    let data = match answered.line.text("source") {
        Some(text) => json!({ "content": text }),
        None => json!({ "s3Uri": answered.line.text("source-ref") }),
    };
    let annotation = |answer: &Answer| {
        json!({
            "workerId": full_worker_id(&answer.worker.id, region),
            "annotationData": { "content": answer.content.to_string() },
        })
    };
    json!({
        "datasetObjectId": answered.object.to_string(),
        "dataObject": data,
        "annotations": answered.answers.iter().map(annotation).collect::<Vec<_>>(),
    })
}

/// Returns the request to a consolidation function.
pub fn consolidation_request(job: &Job, payload_uri: &str) -> String {
    let request = json!({
        "version": VERSION,
        "labelingJobArn": job.arn,
        "labelCategories": job.categories.labels,
        "labelAttributeName": job.settings.attribute,
        "roleArn": job.settings.role_arn,
        "payload": { "s3Uri": payload_uri },
    });
    request.to_string()
}

/// Returns what the answer of a consolidation function says of an object, with the metadata that every label has.
///
/// # Errors
///
/// What is wrong with it, in Ground Truth's words where it has some.
pub fn consolidated(
    answer: &Value,
    object: usize,
    attribute: &str,
    metadata: Map<String, Value>,
) -> Result<Map<String, Value>, &'static str> {
    const MALFORMED: &str = "Annotation consolidation output JSON is malformed.";
    let is_it = |found: &&Value| names_object(found, object);
    let mut all = answer.as_array().ok_or(MALFORMED)?.iter().filter(is_it);
    let found = all.next();
    let found = found.ok_or("The annotation consolidation function has returned nothing for this object.")?;
    if all.any(|other| other["consolidatedAnnotation"] != found["consolidatedAnnotation"]) {
        return Err("The annotation consolidation function has returned different labels for this object.");
    }
    let mut content = found["consolidatedAnnotation"]["content"]
        .as_object()
        .ok_or(MALFORMED)?
        .clone();
    match content.get(attribute) {
        None => return Err(MALFORMED),
        Some(Value::Null) => {
            return Err(
                "The annotation consolidation function has returned null as the label of this object.",
            );
        }
        Some(_) => {}
    }
    for taken in ["source", "source-ref"] {
        content.remove(taken);
    }

    let mut all = metadata;
    all.insert("type".to_owned(), json!("groundtruth/custom"));
    let name = metadata_of(attribute);
    if let Some(Value::Object(own)) = content.remove(&name) {
        all.extend(own);
    }
    content.insert(name, Value::Object(all));
    Ok(content)
}

/// Returns what a consolidation function has answered that names no object that it was asked about.
pub fn unknown_answers(answer: &Value, asked: &[Answered]) -> UnknownAnswers {
    let is_known = |found: &Value| asked.iter().any(|asked| names_object(found, asked.object));
    let all = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut unknown = all.iter().filter(|found| !is_known(found));
    let first = unknown.next();
    UnknownAnswers {
        count: first.map_or(0, |_| 1 + unknown.count()),
        // Another word may be anything, also a text.
        first: first.and_then(|found| match &found["datasetObjectId"] {
            Value::String(text) => text.parse().ok(),
            number => number.as_u64(),
        }),
    }
}

fn names_object(found: &Value, object: usize) -> bool {
    match &found["datasetObjectId"] {
        Value::String(text) => *text == object.to_string(),
        number => number.as_u64() == u64::try_from(object).ok(),
    }
}

/// Answers of a consolidation function to what it was not asked about, which are not used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownAnswers {
    /// How many.
    pub count: usize,
    /// The `datasetObjectId` of the first, where it is a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
}

impl UnknownAnswers {
    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds others, which came later.
    pub fn add(&mut self, later: Self) {
        self.first = if self.is_empty() { later.first } else { self.first };
        self.count += later.count;
    }

    /// Says how many there are; nothing where there are none.
    pub fn told(&self) -> Option<String> {
        let answers = match self.count {
            0 => return None,
            1 => "1 answer".to_owned(),
            count => format!("{count} answers"),
        };
        let first = self
            .first
            .map(|id| format!(" The first is to the datasetObjectId {id}."));
        Some(format!(
            "The annotation consolidation function has given {answers} to objects that it was not asked about; \
             they are not used.{}",
            first.unwrap_or_default()
        ))
    }
}

/// Takes out of a label what its input line has already, which stays as it is written.
///
/// # Errors
///
/// Which field a function would write over with another value: what earlier jobs have said stays.
pub fn keep_fields(content: &mut Map<String, Value>, line: &Line, attribute: &str) -> Result<(), String> {
    let own = [attribute.to_owned(), metadata_of(attribute)];
    let is_there = |name: &String| !own.contains(name) && line.has(name);
    if let Some((name, _)) =
        (content.iter()).find(|(name, new)| is_there(name) && line.get(name).as_ref() != Some(new))
    {
        return Err(format!(
            "The annotation consolidation function has returned another `{name}` than the input line has."
        ));
    }
    content.retain(|name, _| !is_there(name));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labelling_jobs::manifest::parse;

    #[test]
    fn what_earlier_jobs_have_said_is_not_written_over_by_a_function() {
        let line = parse(br#"{"source":"a","id":7.0,"tone":1,"topic":0}"#).expect("a line");
        let content = |tone: u8| {
            let all = json!({ "topic": 2, "topic-metadata": {}, "tone": tone, "id": 7.0, "note": "x" });
            all.as_object().expect("an object").clone()
        };

        let mut kept = content(1);
        let taken = keep_fields(&mut kept, &line, "topic");
        let refused = keep_fields(&mut content(3), &line, "topic");

        assert_eq!(taken, Ok(()));
        let left = json!({ "topic": 2, "topic-metadata": {}, "note": "x" });
        assert_eq!(Value::Object(kept), left);
        assert!(refused.expect_err("another tone").contains("another `tone`"));
    }

    #[test]
    fn a_flag_by_either_name_and_as_a_text_is_understood() {
        let input = json!({"taskObject": "a"});
        for (answer, expected) in [
            (json!({"taskInput": input}), Prepared::Ask(input.clone())),
            (
                json!({"taskInput": input, "isHumanAnnotationRequired": true}),
                Prepared::Ask(input.clone()),
            ),
            (
                json!({"taskInput": input, "humanAnnotationRequired": "true"}),
                Prepared::Ask(input.clone()),
            ),
            (
                json!({"taskInput": input, "humanAnnotationRequired": "False"}),
                Prepared::Pass,
            ),
            (json!({"isHumanAnnotationRequired": false}), Prepared::Pass),
        ] {
            assert_eq!(prepared(answer.clone()), Ok(expected), "{answer}");
        }
        for wrong in [
            json!({}),
            json!("x"),
            json!({"taskInput": "x"}),
            json!({"isHumanAnnotationRequired": 1}),
        ] {
            assert!(prepared(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn answers_that_name_no_object_that_was_asked_are_counted_and_of_ids_only_a_number_is_shown() {
        let asked = [3, 4].map(|object| Answered {
            object,
            line: Line::default(),
            answers: Vec::new(),
        });
        let of = |ids: &[Value]| {
            let answer = ids.iter().map(|id| json!({ "datasetObjectId": id })).collect();
            unknown_answers(&answer, &asked)
        };

        let mut unknown = of(&[json!("3"), json!(17), json!("a name"), json!(4), Value::Null]);
        let none = of(&[json!(3), json!("4")]);
        unknown.add(of(&[json!("5")]));
        let words = of(&[json!("a name")]).told().expect("one");

        assert_eq!((unknown.count, unknown.first), (4, Some(17)));
        assert_eq!(
            (none.told(), unknown_answers(&json!({}), &asked).told()),
            (None, None)
        );
        assert!(
            words.contains("1 answer to objects") && !words.contains("a name"),
            "{words}"
        );
    }

    #[test]
    fn what_a_consolidation_function_says_is_taken_with_the_metadata_of_the_job() {
        let metadata = Map::from_iter([("job-name".to_owned(), json!("labeling-job/j"))]);
        let content = json!({"topic": {"best": 1}, "topic-metadata": {"confidence": 0.5}, "source": "other"});
        let answer = json!([{"datasetObjectId": "3", "consolidatedAnnotation": {"content": content}}]);

        let taken = consolidated(&answer, 3, "topic", metadata.clone()).expect("good");

        let expected = json!({
            "topic": {"best": 1},
            "topic-metadata": {"confidence": 0.5, "job-name": "labeling-job/j", "type": "groundtruth/custom"},
        });
        assert_eq!(Value::Object(taken), expected);
        let mut twice = answer.clone();
        twice.as_array_mut().expect("a list").push(answer[0].clone());
        assert!(
            consolidated(&twice, 3, "topic", metadata.clone()).is_ok(),
            "it says the same twice"
        );
        twice[1]["consolidatedAnnotation"]["content"]["topic"] = json!({"best": 2});
        let refused = consolidated(&twice, 3, "topic", metadata.clone());
        assert!(refused.expect_err("two labels").contains("different labels"));
        let mut null = json!([answer[0].clone()]);
        null[0]["consolidatedAnnotation"]["content"]["topic"] = Value::Null;
        let refused = consolidated(&null, 3, "topic", metadata.clone());
        assert!(refused.expect_err("no label").contains("returned null"));
        for (wrong, object) in [(json!({}), 3), (answer, 4), (json!([{"datasetObjectId": 3}]), 3)] {
            assert!(
                consolidated(&wrong, object, "topic", metadata.clone()).is_err(),
                "{wrong}"
            );
        }
    }
}
