//! Follows the run sheet in a real browser on the simulated console. Every line is found by the words on the screen,
//! and every value comes from the sheet's own page.

use std::{env, fs};

use flowswap_sim::SimTenant;

use super::{
    SYNC, UNTIL_TOKENS_EXPIRED, let_sync,
    person::{legacy_client, service_client},
    waiting,
};
use crate::support::{Lab, browser::Browser, command, terminal::Terminal};

/// The variable with the folder for screenshots of what the person sees.
const PICTURES: &str = "FLOWSWAP_PICTURES";

#[test]
fn a_person_follows_the_sheet_in_a_browser_forward_and_back() {
    let lab = waiting(2);
    let Some(browser) = lab.wait(Browser::open()) else { return };
    // The tenant with application data, whose form has a box to tick.
    let tenant = lab.sim.tenants().into_iter().find(|tenant| tenant.app_data).unwrap();
    let name = tenant.name.clone();
    let before = lab.directory(&tenant);

    follow(&lab, &browser, &tenant, "forward");
    let after = lab.directory(&tenant);
    assert_eq!((after.flow.as_str(), after.app_data, after.name.as_str()), ("client_credentials", true, name.as_str()));
    assert_eq!(after.client_id, lab.org(&tenant).service_clients[0].id);

    // flowswap sees what the person confirms; the rest depends on syncs.
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
    let_sync(&lab, UNTIL_TOKENS_EXPIRED);
    lab.run(&["confirm", &name]).expect(0);
    assert_eq!(lab.in_state("rolled-back"), [name.as_str()]);
    let after = lab.directory(&tenant);
    assert_eq!((after.flow, after.client_id, after.app_data), (before.flow, before.client_id, before.app_data));
    lab.wait(browser.close());
}

/// One line of a sheet: its first word, its label, and its value.
struct Line {
    verb: String,
    label: String,
    value: Option<String>,
}

/// Follows the sheet from its first line to its last.
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
                // Only that page has this column.
                lab.wait(browser.await_words("Last Updated"));
                picture(lab, browser, &format!("{way}-directories"));
            }
            // This line says where to find a value in Okta.
            ("Go", _) => {}
            ("Under", "Actions") => {
                lab.wait(browser.press("Actions", Some(&tenant.name)));
                lab.wait(browser.press(value.unwrap(), Some(&tenant.name)));
            }
            ("Under", _) => lab.wait(browser.choose(value.unwrap())),
            ("Select", label) => lab.wait(browser.tick(label, true)),
            ("Clear", label) => lab.wait(browser.tick(label, false)),
            // A box that may be ticked or not.
            ("Leave", _) if value.is_none() => {}
            ("Leave", label) => assert_eq!(lab.wait(browser.value(label)), value.unwrap(), "{what}"),
            ("In" | "Fill", "Client Secret") => {
                // flowswap has the new secret; the old one is on the General tab of the app in Okta.
                let secret = if way == "forward" { take_secret(lab, tenant) } else { legacy_client(lab, tenant).1 };
                lab.wait(browser.enter("Client Secret", &secret));
            }
            ("In", label) => lab.wait(browser.enter(label, value.unwrap())),
            ("Click", label) => {
                assert!(lab.wait(browser.is_enabled(label)), "{what}");
                picture(lab, browser, &format!("{way}-before-{}", label.to_lowercase().replace(' ', "-")));
                lab.wait(browser.press(label, None));
                if let Some(seen) = value {
                    lab.wait(browser.await_words(seen));
                }
            }
            _ => panic!("the test does not know how to `{what}`"),
        }
    }
}

/// Reads the page of the sheet: the address to begin at, and the lines.
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

/// Gets the new secret in the way a person does.
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
