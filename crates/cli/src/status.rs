//! How a stack is doing, at the command line: the figures of the console's overview.

use active_learning_core::dataset::TrainingFileState;
use model_building::describe_training_file;

use crate::models::Models;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Prints how the stack is doing; returns whether no training file was refused.
///
/// # Errors
///
/// When a bucket cannot be read, or the endpoint not be described.
pub async fn show(models: &Models, json: bool) -> Result<bool, Failure> {
    let overview = models.overview().await?;
    let is_fine = overview.refused_files.is_empty();
    if json {
        println!("{}", serde_json::to_string_pretty(&overview)?);
        return Ok(is_fine);
    }

    for (name, value) in overview.figures() {
        println!("{name:<30} {value}");
    }
    for problem in overview.template_problems() {
        println!("! {problem}");
    }
    if let Some(erased) = models.erased_from_serving().await? {
        println!("! of the serving model: {erased}");
    }
    for difference in models.label_differences(models.serving().await?).await? {
        println!("! {difference}");
    }
    for warning in models.dataset_warnings().await? {
        println!("! of the labels, when a dataset was assembled last: {warning}");
    }
    let files = models.training_files().await?;
    if files.is_empty() {
        println!("No training file lies under initial/ that was looked at.");
    }
    files
        .iter()
        .for_each(|file| println!("{}", describe_training_file(file)));
    Ok(is_fine && files.iter().all(|file| file.state != TrainingFileState::Refused))
}
