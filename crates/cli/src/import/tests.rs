use active_learning_core::{
    feedback::{FeedbackRequest, Source},
    labels::{
        human_loop::Answer,
        question::{Question, State},
        vote::{Vote, VoteSource},
    },
};
use clap::Parser;
use text_import::read;

use super::{
    known::{Before, Known, Standing, before},
    *,
};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    options: Options,
}

pub(super) fn options(arguments: &[&str]) -> Options {
    Line::parse_from([&["import", "file"], arguments].concat()).options
}

pub(super) fn files(contents: &[&str]) -> Vec<File> {
    let file = |content: &&str| File {
        name: "file.csv".to_owned(),
        import: read(content.as_bytes(), &text_import::Options::default()).expect("it is read"),
    };
    contents.iter().map(file).collect()
}

pub(super) fn set(names: &[&str]) -> LabelSet {
    let mut set = LabelSet::none();
    names.iter().for_each(|name| set.add(name, "").expect("free"));
    set
}

fn answers(plan: &Plan) -> Vec<Vec<(&str, Answer)>> {
    let of = |labelled: &plan::Labelled| labelled.votes.len();
    assert!(plan.labelled.iter().all(|labelled| of(labelled) > 0));
    plan.labelled
        .iter()
        .map(|labelled| {
            labelled
                .votes
                .iter()
                .map(|vote| (vote.worker.as_str(), vote.answer.clone()))
                .collect()
        })
        .collect()
}

#[test]
fn labels_have_the_names_of_the_set_and_new_ones_are_proposals_in_one_spelling() {
    let files = files(&["text,label\none,BILLING\ntwo,Refund\nthree,refund\nfour,Refund\nfive,\n"]);

    let plan = Plan::of(&files, &set(&["Billing"]), &options(&[]));

    let proposed = || Answer::NewLabel {
        label: "Refund".to_owned(),
    };
    assert_eq!(
        answers(&plan),
        [
            vec![("import", Answer::labels(["Billing"]))],
            vec![("import", proposed())],
            vec![("import", proposed())],
            vec![("import", proposed())],
        ]
    );
    let asked: Vec<&str> = plan.pool.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(asked, ["two", "three", "four", "five"], "a proposal is no answer");
    assert_eq!((plan.new_labels.len(), plan.new_labels[0].votes), (1, 3));
}

#[test]
fn what_becomes_of_each_text_is_said_with_numbers_and_names() {
    let files = files(&[
        "text,label\none,Billing\ntwo,Refund\nthree,Sport\nfour,Old\nfive,billing|login\nsix,login|Billing\n\
         seven,__none__\neight,Invoices\n",
    ]);
    let mut set = set(&["Billing", "Login", "Sport", "Old", "Invoices"]).with_several_labels(false);
    set.split("Sport", &["Ball games", "Racing"]).expect("parts");
    set.retire("Old").expect("others");
    set.merge("Invoices", "Billing").expect("active");

    let plan = Plan::of(&files, &set, &options(&[]));
    let text = preview::in_words(&files, &plan, Some(&Known::default()));

    for said in [
        "2 train the next model",
        "1 waits for acceptance (`Refund` 1): people are asked meanwhile",
        "2 name several labels (`Billing|Login` 2): a text has one here",
        "1 has a label that was split (`Sport` 1): it is kept as evidence, and people are asked",
        "1 has a retired label (`Old` 1): it is kept and left out; people are not asked",
        "1 names what can be no label, such as `__none__`: people are asked",
    ] {
        assert!(text.contains(said), "{said}:\n{text}");
    }
    let asked: Vec<&str> = plan.pool.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(asked, ["two", "three", "five", "six", "seven"]);
    assert_eq!(plan.labelled.len(), 7);
    let of_merged = &answers(&plan)[6];
    assert_eq!(*of_merged, [("import", Answer::labels(["Billing"]))]);
}

