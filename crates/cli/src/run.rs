//! Runs the stack in the foreground.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use human_review::session::Role;
use tokio::signal::unix::{SignalKind, signal};

use local_stack::{
    boot::{self, BootError, Running, Settings},
    template_files::{self, TemplateFiles},
};

use active_learning_aws::bucket::Bucket;

use crate::{
    beginning::{self, Beginning, TextPlaces},
    fault_run,
    models::Models,
    outputs::StackOutputs,
    personal_data,
    place::DEFAULT_CLASSIFIER,
    portal_function::PortalError,
    sign_in,
    status::{NAMED, told_of_damage},
    take_over,
    training::{self, HasModel},
    welcome::welcome,
};

/// Files of `infra` that this program was built with, by their paths there.
pub const BUILT_IN: &[(&str, &str)] = &[(
    "model-building.asl.json",
    include_str!("../../../infra/model-building.asl.json"),
)];

/// The template that this program was built with.
const BUILT_IN_TEMPLATE: &str = include_str!("../../../infra/template.yaml");

/// Time between two looks at what is damaged.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// Name that the first sign-in link is for: an admin, since it is their stack.
const FIRST_REVIEWER: &str = "local";

/// Starts the stack, tells the user where it is, and stops it on Ctrl-C or SIGTERM.
///
/// With a seed of `faults` chance befalls its services once it is ready.
///
/// # Errors
///
/// Whatever keeps the stack from being ready; nothing runs then.
pub async fn run(
    settings: &Settings,
    training_data: Option<Vec<u8>>,
    beginning: &Beginning,
    faults: Option<u64>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let stack = boot(settings).await?;
    let outcome = tokio::select! {
        _ = terminated.recv() => Ok(()),
        _ = interrupted.recv() => Ok(()),
        () = training::tell_failed_starts(&stack) => Ok(()),
        () = keep_damage_told(&stack, &settings.state_dir) => Ok(()),
        () = stack.aws.storage_failed() => Err(storage_failed(&settings.state_dir)),
        failure = async {
            let sample = training::SAMPLE_DATA;
            for remark in &stack.plan.remarks {
                println!("! {remark}");
            }
            let outputs = make_ready(&stack, &settings.state_dir, training_data, beginning, sample).await?;
            if let Some(seed) = faults {
                fault_run::befall(&stack.aws.faults, seed, &settings.state_dir);
            }
            let training = bucket(&stack, "TrainingS3Bucket");
            print!("{}", welcome(&outputs, training::examples(&training).await?));
            if let Some(more) = told_of_damage(&outputs.damaged_objects).get(NAMED) {
                println!("! {more}");
            }
            // Before a first model is waited for: people label it on these pages.
            for problem in sign_in::try_template(&outputs, items_per_task(&stack)).await? {
                println!("! The worker task template cannot be used, its pages have no Submit: {problem}");
            }
            beginning::show_progress(&training).await;
            let models = Models::of_stack(&stack.aws.sdk_config(), &outputs);
            tell_label_differences(&models).await;
            std::future::pending().await
        } => failure,
    };
    stack.stop().await;
    outcome
}

/// Returns how many items a task has, as the stack is configured; one where nothing says so.
pub fn items_per_task(stack: &Running) -> usize {
    let mut functions = stack.plan.functions.iter();
    let items = functions.find_map(|function| function.environment.get("ITEMS_PER_TASK"));
    items.and_then(|items| items.parse().ok()).unwrap_or(1)
}

/// Starts the stack; until it is ready there is no `outputs.json`.
///
/// # Errors
///
/// [`BootError`]; nothing runs then.
pub async fn boot(settings: &Settings) -> Result<Running, Box<dyn std::error::Error + Send + Sync>> {
    let started = boot::start(settings).await;
    if matches!(started, Ok(_) | Err(BootError::Refused(_))) {
        StackOutputs::forget(&settings.state_dir)?;
    }
    Ok(started?)
}

/// Says why a running stack ends by itself.
pub fn storage_failed(state_dir: &Path) -> Box<dyn std::error::Error + Send + Sync> {
    let folder = state_dir.display();
    format!(
        "the state folder {folder} cannot be written any more (is the disk full?). \
         What was acknowledged is safe; the next start goes on from there"
    )
    .into()
}

