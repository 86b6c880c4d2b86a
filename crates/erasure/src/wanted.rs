//! What is to be erased, and how it is recognised.

use std::collections::HashSet;

use active_learning_core::{
    dataset::one_line,
    erasure::ErasedTexts,
    labels::label_key::broad_key,
    text::{VectorId, normal_form, normalise, vector_id},
};
use text_import::feedback::field;

/// Length from which a text is also found within other texts, in characters: a shorter one stands in what has nothing to do
/// with it.
const MIN_WITHIN: usize = 20;

/// Length from which the beginning of a text that was cut off may be that of it, in characters.
const MIN_BEGUN: usize = 3;

/// Fields that hold one of few words, as a short text may be too.
const OF_FEW_WORDS: [&str; 5] = ["source", "signal", "state", "status", "type"];

/// Stands where a text was that is named by something that stays.
pub const ERASED_MARK: &str = "[erased at a person's wish]";

/// Begins the name of a user in votes.
const USER: &str = "user:";

/// What is to be erased.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Texts of this erasure and of all before it.
    erased: ErasedTexts,
    /// Texts of this erasure.
    own: ErasedTexts,
    /// The texts of this one as lists of held-out texts have them.
    normalised: HashSet<String>,
    /// In normal form.
    forms: HashSet<String>,
    vectors: HashSet<VectorId>,
    /// Texts that are found within others too, also as JSON writes them.
    within: Vec<String>,
    users: Vec<User>,
}

/// Whose texts are erased.
#[derive(Clone, Debug)]
struct User {
    /// The name, as users are told apart.
    key: String,
    /// What stands in its place where their vote on somebody else's text stays.
    alias: String,
}

impl Wanted {
    /// Recognises texts, given in all their spellings, and those that were erased before.
    pub fn new<'a>(texts: impl IntoIterator<Item = &'a String>, before: ErasedTexts) -> Self {
        let mut wanted = Self {
            erased: before,
            ..Self::default()
        };
        for text in texts {
            let form = normal_form(text);
            if form.is_empty() {
                continue;
            }
            wanted.erased.insert(text);
            wanted.own.insert(text);
            wanted.normalised.insert(normalise(text));
            wanted.vectors.insert(vector_id(text));
            wanted.vectors.insert(vector_id(&one_line(text)));
            let trimmed = text.trim();
            if trimmed.chars().count() >= MIN_WITHIN {
                let json = serde_json::to_string(trimmed).unwrap_or_default();
                let escaped = json[1..json.len() - 1].to_owned();
                wanted.within.extend((escaped != trimmed).then_some(escaped));
                wanted.within.push(trimmed.to_owned());
                wanted.within.push(form.clone());
            }
            wanted.forms.insert(form);
        }
        wanted
            .within
            .sort_unstable_by_key(|text| std::cmp::Reverse(text.len()));
        wanted.within.dedup();
        wanted
    }

    /// Takes the names of users out too, wherever they stand as such; what begins with `alias` tells their votes apart from
    /// those of others.
    #[must_use]
    pub fn of_users(self, users: &[String], alias: &str) -> Self {
        let users = users.iter().zip(1..).map(|(user, number)| User {
            key: broad_key(user),
            alias: format!("{alias}-{number}"),
        });
        let users = users.collect();
        Self { users, ..self }
    }

    /// Returns what is to be erased now alone, without the texts of earlier erasures.
    #[must_use]
    pub fn without_earlier(&self) -> Self {
        let erased = self.own.clone();
        Self {
            erased,
            ..self.clone()
        }
    }

    /// Returns whether a text is one of them, in whatever spelling.
    pub fn is_text(&self, text: &str) -> bool {
        self.erased.contains(text) || self.forms.contains(text)
    }

    /// Returns whether a text is one of them, and so long that it cannot be a word that others use.
    pub fn is_long_text(&self, text: &str) -> bool {
        text.trim().chars().count() >= MIN_WITHIN && self.is_text(text)
    }

    /// Returns whether a line of a list of normalised texts is one of them.
    pub fn is_normalised(&self, line: &str) -> bool {
        self.normalised.contains(line) || self.is_text(line)
    }

    /// Returns whether a vector is of one of the texts.
    pub fn is_vector(&self, id: &VectorId) -> bool {
        self.vectors.contains(id)
    }

    fn user(&self, name: &str) -> Option<&User> {
        if self.users.is_empty() {
            return None;
        }
        let key = broad_key(name);
        self.users.iter().find(|user| user.key == key)
    }

    /// Returns whether a name is that of one of the users.
    pub fn is_user(&self, name: &str) -> bool {
        self.user(name).is_some()
    }

    /// Returns what stands in the place of a voter's name, if that is the user.
    pub fn alias_of_voter(&self, worker: &str) -> Option<String> {
        let name = worker.strip_prefix(USER)?;
        Some(format!("{USER}{}", self.user(name)?.alias))
    }

    /// Returns whether one of the texts stands within another one.
    pub fn is_within(&self, text: &str) -> bool {
        self.within.iter().any(|wanted| text.contains(wanted.as_str()))
    }

    /// Replaces every text that stands within another one.
    pub fn replaced_within(&self, text: &str) -> String {
        let replace = |text: String, wanted: &String| text.replace(wanted.as_str(), ERASED_MARK);
        self.within.iter().fold(text.to_owned(), replace)
    }

    /// Returns whether the value of a field that no reader knows is what is to be erased, by what the field's name says that it
    /// holds: a label that is called as a short text is none.
    pub(crate) fn is_value(&self, name: Option<&str>, value: &str) -> bool {
        match name.and_then(field) {
            Some("sentence") => self.is_text(value),
            Some("user") => self.is_user(value) || self.is_long_text(value),
            Some(_) => self.is_long_text(value),
            None if name.is_some_and(|name| OF_FEW_WORDS.contains(&name.to_lowercase().as_str())) => {
                self.is_long_text(value) || self.is_user(value)
            }
            None => self.is_text(value) || self.is_user(value),
        }
    }

    /// Returns whether a number is what is to be erased, written as such: a user's, or a text where the field's name says so.
    /// In others it is a class, a count or a score.
    pub(crate) fn is_number(&self, name: Option<&str>, number: &str) -> bool {
        match name.map(field) {
            Some(None) => self.is_user(number),
            Some(Some(_)) | None => self.is_value(name, number),
        }
    }

    /// Returns whether a name of a field that nobody knows is a text, or a user: of a list by texts.
    pub(crate) fn is_own_name(&self, name: &str) -> bool {
        let is_known = || field(name).is_some() || OF_FEW_WORDS.contains(&name.to_lowercase().as_str());
        (self.is_text(name) || self.is_user(name)) && !is_known()
    }

    /// Returns whether a long text stands within another one, however both are written.
    pub(crate) fn is_within_form(&self, text: &str) -> bool {
        let is_long = |form: &&String| form.chars().count() >= MIN_WITHIN;
        let mut long = self.forms.iter().filter(is_long).peekable();
        if long.peek().is_none() {
            return false;
        }
        let all = format!(" {} ", normal_form(text));
        long.any(|form| all.contains(&format!(" {form} ")))
    }

    /// Returns whether a text, however short, or the name of a user stands within another text.
    pub(crate) fn is_mentioned(&self, text: &str) -> bool {
        let all = format!(" {} ", normal_form(text));
        let key = broad_key(text);
        self.forms.iter().any(|form| all.contains(&format!(" {form} ")))
            || self.users.iter().any(|user| stands_in(&key, &user.key))
    }

    /// Returns whether one of the texts, or the name of a user, begins with something that was cut off.
    pub(crate) fn may_begin(&self, cut_off: &str) -> bool {
        let (form, key) = (normal_form(cut_off), broad_key(cut_off));
        form.chars().count() >= MIN_BEGUN
            && (self.forms.iter().any(|text| text.starts_with(&form))
                || self.users.iter().any(|user| user.key.starts_with(&key)))
    }

    /// Returns whether something is the beginning of one of the texts, cut off as remarks are.
    pub fn is_beginning(&self, text: &str) -> bool {
        let Some(beginning) = text.strip_suffix('…').map(normal_form) else {
            return false;
        };
        beginning.chars().count() >= MIN_WITHIN && self.forms.iter().any(|form| form.starts_with(&beginning))
    }
}