#[test]
fn a_stack_of_several_labels_takes_several_of_a_cell() {
    let files = files(&["text,label\none,billing|login\ntwo,login\nthree,billing\n"]);

    let plan = Plan::of(&files, &set(&["Billing", "Login"]), &options(&[]));

    assert!(plan.new_labels.is_empty());
    assert_eq!(
        answers(&plan)[0],
        [("import", Answer::labels(["Billing", "Login"]))]
    );
    assert!(plan.pool.is_empty());
}

#[test]
fn a_new_label_that_stands_beside_one_of_the_set_is_the_part_that_is_none_there() {
    let contents = ["text,label\none,Billing|Noise\ntwo,Billing\n"];
    let set = set(&["Billing", "Login"]);
    let import = read(
        contents[0].as_bytes(),
        &text_import::Options {
            several_labels_of: Some(vec!["Billing".to_owned(), "Login".to_owned()]),
            ..text_import::Options::default()
        },
    );
    let cut = [File {
        name: "file.csv".to_owned(),
        import: import.expect("it is read"),
    }];
    // As a list has it, or a file that was read without the set.
    let whole = files(&contents);

    for files in [&cut[..], &whole] {
        let plan = Plan::of(files, &set, &options(&[]));
        let names: Vec<String> = plan.new_labels.iter().map(|label| label.name.clone()).collect();
        let proposed = answers(&plan)[0][0].1.clone();
        let added = plan.adding_labels(files, &set, &options(&[]));
        let (plan, after) = added.expect("`Noise` can be a label");

        assert_eq!(names, ["Noise"]);
        let proposal = Answer::NewLabel {
            label: "Billing|Noise".to_owned(),
        };
        assert_eq!(proposed, proposal);
        assert_eq!(answers(&plan)[0][0].1, Answer::labels(["Billing", "Noise"]));
        assert_eq!(after.active().collect::<Vec<_>>(), ["Billing", "Login", "Noise"]);
    }
}

const TWO_OF_ONE: &str = "text,label\none,Refund|Billing\ntwo,Refund\nthree,Billing\n";

#[test]
fn several_names_of_one_text_are_one_proposal_in_one_order_whichever_of_them_is_a_label_by_now() {
    let files = files(&[TWO_OF_ONE]);
    let both = |names: &[&str], several| {
        let set = set(names).with_several_labels(several);
        answers(&Plan::of(&files, &set, &options(&[])))[0][0].1.clone()
    };

    let proposal = Answer::NewLabel {
        label: "Billing|Refund".to_owned(),
    };
    for names in [&[][..], &["Refund"], &["Billing"], &["Other"]] {
        assert_eq!(both(names, true), proposal, "{names:?}");
        assert_eq!(both(names, false), proposal, "{names:?}");
    }
    let all = ["Refund", "Billing"];
    assert_eq!(both(&all, false), proposal, "a text has one label here");
    assert_eq!(both(&all, true), Answer::labels(["Billing", "Refund"]));
}

#[test]
fn a_file_that_names_what_it_named_before_is_no_change_also_where_that_was_stored_in_another_order() {
    for several in [false, true] {
        let set = set(&["Billing"]).with_several_labels(several);
        let plan = Plan::of(&files(&[TWO_OF_ONE]), &set, &options(&[]));
        let labelled = &plan.labelled[0];
        let request = FeedbackRequest {
            sentence: labelled.text.clone(),
            classifier: labelled.classifier.clone(),
            ..FeedbackRequest::default()
        };
        let record = request.into_record(Source::ExplicitBatch, "2026-11-20T10:00:00Z");
        let mut question = Question::known(record.expect("a text"));
        let stored = |label: &str| Vote {
            answer: Answer::NewLabel {
                label: label.to_owned(),
            },
            ..labelled.votes[0].clone()
        };

        question.answer_with(&[stored("Refund|Billing")]);
        assert_eq!(
            before(&set, labelled, Some(&question)),
            Before::All(Standing::Stands)
        );

        question.answer_with(&[stored("Refund|Invoices")]);
        assert_ne!(
            before(&set, labelled, Some(&question)),
            Before::All(Standing::Stands)
        );
    }
}

