//! The steps of `infra/model-building.asl.json`, walked as Step Functions walks them, over local S3 and Step
//! Functions; Comprehend answers as each test says.

mod approvals;
mod automated_labelling;
mod builds;
mod comprehend;
mod execution;
mod failures;
mod new_labels;
mod old_models;
mod starting;
mod versions;
mod walk;
mod world;
