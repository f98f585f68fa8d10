//! The run sheet, followed in a real browser on the simulated console: every line by the words on the screen, every value
//! from the sheet's own page.

use std::{env, fs};

use flowswap_sim::SimTenant;

use super::{
    OUTLIVED, SYNC, let_sync,
    person::{legacy_client, service_client},
    waiting,
};
use crate::support::{Lab, browser::Browser, command, terminal::Terminal};

/// A folder for pictures of what the person sees, if anybody wants to look.
const PICTURES: &str = "FLOWSWAP_PICTURES";

#[test]
fn a_person_follows_the_sheet_in_a_browser_forward_and_back() {
    let lab = waiting(2);
    let Some(browser) = lab.wait(Browser::open()) else { return };
    // The one with application data, so that there is a box to tick.
    let tenant = lab.sim.tenants().into_iter().find(|tenant| tenant.app_data).unwrap();
    let name = tenant.name.clone();
    let before = lab.directory(&tenant);

    follow(&lab, &browser, &tenant, "forward");
    let after = lab.directory(&tenant);
    assert_eq!((after.flow.as_str(), after.app_data, after.name.as_str()), ("client_credentials", true, name.as_str()));
    assert_eq!(after.client_id, lab.org(&tenant).service_clients[0].id);

    // The claim is made, and seen to be so; the rest is a matter of syncs.
    lab.run(&["confirm", &name, "--note", "as the sheet says"]).expect(4);
    assert_eq!(lab.in_state("soaking"), [name.as_str()]);
    let_sync(&lab, 1);
    lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    assert_eq!(lab.in_state("soaking"), [name.as_str()], "applications are collected within three hours");
    lab.sim.clock().advance(3 * 12 * SYNC);
    lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    assert_eq!(lab.in_state("swapped"), [name.as_str()]);
    let evidence = lab.json(&["evidence", &name], 0);
    assert_eq!(evidence["missing"]["what"], serde_json::json!([]), "{evidence:#}");

    lab.run(&["rollback", &name, "--yes"]).expect(4);
    follow(&lab, &browser, &tenant, "back");
    let_sync(&lab, OUTLIVED);
    lab.run(&["confirm", &name]).expect(0);
    assert_eq!(lab.in_state("rolled-back"), [name.as_str()]);
    let after = lab.directory(&tenant);
    assert_eq!((after.flow, after.client_id, after.app_data), (before.flow, before.client_id, before.app_data));
    lab.wait(browser.close());
}

/// One line of a sheet: its first word, its label, and the value that stands with it.
struct Line {
    verb: String,
    label: String,
    value: Option<String>,
}

/// Does what the sheet says, from its first line to its last.
fn follow(lab: &Lab, browser: &Browser, tenant: &SimTenant, way: &str) {
    let path = lab.path("sheet.html");
    lab.run(&["sheet", &tenant.name, "--as", "html", "-o", "sheet.html"]).expect(0);
    let kept = service_client(lab, tenant).1;
    assert!(!fs::read_to_string(&path).unwrap().contains(&kept), "the sheet has the secret");
    let (begin, lines) = lab.wait(read(browser, &path));
    picture(lab, browser, &format!("{way}-sheet"));
    assert!(lines.len() > 8, "{} lines", lines.len());
    for line in &lines {
        let what = format!("{} {}", line.verb, line.label);
        let value = line.value.as_deref();
        match (line.verb.as_str(), line.label.as_str()) {
            ("Go", "Cloud Identity Engine") => lab.wait(browser.go(&begin)),
            ("Go", "Directories") => {
                // A column of that page, and of no other.
                lab.wait(browser.await_words("Last Updated"));
                picture(lab, browser, &format!("{way}-directories"));
            }
            // Where to find what the form asks for, in Okta.
            ("Go", _) => {}
            ("At", "Actions") => {
                lab.wait(browser.press("Actions", Some(&tenant.name)));
                lab.wait(browser.press(value.unwrap(), Some(&tenant.name)));
            }
            ("At", _) => lab.wait(browser.choose(value.unwrap())),
            ("Tick", label) => lab.wait(browser.tick(label, true)),
            ("Clear", label) => lab.wait(browser.tick(label, false)),
            // A box of which nobody knows whether it is ticked.
            ("Leave", _) if value.is_none() => {}
            ("Leave", label) => assert_eq!(lab.wait(browser.value(label)), value.unwrap(), "{what}"),
            ("Into" | "Fill", "Client Secret") => {
                // flowswap has the new one; the old one is in the General tab of the app in Okta.
                let secret = if way == "forward" { take_secret(lab, tenant) } else { legacy_client(lab, tenant).1 };
                lab.wait(browser.enter("Client Secret", &secret));
            }
            ("Into", label) => lab.wait(browser.enter(label, value.unwrap())),
            ("Press", label) => {
                assert!(lab.wait(browser.is_enabled(label)), "{what}");
                picture(lab, browser, &format!("{way}-before-{}", label.to_lowercase().replace(' ', "-")));
                lab.wait(browser.press(label, None));
                if let Some(seen) = value {
                    lab.wait(browser.await_words(seen));
                }
            }
            _ => panic!("nobody knows how to `{what}`"),
        }
    }
}

/// The sheet as its page shows it: where to begin, and what to do.
async fn read(browser: &Browser, path: &std::path::Path) -> (String, Vec<Line>) {
    browser.open_file(path).await;
    let begin = browser.texts("#begin a").await.remove(0);
    let mut lines = Vec::new();
    for number in 1..=browser.texts("ol > li").await.len() {
        let within = format!("ol > li:nth-child({number}) span");
        let verb = browser.texts(&within).await[0].split_whitespace().next().unwrap().to_owned();
        let label = browser.texts(&format!("{within} b")).await.into_iter().next().unwrap();
        let value = browser.sheet_value(&within, &label).await;
        lines.push(Line { verb, label, value });
    }
    (begin, lines)
}

/// The new secret, as the person gets it.
fn take_secret(lab: &Lab, tenant: &SimTenant) -> String {
    let args = ["secret", "copy", &tenant.name, "--print"];
    let (code, screen) = Terminal::start(command(lab.dir(), &args)).finish();
    assert_eq!(code, 0, "{screen}");
    screen.lines().map(str::trim).find(|line| line.len() > 30 && !line.contains(' ')).unwrap().to_owned()
}

fn picture(lab: &Lab, browser: &Browser, name: &str) {
    if let Some(folder) = env::var_os(PICTURES) {
        let picture = lab.wait(browser.picture());
        fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), picture).unwrap();
    }
}
