//! What a reviewer must not miss in a plan, in every face.

use flowswap_engine::Verdict;
use flowswap_report::{Face, PlanDifference, PlanReport};

use serde_json::json;

use crate::{
    MOST_CHARACTERS_OF_A_COMMENT,
    fleet::{Shape, freeze, plan, planned},
};

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
        assert!(text.contains("okta.devices.read (added)"), "{face:?}: {text}");
        assert_eq!(text.matches("(added)").count(), 1, "{face:?}: only this scope of only this class");
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

/// The report of a plan of this many tenants with long names, in many classes. From 300 on, lines are repeated.
fn large(tenants: usize) -> PlanReport {
    let name = |number: usize| format!("tenant_{number}_{}", "of_a_customer_with_a_long_name_".repeat(4));
    let planned = (0..tenants.min(300)).map(|number| {
        let shape = if number % 10 == 0 { Shape::Unreadable } else { Shape::MoreScopes };
        let mut json = json!(planned(&name(number), shape));
        if let Some(scopes) = json.pointer_mut("/steps/0/proposal/payload/scopes") {
            scopes.as_array_mut().unwrap().push(format!("okta.scope-{}.read", number % 70).into());
        }
        json["findings"][0]["message"] = format!("cause {}", number % 60).into();
        serde_json::from_value(json).unwrap()
    });
    let mut report = PlanReport::of(&freeze(planned.collect()));
    for number in report.tenants.len()..tenants {
        let mut line = report.tenants[number % 300].clone();
        line.name = name(number);
        let class = report.classes.iter_mut().find(|class| class.id == line.class).unwrap();
        class.tenants.push(line.name.clone());
        report.problems[0].tenants.push(line.name.clone());
        report.tenants.push(line);
    }
    report
}

#[test]
fn markdown_fits_a_comment_and_says_what_it_leaves_out() {
    for tenants in [300, 5_000] {
        let report = large(tenants);
        assert!(report.classes.len() > 60 && report.problems.len() > 5, "{} classes", report.classes.len());
        let text = Face::Markdown.show(&report).unwrap();
        assert!(text.len() < MOST_CHARACTERS_OF_A_COMMENT, "{tenants} tenants: {} bytes", text.len());
        let left_out =
            format!("The table of the {tenants} tenants is left out here. The reports as HTML and as JSON have it.");
        assert!(text.contains(&left_out), "{text}");
        let classes = text.matches("\n### Class ").count();
        let changed = report.classes.iter().filter(|class| !class.steps.is_empty()).count();
        assert!(classes >= 3, "{classes}");
        assert!(text.contains(&format!("\n{} more classes are left out here.", changed - classes)), "{text}");
        assert!(text.contains(&report.digest), "the digest is always there");
    }
    let small = Face::Markdown.show(&PlanReport::of(&plan(3))).unwrap();
    assert!(!small.contains("left out") && small.contains("\n| tenant-3 | ready |"), "{small}");
}

#[test]
fn markdown_has_a_step_once() {
    let text = Face::Markdown.show(&PlanReport::of(&plan(3))).unwrap();
    assert_eq!(text.matches("`prove`: get a token as the new client").count(), 1, "{text}");
    assert_eq!(text.matches("`provision`: create the plain").count(), 2, "the scopes differ: {text}");
    assert_eq!(text.matches("\n| purge | ").count(), 1, "{text}");
    assert!(text.contains(": `prove`, `test`, `test-provider`, `swap`, "), "{text}");
}

#[test]
fn markdown_of_a_difference_fits_a_comment() {
    let tenants = |shape: Shape, client: &str| {
        let tenants = (0..300).map(|number| {
            let name = format!("tenant_{number}_{}", "of_a_customer_with_a_long_name_".repeat(4));
            let tenant = planned(&name, if number % 3 == 0 { shape } else { Shape::Usual });
            let own = tenant.seen().unwrap().directory.client_id.unwrap();
            serde_json::from_str(&json!(tenant).to_string().replace(&own, &format!("0oa{client}{number:013}"))).unwrap()
        });
        freeze(tenants.collect())
    };
    let difference = PlanDifference::of(&tenants(Shape::Usual, "olds"), &tenants(Shape::MoreScopes, "news"));
    let text = Face::Markdown.show(&difference).unwrap();
    assert!(text.len() < MOST_CHARACTERS_OF_A_COMMENT, "{} bytes", text.len());
    assert!(text.contains(" more tenants with values of their own are left out here."), "{text}");
    assert!(text.contains(&difference.new.digest), "the digest is always there");
}
