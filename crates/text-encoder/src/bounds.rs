//! What a `tokenizer.json` may ask for, so that a text never takes memory or time without end.
//!
//! The `tokenizers` library bounds none of it. A tokenizer as models have it is far below every limit.

use serde::Deserialize;
use serde_json::Value;
use tokenizers::ModelWrapper;

use crate::patterns;

/// Most steps that change a text, and most that split it. model2vec has one for each of 32 marks, and some more.
const MOST_STEPS: usize = 64;

/// Most times that a text may grow before it is cut into tokens; `Replace " " by "▁"` makes it three times as long.
const MOST_GROWTH: f64 = 1_000.0;

/// Most bytes of what is put into a text, or stands for a piece of it.
const MOST_BYTES: usize = 1_000;

/// Most characters of a word that WordPiece looks up piece by piece, which takes their number squared. Models have 100.
const MOST_CHARACTERS: usize = 1_000;

/// What a `tokenizer.json` says of all but its model.
#[derive(Deserialize)]
struct Parts {
    normalizer: Option<Value>,
    pre_tokenizer: Option<Value>,
    post_processor: Option<Value>,
}

/// Returns why a tokenizer is not read: the library normalises added tokens as soon as it reads them.
pub(crate) fn check_file(file: &[u8]) -> Result<(), String> {
    let parts: Parts = serde_json::from_slice(file)
        .map_err(|error| format!("it is none of the `tokenizers` library ({error})"))?;
    if let Some(marks) = &parts.post_processor {
        steps(marks, "processors").into_iter().try_for_each(check_mark)?;
    }
    let mut growth = Growth([1.0; 256]);
    // From the last step to the first: what one puts into a text is changed by those behind it.
    for (part, list) in [
        (parts.pre_tokenizer, "pretokenizers"),
        (parts.normalizer, "normalizers"),
    ] {
        let Some(part) = part else { continue };
        let steps = steps(&part, list);
        if steps.len() > MOST_STEPS {
            let count = steps.len();
            return Err(format!(
                "it has {count} {list}; at most {MOST_STEPS} are followed"
            ));
        }
        steps
            .iter()
            .copied()
            .filter_map(pattern)
            .try_for_each(patterns::check)?;
        for step in steps.into_iter().rev() {
            growth.put_before(step)?;
        }
    }
    let growth = growth.most();
    if growth > MOST_GROWTH {
        return Err(format!(
            "its normalizers can make a text {growth:.0} times as long; at most {MOST_GROWTH:.0} times is followed"
        ));
    }
    Ok(())
}

/// Returns the pattern of a step that replaces or splits, if it is no plain string.
fn pattern(step: &Value) -> Option<&str> {
    step.get("pattern")?.get("Regex")?.as_str()
}

/// Returns the steps of a part; those of lists inside lists one after the other.
fn steps<'a>(part: &'a Value, list: &str) -> Vec<&'a Value> {
    match part.get(list).and_then(Value::as_array) {
        Some(parts) => parts.iter().flat_map(|part| steps(part, list)).collect(),
        None => vec![part],
    }
}

/// Returns why a tokenizer is not used.
pub(crate) fn check_model(model: &ModelWrapper) -> Result<(), String> {
    let (mut strings, mut characters) = (Vec::new(), 0);
    match model {
        ModelWrapper::WordPiece(model) => {
            strings.extend([&model.unk_token, &model.continuing_subword_prefix]);
            characters = model.max_input_chars_per_word;
        }
        ModelWrapper::WordLevel(model) => strings.push(&model.unk_token),
        ModelWrapper::BPE(model) => {
            let parts = [
                &model.unk_token,
                &model.continuing_subword_prefix,
                &model.end_of_word_suffix,
            ];
            strings.extend(parts.into_iter().flatten());
            if let Some(share) = model.dropout.filter(|&share| share != 0.0) {
                return Err(format!(
                    "it leaves out merges by chance (dropout {share}): a text would get another vector each time"
                ));
            }
        }
        // What it does not know gets the text's own piece.
        ModelWrapper::Unigram(_) => {}
    }
    if characters > MOST_CHARACTERS {
        return Err(format!(
            "max_input_chars_per_word is {characters}; at most {MOST_CHARACTERS} are followed"
        ));
    }
    strings.into_iter().try_for_each(|string| check_length(string))
}

/// Holds that the text comes once: with several of these steps, each would multiply it.
fn check_mark(mark: &Value) -> Result<(), String> {
    let Some(pieces) = mark.get("single").and_then(Value::as_array) else {
        return Ok(());
    };
    let texts = pieces.iter().filter_map(|piece| piece.get("Sequence"));
    let texts: Vec<_> = texts
        .map(|text| text["id"].as_str().unwrap_or_default())
        .collect();
    if texts != ["A"] {
        let reason = "its template does not put a text there once, but as";
        return Err(format!("{reason} {:?}", &texts[..texts.len().min(3)]));
    }
    let tokens = mark["special_tokens"].as_object().into_iter().flatten();
    let mut tokens = tokens.filter_map(|(_, token)| token["tokens"].as_array());
    tokens.try_for_each(|tokens| tokens.iter().filter_map(Value::as_str).try_for_each(check_length))
}

/// How many bytes each byte of a text can become by the steps that were looked at.
struct Growth([f64; 256]);

impl Growth {
    fn most(&self) -> f64 {
        self.0.iter().copied().fold(1.0, f64::max)
    }

    /// Returns how many bytes a string becomes.
    fn of(&self, string: &str) -> f64 {
        string.bytes().map(|byte| self.0[usize::from(byte)]).sum()
    }

    /// Looks at the step before those that were looked at, of bytes that are likely.
    ///
    /// Old files do not name the type of a step.
    fn put_before(&mut self, step: &Value) -> Result<(), String> {
        let text = |name: &str| step.get(name).and_then(Value::as_str);
        if let Some((pattern, content)) = step.get("pattern").zip(text("content")) {
            check_length(content)?;
            let grown = self.of(content);
            match pattern.get("String").and_then(Value::as_str) {
                Some(replaced) if !replaced.is_empty() => {
                    let share = grown / replaced.len() as f64;
                    for byte in replaced.bytes() {
                        let becomes = &mut self.0[usize::from(byte)];
                        *becomes = becomes.max(share);
                    }
                }
                // It may fit between any two bytes.
                _ => self.0.iter_mut().for_each(|becomes| *becomes += grown),
            }
        } else if let Some(put) = text("prepend").or(text("replacement")) {
            check_length(put)?;
            let grown = self.of(put);
            self.0.iter_mut().for_each(|becomes| *becomes += grown);
        } else {
            // Which bytes come of which is not known.
            let longer = match text("type") {
                Some("ByteLevel" | "NFKC" | "NFKD" | "Precompiled") => 2.0,
                None | Some(_) => 1.0,
            };
            self.0 = [self.most() * longer; 256];
        }
        Ok(())
    }
}

fn check_length(string: &str) -> Result<(), String> {
    match string.len() {
        0..=MOST_BYTES => Ok(()),
        bytes => Err(format!(
            "it puts {bytes} bytes in the place of a piece of text; at most {MOST_BYTES} are followed"
        )),
    }
}
