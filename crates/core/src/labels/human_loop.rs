//! Human-loop input and output; answers are matched by record id, never by position.

mod answer;
mod denial;
mod echo;
mod fields;
mod input;
mod matching;
mod name;
mod offered;
mod output;

pub use answer::{
    Answer, COMMENT_OF, ExclusionCategories, FLAG_OF, Meaning, NONE_FITS, UNSURE, answer_word,
    is_answer_word, is_page_choice,
};
pub use fields::{chosen_exclusions, is_comment_name};
pub use input::{
    AnsweredBy, Delivery, DrivingWords, HumanLoop, HumanLoopInput, MAX_INPUT_CONTENT_BYTES, Making,
    human_loops, reopening_loop, reopening_loop_of_before,
};
pub use matching::answer_of_one;
pub use name::{LoopName, MAX_RETRIES, MAX_ROUNDS, loop_of_output};
pub use offered::OfferedLabels;
pub use output::{
    FormReading, HumanLoopOutput, InvalidOutput, ReviewedItem, WorkerAnswer, loop_of_correction,
};
