//! What is shown for mistakes in inventories.

use insta::assert_snapshot;

use super::{refuse_csv, refuse_toml};

#[test]
fn no_inventory() {
    assert_snapshot!(refuse_toml("inventory = [\"gone.csv\", 3]\n"), @r#"
    error: failed to read `gone.csv`: there is no such file
     --> migrate.toml:1:14
      |
    1 | inventory = ["gone.csv", 3]
      |              ^^^^^^^^^^ named here

    error: `inventory` has the wrong kind of value
     --> migrate.toml:1:26
      |
    1 | inventory = ["gone.csv", 3]
      |                          ^ expected the path of a CSV file, or a list of them, found a number

    error: 2 errors in the configuration
    "#);
}

#[test]
fn an_empty_inventory() {
    assert_snapshot!(refuse_csv(""), @r#"
    error: the inventory `tenants.csv` is empty
     --> migrate.toml:2:13
      |
    2 | inventory = "tenants.csv"
      |             ^^^^^^^^^^^^^ named here
      |
      = help: begin it with a row of column names, `name` among them
    "#);
}

#[test]
fn no_column_of_names() {
    assert_snapshot!(refuse_csv("Name,region\nacme,eu\n"), @r"
    error: the inventory has no column `name`
     --> tenants.csv:1:1
      |
    1 | Name,region
      | ^^^^^^^^^^^ expected `name` here
      |
      = help: rename the column `Name` to `name`
    ");
}

#[test]
fn semicolons() {
    assert_snapshot!(refuse_csv("name;region\nacme;eu\n"), @r"
    error: the inventory has no column `name`
     --> tenants.csv:1:1
      |
    1 | name;region
      | ^^^^^^^^^^^ expected `name` here
      |
      = help: separate the columns with commas
    ");
}

#[test]
fn columns() {
    assert_snapshot!(refuse_csv("name,region,app_dta,direktory.id,provider.,region,\na,eu,yes,1,2,us,surplus\n"), @r"
    error: unknown column `app_dta`
     --> tenants.csv:1:13
      |
    1 | name,region,app_dta,direktory.id,provider.,region,
      |             ^^^^^^^ no default uses it
      |
      = help: did you mean `app_data`?

    error: the column `direktory.id` sets no key of a tenant
     --> tenants.csv:1:21
      |
    1 | name,region,app_dta,direktory.id,provider.,region,
      |                     ^^^^^^^^^^^^ expected `provider.…` or `directory.…`
      |
      = help: did you mean `directory`?

    error: the column `provider.` sets no key of a tenant
     --> tenants.csv:1:34
      |
    1 | name,region,app_dta,direktory.id,provider.,region,
      |                                  ^^^^^^^^^ expected a key after every dot

    error: two columns are called `region`
     --> tenants.csv:1:44
      |
    1 | name,region,app_dta,direktory.id,provider.,region,
      |      ------ the name first                 ^^^^^^ the name again

    error: a cell is in a column without a name
     --> tenants.csv:2:17
      |
    2 | a,eu,yes,1,2,us,surplus
      |                 ^^^^^^^ what is this?
      |
      = help: name the column in the first row, or empty the cell

    error: 5 errors in the configuration
    ");
}

#[test]
fn colliding_columns() {
    assert_snapshot!(refuse_csv("name,region,domain,provider.domain,directory.a,directory.a.b\na,eu,1,2,3,4\n"), @r"
    error: the column `provider.domain` collides with another one
     --> tenants.csv:1:20
      |
    1 | name,region,domain,provider.domain,directory.a,directory.a.b
      |                    ^^^^^^^^^^^^^^^ sets a key that another column sets, or goes below one

    error: the column `directory.a.b` collides with another one
     --> tenants.csv:1:48
      |
    1 | name,region,domain,provider.domain,directory.a,directory.a.b
      |                                                ^^^^^^^^^^^^^ sets a key that another column sets, or goes below one

    error: 2 errors in the configuration
    ");
}

#[test]
fn cells() {
    let csv = "\u{feff}name,region,app_data\r\n\r\nacme,eu,perhaps\r\n\"b\", eu, yes\r\n,eu,no\r\nC c,eu,\r\nd,,\r\n";
    assert_snapshot!(refuse_csv(csv), @r#"
    error: the field `{region}` is empty
     --> migrate.toml:9:21
      |
    9 | base_url = "https://{region}.example"
      |                     ^^^^^^^^ used here
      |
     ::: tenants.csv:7:1
      |
    7 | d,,
      | - has no `region`
      |
      = note: for tenant `d`
      = help: fill the cell

    error: `app_data` cannot be `perhaps`
     --> tenants.csv:3:9
      |
    3 | acme,eu,perhaps
      |         ^^^^^^^ expected `true`, `false`, `yes` or `no`

    error: a tenant has no `name`
     --> tenants.csv:5:1
      |
    5 | ,eu,no
      | ^^^^^^ the cell of `name` is empty

    error: `C c` cannot be the name of a tenant
     --> tenants.csv:6:1
      |
    6 | C c,eu,
      | ^^^ expected lower-case letters, digits, `.`, `_` and `-`
      |
      = help: for example `c-c`

    error: 4 errors in the configuration
    "#);
}

#[test]
fn rows_of_another_length() {
    assert_snapshot!(refuse_csv("name,region\na,eu,1\nb\n"), @r"
    error: the row has 3 cells where the header has 2
     --> tenants.csv:2:1
      |
    2 | a,eu,1
      | ^^^^^^
      |
      = help: put a cell that holds a comma in double quotes

    error: the row has 1 cell where the header has 2
     --> tenants.csv:3:1
      |
    3 | b
      | ^
      |
      = help: an empty cell needs its comma, too

    error: 2 errors in the configuration
    ");
}

#[test]
fn an_open_quote() {
    assert_snapshot!(refuse_csv("name,region\na,\"eu\nb,us\nc,us\n"), @r#"
    error: a cell goes on over the end of its line
     --> tenants.csv:2:3
      |
    2 | a,"eu
      |   ^^^ begins here
      |
      = help: close the quote; a quote within a quoted cell is doubled
    "#);
}

#[test]
fn secrets_in_a_column() {
    assert_snapshot!(refuse_csv("name,okta_token,region,provider.credential\na,\"s3cret,1\",eu,s3cret2\n"), @r"
    error: the column `okta_token` holds secrets in plain sight
     --> tenants.csv:1:6
      |
    1 | name,okta_token,region,provider.credential
      |      ^^^^^^^^^^ expected a column such as `provider.credential.file`
      |
      = help: name the file, or the variable, that holds the secret: `….file`, `….env`

    error: the column `provider.credential` holds secrets in plain sight
     --> tenants.csv:1:24
      |
    1 | name,okta_token,region,provider.credential
      |                        ^^^^^^^^^^^^^^^^^^^ expected a column such as `provider.credential.file`
      |
      = help: name the file, or the variable, that holds the secret: `….file`, `….env`

    error: 2 errors in the configuration
    ");
}

#[test]
fn another_encoding() {
    assert_snapshot!(refuse_csv(b"name,region\na,S\xfcd\n"), @r#"
    error: line 2 of `tenants.csv` is not UTF-8 text
     --> migrate.toml:2:13
      |
    2 | inventory = "tenants.csv"
      |             ^^^^^^^^^^^^^ named here
      |
      = help: save the file as UTF-8
    "#);
}

#[test]
fn a_name_twice_in_an_inventory() {
    assert_snapshot!(refuse_csv("name,region\na,eu\nb,eu\na,us\n"), @r"
    error: two tenants are called `a`
     --> tenants.csv:4:1
      |
    2 | a,eu
      | - the name first
    3 | b,eu
    4 | a,us
      | ^ the name again
      |
      = help: every tenant needs a name of its own
    ");
}