/// Returns whether a name stands in a text as a word of its own.
fn stands_in(text: &str, name: &str) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(name).any(|(at, _)| {
        !is_word(text[..at].chars().next_back()) && !is_word(text[at + name.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "I live in 4 \"Elm\" Street, next to the old mill.";

    fn wanted() -> Wanted {
        let wanted = Wanted::new(&[TEXT.to_owned(), "World".to_owned()], ErasedTexts::default());
        wanted.of_users(&["Jane".to_owned()], "erased")
    }

    #[test]
    fn a_text_is_found_in_every_spelling_and_a_long_one_within_others() {
        let wanted = wanted();

        assert!(wanted.is_text(&TEXT.to_uppercase()) && wanted.is_text(&normal_form(TEXT)));
        assert!(wanted.is_normalised(&normalise(TEXT)));
        assert!(wanted.is_within(&format!("They wrote: {TEXT}")));
        let escaped = serde_json::to_string(TEXT).expect("JSON");
        assert_eq!(wanted.replaced_within(&escaped), format!("\"{ERASED_MARK}\""));
        assert!(
            !wanted.is_within("World news"),
            "too short to be told from other words"
        );
    }

    #[test]
    fn the_beginning_of_a_text_is_told_only_where_it_is_cut_off() {
        let wanted = wanted();

        assert!(wanted.is_beginning("I live in 4 \"Elm\" Street, next …"));
        assert!(!wanted.is_beginning("I live in 4 \"Elm\" Street, next"));
        assert!(!wanted.is_beginning("I live …"));
    }

    #[test]
    fn a_user_is_known_as_votes_tell_users_apart() {
        let wanted = wanted();

        assert!(wanted.is_user(" JANE ") && !wanted.is_user("janet"));
        assert_eq!(
            wanted.alias_of_voter("user:jane").as_deref(),
            Some("user:erased-1")
        );
        assert_eq!(wanted.alias_of_voter("jane"), None);
    }

    #[test]
    fn a_number_is_a_text_only_where_its_field_says_so() {
        let wanted = Wanted::new(&["1".to_owned()], ErasedTexts::default());
        let wanted = wanted.of_users(&["4711".to_owned()], "erased");

        assert!(wanted.is_number(Some("text"), "1") && wanted.is_number(None, "1"));
        assert!(
            !wanted.is_number(Some("topic"), "1"),
            "the class of a labelling job"
        );
        assert!(wanted.is_number(Some("customer"), "4711"));
    }

    #[test]
    fn what_was_erased_before_is_found_by_its_hash() {
        let mut before = ErasedTexts::default();
        before.insert("An earlier text");

        let wanted = Wanted::new(&[], before);

        assert!(wanted.is_text("an earlier TEXT") && !wanted.is_text(TEXT));
    }
}