#[test]
fn two_names_of_one_label_contradict_neither_each_other_nor_what_people_said_before_a_change() {
    let mut set = set(&["Payment", "Invoice"]);
    set.merge("Invoice", "Payment").expect("active");
    set.rename("Payment", "Money").expect("free");
    let plan = Plan::of(
        &files(&["text,label\none,Invoice\none,Payment\n"]),
        &set,
        &options(&[]),
    );

    assert_eq!(answers(&plan), [vec![("import", Answer::labels(["Money"]))]]);

    let labelled = &plan.labelled[0];
    let request = FeedbackRequest {
        sentence: labelled.text.clone(),
        classifier: labelled.classifier.clone(),
        ..FeedbackRequest::default()
    };
    let record = request.into_record(Source::ExplicitBatch, "2026-11-20T10:00:00Z");
    let mut question = Question::known(record.expect("a text"));
    question.answer_with(&[Vote {
        worker: "ann".to_owned(),
        answer: Answer::labels(["Payment"]),
        source: VoteSource::HumanReview,
        ..labelled.votes[0].clone()
    }]);
    assert_eq!(
        before(&set, labelled, Some(&question)),
        Before::All(Standing::Stands),
        "nothing new"
    );
}

/// A question about the first text of a plan with these votes: source, worker and labels.
fn voted(plan: &Plan, votes: &[(VoteSource, &str, &[&str])]) -> Question {
    let labelled = &plan.labelled[0];
    let request = FeedbackRequest {
        sentence: labelled.text.clone(),
        classifier: labelled.classifier.clone(),
        ..FeedbackRequest::default()
    };
    let record = request.into_record(Source::ExplicitBatch, "2026-11-20T10:00:00Z");
    let mut question = Question::known(record.expect("a text"));
    for (source, worker, labels) in votes {
        question.answer_with(&[Vote {
            worker: (*worker).to_owned(),
            answer: Answer::labels(labels.iter().copied()),
            source: *source,
            ..labelled.votes[0].clone()
        }]);
    }
    question
}

#[test]
fn an_export_of_the_stack_is_known_whoever_gave_its_labels_and_a_correction_is_the_newer_word() {
    let own = "labeling-job/import-798847ab798847ab";
    let manifest = |label: &str| {
        let (value, metadata) = match label.split_once('|') {
            Some((one, other)) => (json!([0, 1]), json!({"class-map": {"0": one, "1": other}})),
            None => (json!(0), json!({"class-name": label})),
        };
        let mut line = json!({"source": "one", "label": value, "label-metadata": metadata, "copies": 0});
        line["label-metadata"]["job-name"] = own.into();
        line["label-metadata"]["human-annotated"] = "yes".into();
        line["label-metadata"]["creation-date"] = "2026-11-20T10:00:00.000".into();
        line.to_string()
    };
    let table = |label: &str| format!("{label},one\n{label},two\n");
    let line = |label: &str| {
        let labels: Vec<&str> = label.split('|').collect();
        json!({"labels": labels, "text": "one", "copies": 0, "votes": [{"worker": "ann", "source": "human-review"}]})
            .to_string()
    };
    let set = set(&["A", "B", "C"]);
    let (import, review) = (VoteSource::Import, VoteSource::HumanReview);
    let adjudicated = [
        (review, "ann", &["A"][..]),
        (review, "bob", &["B"]),
        (VoteSource::Adjudicator, "cy", &["A"]),
    ];
    for (label, votes) in [
        ("A", &[(import, "import", &["A"][..])][..]),
        ("A", &[(import, "label-studio:1", &["A"][..])]),
        ("A", &[(review, "ann", &["A"][..])]),
        ("A|B", &[(import, "import", &["A", "B"][..])]),
        ("A|B", &[(review, "ann", &["A", "B"][..])]),
        ("A", &adjudicated),
    ] {
        for content in [manifest(label), table(label), line(label)] {
            let plan = Plan::of(&files(&[&content]), &set, &options(&[]));
            let question = voted(&plan, votes);

            let known = before(&set, &plan.labelled[0], Some(&question));

            assert_eq!(known, Before::All(Standing::Stands), "{content}: {votes:?}");
        }
    }
    for content in [manifest("C"), table("C"), line("C")] {
        let plan = Plan::of(&files(&[&content]), &set, &options(&[]));
        let question = voted(&plan, &[(import, "import", &["A"])]);

        let known = before(&set, &plan.labelled[0], Some(&question));

        assert!(matches!(known, Before::Another(_)), "{content}: {known:?}");
    }
}

