//! Patterns of a `tokenizer.json` that could be tried on a text for hours.
//!
//! The library `fancy-regex` tries what no automaton can: look-around, atomic groups and word boundaries, and what stands
//! beside these. It gives up a search after a million tries, without a word: then the rest of the text is not cut. But a
//! search begins at each place of a text. So a pattern is used only where the tries from one place grow with the length of
//! the text, and not with its square or faster. The patterns of models are all of that kind, such as `\s+(?!\S)|\s+`.

use fancy_regex::{Assertion, Expr};

/// Repetitions up to which a repetition is counted out.
const FEW: usize = 1_000;

/// Most tries from one place for each character of a text. Patterns of models take some ten.
const MOST_TRIES: f64 = 10_000.0;

/// How something grows with the length of a text: `times` its `power`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Growth {
    power: u32,
    times: f64,
}

impl Growth {
    const ONE: Self = Self { power: 0, times: 1.0 };
    const LENGTH: Self = Self { power: 1, times: 1.0 };

    fn times(self, other: Self) -> Self {
        Self {
            power: self.power.saturating_add(other.power),
            times: self.times * other.times,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            power: self.power.max(other.power),
            times: self.times + other.times,
        }
    }
}

/// What a part of a pattern takes from one place of a text.
#[derive(Clone, Copy, Debug)]
struct Effort {
    /// In how many ways it matches: what comes after it is tried for each.
    ways: Growth,
    /// Tries until it has matched in all of them.
    tries: Growth,
}

/// Returns why a pattern is not used.
pub(crate) fn check(pattern: &str) -> Result<(), String> {
    let refused = |reason: &str| {
        let pattern: String = pattern.chars().take(100).collect();
        Err(format!("its pattern `{pattern}` is not followed: {reason}"))
    };
    let tree = match Expr::parse_tree(pattern) {
        Ok(tree) => tree,
        Err(error) => return refused(&error.to_string()),
    };
    match effort(&tree.expr, false) {
        Ok(Effort { tries, .. }) if tries.power > 1 => {
            refused("beside look-around or word boundaries there may be one repetition without end")
        }
        Ok(Effort { tries, .. }) if tries.times > MOST_TRIES => {
            refused("beside look-around or word boundaries it can match in too many ways")
        }
        Ok(_) => Ok(()),
        Err(reason) => refused(reason),
    }
}

/// Returns what a part takes; `is_tried` where it stands beside what no automaton can.
fn effort(part: &Expr, is_tried: bool) -> Result<Effort, &'static str> {
    if !is_tried && is_for_automaton(part) {
        let tries = match has_long_repeat(part) {
            true => Growth::LENGTH,
            false => Growth::ONE,
        };
        return Ok(Effort {
            ways: Growth::ONE,
            tries,
        });
    }
    match part {
        Expr::Empty
        | Expr::Any { .. }
        | Expr::Assertion(_)
        | Expr::Literal { .. }
        | Expr::Delegate { .. } => Ok(Effort {
            ways: Growth::ONE,
            tries: Growth::ONE,
        }),
        Expr::Group(inner) => effort(inner, is_tried),
        // Once it has matched it is not tried anew.
        Expr::AtomicGroup(inner) | Expr::LookAround(inner, _) => Ok(Effort {
            ways: Growth::ONE,
            ..effort(inner, false)?
        }),
        Expr::Alt(parts) => {
            let mut all: Option<Effort> = None;
            for part in parts {
                let Effort { ways, tries } = effort(part, is_tried)?;
                all = Some(match all {
                    Some(all) => Effort {
                        ways: all.ways.plus(ways),
                        tries: all.tries.plus(tries),
                    },
                    None => Effort { ways, tries },
                });
            }
            all.ok_or("it has no alternatives")
        }
        Expr::Concat(parts) => {
            let mut all = Effort {
                ways: Growth::ONE,
                tries: Growth::ONE,
            };
            for part in parts {
                let Effort { ways, tries } = effort(part, true)?;
                all = Effort {
                    tries: all.tries.plus(all.ways.times(tries)),
                    ways: all.ways.times(ways),
                };
            }
            Ok(all)
        }
        Expr::Repeat { child, lo, hi, .. } => repeated(effort(child, true)?, *lo, *hi),
        _ => Err("it has back references, conditions or calls"),
    }
}

fn repeated(one: Effort, lo: usize, hi: usize) -> Result<Effort, &'static str> {
    let is_single = one.ways == Growth::ONE;
    if hi > FEW {
        return match is_single && one.tries.power == 0 {
            true => Ok(Effort {
                ways: Growth::LENGTH,
                tries: Growth::LENGTH.times(one.tries),
            }),
            false => Err("beside look-around or word boundaries it repeats what can match in several ways"),
        };
    }
    let most = u32::try_from(hi).unwrap_or(u32::MAX);
    let ways = Growth {
        power: one.ways.power.saturating_mul(most),
        times: one.ways.times.powf(f64::from(most)) * (hi.saturating_sub(lo) + 1) as f64,
    };
    let tries = Growth {
        power: ways.power.max(one.tries.power),
        times: ways.times * one.tries.times * hi.max(1) as f64,
    };
    Ok(Effort { ways, tries })
}

/// Returns whether a part is matched by an automaton, in a time that grows with the text.
fn is_for_automaton(part: &Expr) -> bool {
    use Assertion::{EndLine, EndText, StartLine, StartText};
    match part {
        Expr::Empty | Expr::Any { .. } | Expr::Literal { .. } | Expr::Delegate { .. } => true,
        Expr::Assertion(StartText | EndText | StartLine { .. } | EndLine { .. }) => true,
        Expr::Group(inner) => is_for_automaton(inner),
        Expr::Concat(parts) | Expr::Alt(parts) => parts.iter().all(is_for_automaton),
        Expr::Repeat { child, .. } => is_for_automaton(child),
        _ => false,
    }
}

fn has_long_repeat(part: &Expr) -> bool {
    match part {
        Expr::Group(inner) => has_long_repeat(inner),
        Expr::Concat(parts) | Expr::Alt(parts) => parts.iter().any(has_long_repeat),
        Expr::Repeat { child, hi, .. } => *hi > FEW || has_long_repeat(child),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_models_are_followed() {
        for pattern in [
            r"\s+",
            " {2,}",
            r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\s+(?!\S)|\s+",
            r"(?<=\p{L})(?=\p{N})|\b\w+\b",
            r"\d{1,3}(?=(?:\d{3})*\b)",
            r"(a+)+b",
        ] {
            assert_eq!(check(pattern), Ok(()), "{pattern}");
        }
    }

    #[test]
    fn patterns_that_could_be_tried_for_hours_are_refused() {
        for pattern in [
            r"(a+)+(?!b)",
            r"(?:a|a)*(?=b)",
            r"\b(\w+\s?)*\b",
            r".*.*(?=b)",
            r"\s+(?=.*z)",
            r"(?:a?){30}(?!b)",
            r"(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(?!b)",
            r"(a+)\1",
            r"(?=(a+)+(?!b))c",
            r"(?>(a+)+(?!b))",
            r"(?:(a+)(?!b)){2}",
            r"(?:(?:(?:(?:(a+)(?!b)){999}){999}){999}){999}(?:(a+)(?!b)){2}",
            "(",
        ] {
            let refused = check(pattern).expect_err(pattern);
            assert!(refused.starts_with("its pattern `"), "{refused}");
        }
    }
}