/// Makes the classifier answer, by `sample` where it has learned nothing yet, and writes `outputs.json`, which says that the stack is ready.
///
/// # Errors
///
/// When the buckets do not answer, the encoder cannot be stored, the classifier does not answer, no sign-in link can be made or the file cannot be written.
pub async fn make_ready(
    stack: &Running,
    state_dir: &Path,
    training_data: Option<Vec<u8>>,
    beginning: &Beginning,
    sample: &[u8],
) -> Result<StackOutputs, Box<dyn std::error::Error + Send + Sync>> {
    let training = bucket(stack, "TrainingS3Bucket");
    take_over::go_on_selecting(stack, &bucket(stack, "FeedbackS3Bucket")).await?;
    beginning.place_encoder(&training).await?;
    if beginning.is_without_data() {
        beginning.take_labels(&training).await?;
    }
    let HasModel(has_model) = training::prepare(stack, training_data, sample).await?;
    if !has_model {
        beginning::begin_progress(stack, &training).await?;
    }
    let places = TextPlaces {
        uploads: bucket(stack, "BatchUploadS3Bucket"),
        feedback: bucket(stack, "FeedbackS3Bucket"),
        classifier: (stack.outputs.get(DEFAULT_CLASSIFIER))
            .cloned()
            .unwrap_or_default(),
        training,
    };
    let masking = personal_data::of_starting(stack)?;
    beginning.hand_in_texts(&places, &masking).await?;
    let mut outputs = StackOutputs {
        endpoint_url: stack.endpoint_url.clone(),
        api_key_value: (stack.plan.api_keys.first()).map_or_else(String::new, |key| key.value.clone()),
        portal_url: stack.outputs.get("ReviewPortalUrl").cloned().unwrap_or_default(),
        sign_in_url: String::new(),
        outputs: stack.outputs.clone(),
        damaged_objects: damaged_objects(stack),
    };
    match sign_in::create_link_as(&outputs, FIRST_REVIEWER, Role::Admin).await {
        Ok(url) => outputs.sign_in_url = url,
        Err(PortalError::NoPortal) => {}
        Err(error) => return Err(error.into()),
    }
    outputs
        .write(state_dir)
        .map_err(|error| io::Error::new(error.kind(), format!("outputs.json cannot be written: {error}")))?;
    Ok(outputs)
}

/// Says where the labels and the serving model differ, or that this cannot be told: people can go on.
async fn tell_label_differences(models: &Models) {
    let differences = match models.serving().await {
        Ok(serving) => models.label_differences(serving).await,
        Err(error) => Err(error),
    };
    match differences {
        Ok(differences) => differences
            .iter()
            .for_each(|difference| println!("! {difference}")),
        Err(error) => println!("! It cannot be told whether the serving model knows the labels: {error}"),
    }
}

/// Returns the objects whose data was seen to be damaged, in words.
fn damaged_objects(stack: &Running) -> Vec<String> {
    let damaged = stack.aws.s3.damaged_objects();
    // An index that fails ends the stack.
    let damaged = damaged.unwrap_or_default();
    damaged.iter().map(ToString::to_string).collect()
}

/// Keeps in `outputs.json`, where `status` looks, which objects are damaged. The file is read where that has changed: at
/// first, and once the store has seen damage. Only while there is some, its files are looked at.
async fn keep_damage_told(stack: &Running, state_dir: &Path) {
    let mut told: Option<Vec<String>> = None;
    loop {
        if told.as_ref().is_some_and(Vec::is_empty) {
            stack.aws.s3.damage_seen().await;
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
        let damaged = damaged_objects(stack);
        if told.as_ref() == Some(&damaged) {
            continue;
        }
        // Until the stack is ready there is no such file.
        if let Ok(outputs) = StackOutputs::read(state_dir) {
            tell_damaged(outputs, &damaged, state_dir);
            told = Some(damaged);
        }
    }
}

fn tell_damaged(mut outputs: StackOutputs, damaged: &[String], state_dir: &Path) {
    if outputs.damaged_objects == damaged {
        return;
    }
    outputs.damaged_objects = damaged.to_vec();
    if let Err(error) = outputs.write(state_dir) {
        eprintln!("! outputs.json cannot be written, so `status` does not know what is damaged: {error}");
    }
}

/// Returns the bucket that an output of the template names.
fn bucket(stack: &Running, output: &str) -> Bucket {
    let name = stack.outputs.get(output).cloned().unwrap_or_default();
    Bucket::new(aws_sdk_s3::Client::new(&stack.aws.sdk_config()), name)
}

/// Reads the template: the one named, else `infra/template.yaml` of the current folder or one above
/// it, else the one that this program was built with. Returns its text and where its files are; says so where it is
/// another than the one that the program was built with.
///
/// # Errors
///
/// When the named file cannot be read.
pub fn read_template(named: Option<&PathBuf>) -> io::Result<(String, TemplateFiles)> {
    let path = match named {
        Some(path) => Some(path.clone()),
        None => std::env::current_dir()?
            .ancestors()
            .map(|folder| folder.join("infra/template.yaml"))
            .find(|path| path.is_file()),
    };
    match path {
        Some(path) => {
            let folder = path.parent().unwrap_or(Path::new("")).to_owned();
            let text = template_files::read(&path)?;
            if text != BUILT_IN_TEMPLATE {
                eprintln!("The template is {}, not the one of this program.", path.display());
            }
            Ok((text, TemplateFiles::Folder(folder)))
        }
        None => Ok((BUILT_IN_TEMPLATE.to_owned(), TemplateFiles::BuiltIn(BUILT_IN))),
    }
}