#[test]
fn spellings_that_are_one_label_are_told_also_across_files_and_against_the_set_and_when_they_look_the_same() {
    let files = files(&[
        "text,label\none,Caf\u{e9}\ntwo,Caf\u{e9}\nthree,BILLING\n",
        "text,label\nfour,Cafe\u{301}\nfive,Caf\u{e9}\n",
    ]);
    let plan = Plan::of(&files, &set(&["Billing"]), &options(&[]));

    let text = preview::in_words(&files, &plan, Some(&Known::default()));

    for said in [
        "joined      `Cafe\u{301}` (1; they look the same: U+0065 U+0301 instead of U+00E9) is read as `Caf\u{e9}`",
        "joined      `BILLING` is the label `Billing`",
    ] {
        assert!(text.contains(said), "{said}:\n{text}");
    }
}

#[test]
fn what_nobody_signed_and_contradicts_itself_is_asked_and_what_people_signed_are_votes() {
    let unsigned = files(&["text,label\none,A\none,B\ntwo,A\ntwo,a\n"]);
    let signed = files(&["text,label,annotator\none,A,ann\none,B,bob\none,B,cy\ntwo,A,ann\ntwo,B,bob\n"]);
    let set = set(&["A", "B"]);

    let unsigned = Plan::of(&unsigned, &set, &options(&[]));
    let signed = Plan::of(&signed, &set, &options(&[]));

    assert_eq!(
        (
            unsigned.contradictory,
            unsigned.pool.len(),
            unsigned.labelled.len()
        ),
        (1, 1, 1)
    );
    assert_eq!(answers(&signed)[0].len(), 3);
    assert_eq!(answers(&signed)[0][0].0, "import:ann");
    assert_eq!((signed.count(&plan::Fate::Tied), signed.pool.len()), (1, 0));
}

#[test]
fn a_text_that_two_classifiers_have_is_labelled_and_asked_under_each_of_them() {
    let document = |classifier: &str, label: &str| {
        format!(
            r#"{{"classifier": "{classifier}", "sentences":
                [{{"text": "Thanks, bye!", "label": "{label}"}}, {{"text": "Hello"}}]}}"#
        )
    };
    let files = files(&[&document("mail", "Other"), &document("chat", "Closing")]);

    let plan = Plan::of(&files, &set(&["Other", "Closing"]), &options(&[]));
    let together = Plan::of(
        &files,
        &set(&["Other", "Closing"]),
        &options(&["--classifier", "mail"]),
    );

    assert_eq!(
        answers(&plan),
        [
            vec![("import", Answer::labels(["Other"]))],
            vec![("import", Answer::labels(["Closing"]))],
        ]
    );
    let classifiers = plan.labelled.iter().map(|labelled| labelled.classifier.as_str());
    assert_eq!(classifiers.collect::<Vec<_>>(), ["mail", "chat"]);
    let asked = [("mail", "Hello"), ("chat", "Hello")].map(|(of, text)| (of.to_owned(), text.to_owned()));
    assert_eq!((&plan.pool[..], plan.contradictory), (&asked[..], 0));
    assert_eq!((together.contradictory, together.pool.len()), (1, 2));
}

