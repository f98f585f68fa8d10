//! `[[wave]]`, and `soak`.

use std::time::Duration;

use flowswap_engine::{Opening, Requirement};
use insta::assert_snapshot;
use jiff::SignedDuration;

use super::{accept, refuse_toml};
use crate::{Pick, Selector, WaveOrder, WaveRule};

#[test]
fn waves_pick_by_number_part_and_selector() {
    let toml = "[run]\nsoak = \"48h\"\nplan_lifetime = \"7d\"\n\
                [[wave]]\nname = \"canary\"\npick = 3\n\
                [[wave]]\nname = \"emea\"\npick = { labels = { region = [\"emea\", \"uk\"] }, owner = \"dana\", tenants = \"e-*\", except = [\"e-1\"] }\n\
                order = \"risk\"\nopens_after = \"confirmed for 1d\"\n\
                [[wave]]\nname = \"tenth\"\npick = \"10%\"\norder = \"inventory\"\nopens_after = \"by hand\"\nrequires = \"rehearsal\"\n\
                [[wave]]\nname = \"others\"\n";
    let (_folder, config) = accept(&[("migrate.toml", toml)]);
    assert_eq!(config.run.soak, Duration::from_secs(48 * 60 * 60));
    let selector = Selector {
        tenants: vec!["e-*".to_owned()],
        owners: vec!["dana".to_owned()],
        labels: vec![("region".to_owned(), "emea".to_owned()), ("region".to_owned(), "uk".to_owned())],
        findings: Vec::new(),
        except: vec!["e-1".to_owned()],
    };
    let rule = |name: &str, pick, order, opens_after| {
        let requires = (opens_after == Opening::ByHand).then_some(Requirement::Rehearsal);
        WaveRule { name: name.to_owned(), pick, order, opens_after, requires }
    };
    let day = Opening::ConfirmedFor(SignedDuration::from_hours(24));
    assert_eq!(
        config.waves,
        [
            rule("canary", Pick::Count(3), WaveOrder::DaysLeft, Opening::Swapped),
            rule("emea", Pick::Matching(selector), WaveOrder::Risk, day),
            rule("tenth", Pick::Percent(10), WaveOrder::Inventory, Opening::ByHand),
            rule("others", Pick::Rest, WaveOrder::DaysLeft, Opening::Swapped),
        ]
    );
}

#[test]
fn invalid_waves() {
    let text = "[[wave]]\npick = 3\n[[wave]]\nname = \"Canary\"\npick = 3\n[[wave]]\nname = \"a\"\npick = 0\n\
                [[wave]]\nname = \"a\"\npick = \"110%\"\n[[wave]]\nname = \"b\"\n[[wave]]\nname = \"rest\"\npick = 1\n\
                [[wave]]\nname = \"c\"\npick = { label = { region = \"emea\" } }\norder = \"size\"\nopens_after = \"24h\"\n\
                [[wave]]\nname = \"c\"\npick = { owner = 7 }\n";
    assert_snapshot!(refuse_toml(text), @r#"
    error: a wave has no valid `name`
     --> migrate.toml:1:1
      |
    1 | [[wave]]
      | ^^^^^^^^ expected lowercase letters, digits, `.`, `_`, and `-`, such as "canary"
      |
      = help: start with a letter or a digit

    error: a wave has no valid `name`
     --> migrate.toml:4:8
      |
    4 | name = "Canary"
      |        ^^^^^^^^ expected lowercase letters, digits, `.`, `_`, and `-`, such as "canary"
      |
      = help: start with a letter or a digit

    error: invalid value for `pick`
     --> migrate.toml:8:8
      |
    8 | pick = 0
      |        ^ expected a number such as 3, a part such as "10%", or a selector
      |
      = help: a selector is a table such as `{ labels = { region = "emea" } }`

    error: invalid value for `pick`
      --> migrate.toml:11:8
       |
    11 | pick = "110%"
       |        ^^^^^^ expected a number such as 3, a part such as "10%", or a selector
       |
       = help: a selector is a table such as `{ labels = { region = "emea" } }`

    error: the wave `b` leaves nothing for the waves after it
      --> migrate.toml:12:1
       |
    12 | [[wave]]
       | ^^^^^^^^ expected `pick = 3`, `pick = "10%"`, or `pick = { labels = { … } }`
       |
       = help: only the last wave takes all that is left

    error: `rest` is the wave of all tenants that no other wave takes
      --> migrate.toml:14:1
       |
    14 | [[wave]]
       | ^^^^^^^^
       |
       = help: leave out `pick`, or give the wave another name

    error: unknown key `label`
      --> migrate.toml:19:10
       |
    19 | pick = { label = { region = "emea" } }
       |          ^^^^^ not a key of a selector
       |
       = help: did you mean `labels`?

    error: `order` is not a known word
      --> migrate.toml:20:9
       |
    20 | order = "size"
       |         ^^^^^^ expected one of "days-left", "risk", "inventory"

    error: `opens_after` says nothing that flowswap knows
      --> migrate.toml:21:15
       |
    21 | opens_after = "24h"
       |               ^^^^^ expected "swapped", "confirmed for 24h", or "by hand"

    error: two waves have the name `c`
      --> migrate.toml:22:1
       |
    22 | [[wave]]
       | ^^^^^^^^ second use
       |
       = help: give each wave a unique name

    error: `owner` has the wrong type
      --> migrate.toml:24:18
       |
    24 | pick = { owner = 7 }
       |                  ^ expected a text in quotes, or a list of them, found a number

    error: 11 errors in the configuration
    "#);
    assert_snapshot!(refuse_toml("[wave]\nname = \"canary\"\n"), @"
    error: `wave` is not a list of tables
     --> migrate.toml:1:2
      |
    1 | [wave]
      |  ^^^^
      |
      = help: start every wave with `[[wave]]`, in double brackets
    ");
}

/// It can be seen before any tenant is read.
#[test]
fn waves_that_wait_for_longer_than_a_plan_is_valid() {
    let waves = "[[wave]]\nname = \"a\"\npick = 1\nopens_after = \"confirmed for 90h\"\n\
                 [[wave]]\nname = \"b\"\npick = 1\nopens_after = \"confirmed for 10h\"\n\
                 [[wave]]\nname = \"c\"\nopens_after = \"confirmed for 14h\"\n";
    assert_snapshot!(refuse_toml(waves), @r#"
    error: the waves wait for 24h in all, but a plan expires after 24h
      --> migrate.toml:11:15
       |
    11 | opens_after = "confirmed for 14h"
       |               ^^^^^^^^^^^^^^^^^^^ the plan expires before this wave begins
       |
       = help: shorten the waits, or raise `plan_lifetime` in `[run]`
    "#);
    accept(&[("migrate.toml", &format!("[run]\nplan_lifetime = \"25h\"\n{waves}"))]);
}
