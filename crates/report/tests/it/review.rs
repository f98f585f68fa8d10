//! What a reviewer must not miss in a plan, in every face.

use flowswap_engine::Verdict;
use flowswap_report::{Face, PlanReport};

use crate::fleet::{Shape, freeze, plan, planned};

const FACES: [Face; 3] = [Face::Html, Face::Markdown, Face::Json];

/// The text of a face without its markup.
fn words(face: Face, report: &PlanReport) -> String {
    let text = face.show(report).unwrap().replace("\\`", "`").replace("</code>", "`").replace("<code>", "`");
    let parts = text.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    parts.collect::<String>().replace("**", "").replace('\\', "")
}

#[test]
fn a_purge_is_irreversible_and_has_a_command_of_its_own() {
    let report = PlanReport::of(&plan(3));
    let commands: Vec<_> = report.classes[0].steps.iter().map(|step| (step.id.as_str(), step.command)).collect();
    assert!(commands.contains(&("swap", "flowswap apply")) && commands.contains(&("retire", "flowswap finalize")));
    assert_eq!(commands.last(), Some(&("purge", "flowswap finalize --purge")));
    for face in FACES {
        let text = words(face, &report);
        assert!(!text.contains("way back"), "{face:?}: {text}");
        assert!(
            text.contains("no rollback is possible; only `flowswap finalize --purge` carries out this step"),
            "{face:?}: {text}"
        );
    }
    for face in [Face::Html, Face::Markdown] {
        assert!(words(face, &report).contains("only by `flowswap finalize --purge`, irreversible"), "{face:?}");
    }
}

#[test]
fn a_scope_that_only_the_new_client_has_is_said_at_the_beginning() {
    let tenants = [("a", Shape::Usual), ("b", Shape::MoreScopes), ("c", Shape::MoreScopes)];
    let report = PlanReport::of(&freeze(tenants.map(|(name, shape)| planned(name, shape)).into()));
    let sentence =
        "In 2 tenants, the new client gets a scope that the legacy client does not have: `okta.devices.read`.";
    assert_eq!(report.summary[1], sentence);
    for face in FACES {
        assert!(words(face, &report).contains(sentence), "{face:?}");
    }
    for face in [Face::Html, Face::Markdown] {
        let text = words(face, &report).replace('`', "");
        assert!(text.contains("added: okta.devices.read"), "{face:?}: {text}");
        assert_eq!(text.matches("added: ").count(), 1, "{face:?}: only this scope of only this class");
    }
}

#[test]
fn all_connections_that_stop_working_on_one_day_are_named() {
    let names = |count: usize| (1..=count).map(|number| planned(&format!("urgent-{number}"), Shape::Urgent));
    let said = |count: usize| {
        let report = PlanReport::of(&freeze(names(count).chain([planned("a", Shape::Usual)]).collect()));
        for face in [Face::Html, Face::Markdown] {
            assert!(words(face, &report).contains("in 4 days"), "{face:?}");
        }
        report.summary.last().unwrap().clone()
    };
    assert_eq!(said(1), "The next connection stops working in 4 days: `urgent-1`.");
    assert_eq!(said(3), "The next 3 connections stop working in 4 days: `urgent-1`, `urgent-2`, `urgent-3`.");
    let many = said(7);
    assert!(many.starts_with("The next 7 connections stop working in 4 days: ") && many.ends_with(", and 2 more."));
}

#[test]
fn those_that_need_a_person_come_first_by_cause() {
    let shapes = [("a", Shape::Usual), ("b", Shape::Unreadable), ("c", Shape::Migrated), ("d", Shape::Migrated)];
    let report = PlanReport::of(&freeze(shapes.map(|(name, shape)| planned(name, shape)).into()));
    let causes: Vec<_> = report.problems.iter().map(|problem| (problem.tenants.join(", "), problem.verdict)).collect();
    assert_eq!(causes, [("c, d".to_owned(), Verdict::Blocked), ("b".to_owned(), Verdict::Unknown)]);
    let error = &report.problems[0].errors[0];
    assert_eq!(
        (error.id.as_str(), error.message.as_str()),
        (
            "legacy-id-reused",
            "the directory uses the client-credential flow with the legacy client `…` (CIE Directory Sync)"
        ),
        "the label is the same for both"
    );
    for face in [Face::Html, Face::Markdown] {
        let text = words(face, &report);
        let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("{face:?} lacks {part}: {text}"));
        let heading = place("3 tenants need a person first");
        assert!(place("could not read the provider: the org does not answer") > heading, "{face:?}");
        assert!(place("run `flowswap check` and fix what it reports") > heading, "{face:?}");
        assert!(place("The tenants of a class have the same") > place("c, d"), "{face:?}: classes come later");
        assert!(place("could not read the provider") < place("The tenants of a class have the same"), "{face:?}");
    }
}