#[test]
fn a_row_is_of_the_classifier_that_it_names_and_else_of_the_default_one() {
    let lines = files(&[
        "{\"classifier\": \"mail\", \"text\": \"Thanks, bye!\", \"label\": \"Other\"}\n\
         {\"classifier\": \"chat\", \"text\": \"Thanks, bye!\", \"label\": \"Closing\"}\n\
         {\"text\": \"Thanks, bye!\", \"label\": \"Other\"}\n",
    ]);
    let table =
        files(&["classifier,text,label\nmail,\"Thanks, bye!\",Other\nchat,\"Thanks, bye!\",Closing\n"]);
    let classifiers = |files: &[File], arguments: &[&str]| {
        let plan = Plan::of(files, &set(&["Other", "Closing"]), &options(arguments));
        let named = plan.labelled.iter().map(|labelled| labelled.classifier.clone());
        named.collect::<Vec<String>>()
    };

    assert_eq!(classifiers(&lines, &[]), ["mail", "chat", "default"]);
    assert_eq!(classifiers(&table, &[]), ["mail", "chat"]);
    assert!(
        classifiers(&table, &["--classifier", "mail"]).is_empty(),
        "contradictory labels of one"
    );
    let plan = Plan::of(&table, &set(&["Other", "Closing"]), &options(&[]));
    let text = preview::in_words(&table, &plan, Some(&Known::default()));
    for said in [
        "classifier = classifier",
        "2: 2 with labels (2 votes), 0 without; 0 duplicates",
    ] {
        assert!(text.contains(said), "{said}:\n{text}");
    }
}

#[test]
fn without_their_labels_all_texts_are_asked_each_once() {
    let files = files(&["text,label\none,A\nONE,B\ntwo,A\n", "text\ntwo\nthree\n"]);

    let plan = Plan::of(
        &files,
        &set(&["A"]),
        &options(&["--ignore-labels", "--classifier", "mail"]),
    );

    assert!(plan.labelled.is_empty());
    let texts: Vec<&str> = plan.pool.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["one", "two", "three"]);
    assert!(plan.pool.iter().all(|(classifier, _)| classifier == "mail"));
}

#[test]
fn the_preview_of_labels_that_are_to_be_added_says_what_comes_of_that_and_nothing_of_acceptance() {
    let files = files(&["text,label\none,Refund\ntwo,Refund\nthree,Billing\n"]);
    let set = set(&["Billing"]);
    let options = options(&["--add-labels"]);

    let plan = Plan::of(&files, &set, &options);
    let (plan, planned_set) = plan.adding_labels(&files, &set, &options).expect("a label");
    let text = preview::in_words(&files, &plan, Some(&Known::default()));

    assert!(text.contains("they become labels"), "{text}");
    assert!(
        !text.contains("proposed") && !text.contains("acceptance"),
        "{text}"
    );
    assert!(text.contains("3 train the next model"), "{text}");
    assert_eq!((plan.pool.len(), planned_set.active().count()), (0, 2));
    assert_eq!(set.active().count(), 1, "nothing is changed by a preview");
}

#[test]
fn a_preview_warns_where_texts_are_kept_that_the_stack_masks() {
    let files = files(&["text\nwrite to a@b.de\n"]);
    let plan = Plan {
        keeps_what_the_stack_masks: true,
        ..Plan::of(&files, &set(&[]), &options(&["--personal-data", "keep"]))
    };

    let text = preview::in_words(&files, &plan, Some(&Known::default()));

    assert!(text.contains("the stack masks personal data"), "{text}");
}

#[test]
fn the_preview_says_everything_that_was_understood() {
    let files = files(&[
        "Texto;Etiqueta;id\nuno;A;1\nuno;B;2\ndos;a ;3\ntres;;4\n\"cuatro;A;5\ncinco;A;6\nseis;A;7;8;9\n",
    ]);
    let plan = Plan::of(&files, &set(&["B"]), &options(&[]));

    let text = preview::in_words(&files, &plan, Some(&Known::default()));

    for said in [
        "CSV, UTF-8, separated by `;`",
        "Texto = text, Etiqueta = label, id",
        "4: 3 with labels (4 votes), 1 without; 1 duplicate",
        "A 3, B 1",
        "`a` (1) is read as `A`",
        "lines 2, 3 (A / B)",
        "line 6: the quote that opens in line 6 is never closed",
        "line 8: 5 columns where the others have 3",
        "new labels  A 3",
        "labels for 2 texts, questions about 4 texts",
        "2 wait for acceptance (`A` 2)",
    ] {
        assert!(text.contains(said), "{said}:\n{text}");
    }
}

