//! One spelling for answers that name the same labels.

use std::{cmp::Reverse, collections::BTreeMap};

use super::Given;
use crate::labels::{human_loop::Answer, vote::VoteSource};

/// How often a spelling was given: by reviewers, by anybody, and first when.
type Frequency<T> = (usize, usize, Reverse<T>);

/// Writes answers that say the same in one spelling, so that they are counted together; `meanings` are what each of them says.
///
/// Of the spellings that were given it is the one of most reviewers, of as many that of most people, then the earliest, then
/// the first in the order of characters. An adjudicator's answer stays as it is: it is counted with no other.
pub(super) fn spelt_alike<'a, T: Ord + Copy, M: Ord>(
    mut given: Vec<Given<'a, T>>,
    meanings: impl Iterator<Item = M>,
) -> Vec<Given<'a, T>> {
    let is_one_spelling = |one: &Given<'a, T>| one.answer == given[0].answer;
    if given.iter().all(is_one_spelling) {
        return given;
    }
    let meanings: Vec<M> = meanings.collect();
    let chosen = {
        let mut spellings: BTreeMap<&M, BTreeMap<&'a Answer, Frequency<T>>> = BTreeMap::new();
        for (one, meaning) in given.iter().zip(&meanings) {
            if one.source == VoteSource::Adjudicator {
                continue;
            }
            let of_meaning = spellings.entry(meaning).or_default();
            let (reviewers, all, first) = of_meaning.entry(one.answer).or_insert((0, 0, Reverse(one.at)));
            *reviewers += usize::from(one.source.is_review());
            *all += 1;
            *first = (*first).max(Reverse(one.at));
        }
        let most = spellings.into_iter().filter_map(|(meaning, spellings)| {
            // Of equal ones the last is taken, which is the first in the order of characters.
            let most = spellings
                .into_iter()
                .rev()
                .max_by_key(|(_, frequency)| *frequency);
            Some((meaning, most?.0))
        });
        most.collect::<BTreeMap<_, _>>()
    };
    for (one, meaning) in given.iter_mut().zip(&meanings) {
        if one.source != VoteSource::Adjudicator {
            one.answer = chosen.get(meaning).copied().unwrap_or(one.answer);
        }
    }
    given
}
