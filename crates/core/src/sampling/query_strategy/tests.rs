use proptest::prelude::*;

use super::*;

fn prediction(scores: &[(&str, f32)]) -> Prediction {
    let class = |(name, score): &(&str, f32)| ClassScore {
        name: (*name).into(),
        score: *score,
    };
    Prediction::multi_class(scores.iter().map(class).collect()).expect("classes are given")
}

fn candidates<'a>(texts: &[(&'a str, Option<Prediction>)]) -> Vec<Candidate<'a>> {
    let candidate = |(text, prediction): &(&'a str, Option<Prediction>)| Candidate {
        text,
        prediction: prediction.clone(),
        vector: None,
    };
    texts.iter().map(candidate).collect()
}

fn counts(labels: &[(&str, u64)]) -> LabelCounts {
    labels
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

#[test]
fn strategies_differ_in_what_they_hold_uncertain() {
    // Not sure of anything; torn between two; sure.
    let vague = prediction(&[("a", 0.4), ("b", 0.25), ("c", 0.2), ("d", 0.15)]);
    let torn = prediction(&[("a", 0.5), ("b", 0.49), ("c", 0.01)]);
    let sure = prediction(&[("a", 0.98), ("b", 0.01), ("c", 0.01)]);
    let pool = candidates(&[("one", Some(sure)), ("two", Some(torn)), ("three", Some(vague))]);

    for (strategy, order) in [
        (QueryStrategy::Margin, [1, 2, 0]),
        (QueryStrategy::LeastConfidence, [2, 1, 0]),
        (QueryStrategy::Entropy, [2, 1, 0]),
    ] {
        assert_eq!(
            select(strategy, &pool, &AskedBefore::default(), 3, 7),
            order,
            "{strategy}"
        );
    }
}

#[test]
fn of_equally_close_texts_those_of_a_rare_class_come_first() {
    let pool = candidates(&[
        ("one", Some(prediction(&[("common", 0.6), ("rare", 0.4)]))),
        ("two", Some(prediction(&[("rare", 0.6), ("common", 0.4)]))),
    ]);
    let labelled = counts(&[("common", 99), ("rare", 9)]);

    for strategy in [QueryStrategy::ClassBalanced, QueryStrategy::Representative] {
        let before = AskedBefore {
            labels: labelled.clone(),
            ..AskedBefore::default()
        };
        assert_eq!(select(strategy, &pool, &before, 1, 7), [1], "{strategy}");
    }
    let value = |index: usize, labelled| {
        QueryStrategy::ClassBalanced.value(pool[index].prediction.as_ref(), labelled)
    };
    assert_eq!(value(0, &LabelCounts::new()), value(1, &LabelCounts::new()));
}

#[test]
fn a_batch_does_not_ask_the_same_thing_twice() {
    let torn = || Some(prediction(&[("a", 0.5), ("b", 0.5)]));
    let nearly = || Some(prediction(&[("a", 0.6), ("b", 0.4)]));
    let pool = candidates(&[
        ("oil prices rise in europe", torn()),
        ("Oil prices rise in Europe!", torn()),
        ("oil prices rise in europe again", torn()),
        ("the team wins its third match", nearly()),
        ("that team loses the third match", nearly()),
    ]);

    let margin = select(QueryStrategy::Margin, &pool, &AskedBefore::default(), 2, 7);
    let representative = select(
        QueryStrategy::Representative,
        &pool,
        &AskedBefore::default(),
        2,
        7,
    );

    assert!(margin.iter().all(|&index| index < 3), "{margin:?}");
    assert!(
        representative[0] < 3 && representative[1] >= 3,
        "{representative:?}"
    );
}

#[test]
fn without_predictions_every_default_choice_covers_the_texts() {
    let pool = candidates(&[
        ("shares fall on wall street", None),
        ("goal in the last minute", None),
        ("shares fall again on wall street today", None),
    ]);

    let mut chosen = select(QueryStrategy::default(), &pool, &AskedBefore::default(), 2, 7);
    chosen.sort_unstable();

    assert!(chosen == [0, 1] || chosen == [1, 2], "{chosen:?}");
}

#[test]
fn with_vectors_texts_are_alike_by_what_they_mean() {
    let [bank, rates, match_, none] =
        [[9.0, 1.0], [8.0, 2.0], [1.0, 9.0], [0.0, 0.0]].map(|v| Vector::of(&v));
    let texts = [
        ("a bank", &bank),
        ("interest", &rates),
        ("the bank of the match", &match_),
    ];
    let pool = texts.map(|(text, vector)| Candidate {
        text,
        prediction: None,
        vector: Some(vector),
    });
    let before = AskedBefore {
        texts: vec!["unknown", "money"],
        vectors: vec![&none, &bank],
        ..AskedBefore::default()
    };

    assert_eq!(select(QueryStrategy::Diversity, &pool, &before, 1, 7), [2]);
}

#[test]
fn doubtful_texts_are_unlike_by_their_vectors_not_by_their_words() {
    let [bank, rates, goal] = [[9.0, 1.0], [8.0, 2.0], [1.0, 9.0]].map(|v| Vector::of(&v));
    let torn = || Some(prediction(&[("a", 0.51), ("b", 0.49)]));
    let texts = [
        ("a bank lends", &bank),
        ("interest rises", &rates),
        ("the bank of the river", &goal),
    ];
    let pool = texts.map(|(text, vector)| Candidate {
        text,
        prediction: torn(),
        vector: Some(vector),
    });
    // By its words the last text was asked before, by its vector the first two were.
    let with_vectors = AskedBefore {
        texts: vec!["the bank of the river again"],
        vectors: vec![&bank],
        ..AskedBefore::default()
    };
    let by_words = pool.clone().map(|candidate| Candidate {
        vector: None,
        ..candidate
    });
    let without = AskedBefore {
        vectors: Vec::new(),
        ..with_vectors.clone()
    };
    let representative = QueryStrategy::Representative;

    assert_eq!(select(representative, &pool, &with_vectors, 1, 7), [2]);
    assert_ne!(select(representative, &by_words, &without, 1, 7), [2]);
}

#[test]
fn a_rare_class_comes_first_also_among_vectors() {
    let vectors = [[1.0, 0.0], [0.0, 1.0]].map(|v| Vector::of(&v));
    let scores = [[("common", 0.6), ("rare", 0.4)], [("rare", 0.6), ("common", 0.4)]];
    let pool: Vec<Candidate> = [0, 1]
        .map(|n| Candidate {
            text: ["one", "two"][n],
            prediction: Some(prediction(&scores[n])),
            vector: Some(&vectors[n]),
        })
        .into();
    let chosen = |labelled: &[(&str, u64)]| {
        let before = AskedBefore {
            labels: counts(labelled),
            ..AskedBefore::default()
        };
        select(QueryStrategy::Representative, &pool, &before, 1, 7)
    };

    assert_eq!(chosen(&[("common", 99), ("rare", 9)]), [1]);
    assert_eq!(chosen(&[("common", 9), ("rare", 99)]), [0]);
}

#[test]
fn chance_decides_between_equal_values_and_differs_by_seed() {
    let pool = vec![
        Candidate {
            text: "same",
            prediction: None,
            vector: None,
        };
        50
    ];
    let chosen = |seed| select(QueryStrategy::Margin, &pool, &AskedBefore::default(), 5, seed);

    assert_eq!(chosen(1), chosen(1));
    assert_ne!(chosen(1), chosen(2));
}

#[test]
fn a_record_tells_what_its_model_said() {
    let line = |rest: &str| format!(r#"{{"classifier":"c","utterance":"text","prediction":"a"{rest}}}"#);
    let known = |rest: &str| {
        let record = FeedbackRecord::parse(line(rest).as_bytes()).expect("a good line");
        let prediction = Candidate::of(&record).prediction;
        prediction.map(|prediction| (prediction.confidence, prediction.margin))
    };

    assert_eq!(known(""), None);
    assert_eq!(known(r#","confidence":0.75"#), Some((0.75, 0.75)));
    let classes = r#","confidence":0.5,"classes":[{"name":"a","score":0.5},{"name":"b","score":0.25}]"#;
    assert_eq!(known(classes), Some((0.5, 0.25)));
    let labels = r#","confidence":0.75,"classes":[{"name":"a","score":1.0},{"name":"b","score":0.75}]"#;
    assert_eq!(known(labels), Some((0.75, 0.5)));
}

#[test]
fn names_are_read_as_they_are_written() {
    for strategy in QueryStrategy::ALL {
        assert_eq!(strategy.to_string().parse(), Ok(strategy));
    }
    let error = "best".parse::<QueryStrategy>().expect_err("no such strategy");
    assert_eq!(
        error.to_string(),
        "`best` is no strategy; there are representative, margin, least-confidence, entropy, class-balanced, \
         diversity, random"
    );
}

fn any_prediction() -> impl Strategy<Value = Option<Prediction>> {
    let scores = proptest::collection::vec(0.0f32..=1.0, 0..5);
    (scores, any::<bool>()).prop_map(|(scores, competing)| {
        let sum = if competing {
            scores.iter().sum::<f32>().max(f32::MIN_POSITIVE)
        } else {
            1.0
        };
        let class = |(score, name): (f32, char)| ClassScore {
            name: name.into(),
            score: score / sum,
        };
        let classes = scores.into_iter().zip('a'..).map(class).collect();
        if competing {
            Prediction::multi_class(classes)
        } else {
            Prediction::multi_label(classes)
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_choice_has_no_repeats_and_is_as_long_as_asked(
        pool in proptest::collection::vec(("[ab ]{0,9}", any_prediction()), 0..40),
        labels in proptest::collection::btree_map("[a-e]", 0u64..100, 0..5),
        texts in proptest::collection::vec("[ab ]{0,9}", 0..9), count in 0usize..50, seed: u64,
    ) {
        let texts = texts.iter().map(String::as_str).collect();
        let before = AskedBefore { labels, texts, vectors: Vec::new() };
        let pool: Vec<Candidate> = pool
            .iter()
            .map(|(text, prediction)| Candidate { text, prediction: prediction.clone(), vector: None })
            .collect();
        for strategy in QueryStrategy::ALL {
            let mut chosen = select(strategy, &pool, &before, count, seed);

            prop_assert_eq!(&chosen, &select(strategy, &pool, &before, count, seed));
            chosen.sort_unstable();
            chosen.dedup();
            prop_assert_eq!(chosen.len(), count.min(pool.len()));
            prop_assert!(chosen.iter().all(|&index| index < pool.len()));
        }
    }

    #[test]
    fn a_fifth_is_chosen_by_chance_and_no_text_twice(
        predictions in proptest::collection::vec(any_prediction(), 40..60), count in 1usize..40, seed: u64,
    ) {
        let pool: Vec<Candidate> =
            predictions.into_iter().map(|prediction| Candidate { text: "text", prediction, vector: None }).collect();
        let is_judged = pool.iter().any(|candidate| candidate.prediction.is_some());

        let chosen = select_with_chance(QueryStrategy::Margin, &pool, &AskedBefore::default(), count, seed);

        let by_chance = chosen.iter().filter(|choice| !choice.by_doubt).count() as f64;
        let different: std::collections::BTreeSet<usize> = chosen.iter().map(|choice| choice.index).collect();
        prop_assert_eq!(different.len(), count);
        prop_assert!(!is_judged || (by_chance - 0.2 * count as f64).abs() <= 1.0);
    }

    #[test]
    fn plain_strategies_choose_the_greatest_values(
        predictions in proptest::collection::vec(any_prediction(), 1..40), count in 1usize..10, seed: u64,
    ) {
        let pool: Vec<Candidate> =
            predictions.into_iter().map(|prediction| Candidate { text: "text", prediction, vector: None }).collect();
        for strategy in [QueryStrategy::Margin, QueryStrategy::LeastConfidence, QueryStrategy::Entropy, QueryStrategy::ClassBalanced] {
            let value = |index: usize| strategy.value(pool[index].prediction.as_ref(), &LabelCounts::new());
            let chosen = select(strategy, &pool, &AskedBefore::default(), count, seed);

            let least = chosen.iter().map(|&index| value(index)).fold(f64::INFINITY, f64::min);
            prop_assert!((0..pool.len()).all(|index| chosen.contains(&index) || value(index) <= least));
        }
    }

    #[test]
    fn values_are_finite_and_never_negative(
        prediction in any_prediction(), labels in proptest::collection::btree_map("[a-e]", 0u64.., 0..5),
    ) {
        // Counts of all the texts in the world fit; sums of random 64-bit numbers do not.
        let labels = labels.into_iter().map(|(class, count)| (class, count >> 8)).collect();
        for strategy in QueryStrategy::ALL {
            let value = strategy.value(prediction.as_ref(), &labels);
            prop_assert!(value.is_finite() && value >= 0.0, "{} {}", strategy, value);
        }
    }
}