#[test]
fn what_a_second_preview_says_of_a_label_that_people_contradict_is_what_became_of_it() {
    let files = files(&["text,label\none,Billing\n"]);
    let set = set(&["Billing", "Login"]);
    let plan = Plan::of(&files, &set, &options(&[]));
    let labelled = &plan.labelled[0];
    let request = FeedbackRequest {
        sentence: labelled.text.clone(),
        classifier: labelled.classifier.clone(),
        ..FeedbackRequest::default()
    };
    let record = request.into_record(Source::ExplicitBatch, "2026-11-20T10:00:00Z");
    let record = record.expect("a text");
    let review = |worker: &str| Vote {
        worker: worker.to_owned(),
        answer: Answer::labels(["Login"]),
        source: VoteSource::HumanReview,
        ..labelled.votes[0].clone()
    };
    let with = |reviewers: &[&str], state| {
        let mut question = Question::known(record.clone());
        question.answer_with(&labelled.votes);
        question.answer_with(&reviewers.iter().copied().map(review).collect::<Vec<_>>());
        question.state = state;
        before(&set, labelled, Some(&question))
    };

    let stands = with(&[], State::Answered);
    let disputed = with(&["ann"], State::Disputed);
    let outvoted = with(&["ann", "bob"], State::Answered);

    assert_eq!(stands, Before::All(Standing::Stands));
    assert_eq!(disputed, Before::All(Standing::Disputed));
    assert_eq!(outvoted, Before::All(Standing::Outvoted));
    let said = |before| preview::in_words(&files, &plan, Some(&Known::of_labels(vec![before])));
    assert!(said(stands).contains("1 trains the next model"));
    for (before, what) in [
        (
            disputed,
            "1 contradicts what people answered here: an adjudicator decides",
        ),
        (
            outvoted,
            "1 contradicts what more people answered here: their answer stays",
        ),
    ] {
        let said = said(before);
        assert!(said.contains(what) && !said.contains("trains the next"), "{said}");
    }
}

#[test]
fn what_a_file_names_that_was_refused_since_is_proposed_when_the_file_is_imported() {
    let import = |at: &str| {
        let row = json!({
            "data": {"text": "thick in the morning"},
            "annotations": [{"completed_by": 1, "created_at": at,
                "result": [{"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": ["Fog"]}}]}],
        });
        files(&[&json!([row]).to_string()])
    };
    let mut set = set(&["Rain"]);
    set.refuse("fog").expect("no label");
    set.edited("2020-05-25T10:00:00.000Z");
    let proposed_at = |at: &str| {
        let plan = Plan::of(&import(at), &set, &options(&[]));
        plan.labelled[0].votes[0].at.clone()
    };

    let (before, since) = (
        proposed_at("2020-05-20T10:00:00.000Z"),
        proposed_at("2020-05-26T10:00:00.000Z"),
    );

    assert!(!set.was_refused_since("Fog", &before), "{before}");
    assert!(since.starts_with("2020-05-26T10:00:00"), "{since}");
}

#[test]
fn the_same_file_after_its_label_was_retired_or_split_and_when_it_is_back_says_nothing_new() {
    let files = files(&["text,label,annotator\none,Fax,ann\n"]);
    let mut set = set(&["Fax", "Billing"]);
    let first = Plan::of(&files, &set, &options(&[])).labelled.remove(0);
    let request = FeedbackRequest {
        sentence: first.text.clone(),
        classifier: first.classifier.clone(),
        ..FeedbackRequest::default()
    };
    let record = request.into_record(Source::ExplicitBatch, "2026-11-20T10:00:00.000Z");
    let mut question = Question::known(record.expect("a record"));
    question.take_imported(&first.votes, &set);
    let known = |set: &LabelSet| {
        let again = Plan::of(&files, set, &options(&[])).labelled.remove(0);
        before(set, &again, Some(&question))
    };

    set.retire("Fax").expect("active");
    let retired = known(&set);
    set.add("Fax", "").expect("retired");
    let back = known(&set);
    set.split("Fax", &["Fax in", "Fax out"]).expect("active");
    let split = known(&set);

    assert_eq!(
        [retired, back, split],
        [const { Before::All(Standing::Stands) }; 3]
    );
}
