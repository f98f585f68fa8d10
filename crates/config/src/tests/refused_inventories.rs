//! The errors for mistakes in inventories.

use insta::assert_snapshot;

use super::{refuse_csv, refuse_toml};

#[test]
fn no_inventory() {
    assert_snapshot!(refuse_toml("inventory = [\"gone.csv\", 3]\n"), @r#"
    error: failed to read `gone.csv`: the file does not exist
     --> migrate.toml:1:14
      |
    1 | inventory = ["gone.csv", 3]
      |              ^^^^^^^^^^ named here

    error: `inventory` has the wrong type
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
      = help: start it with a row of column names that includes `name`
    "#);
}

#[test]
fn no_column_of_names() {
    assert_snapshot!(refuse_csv("Name,region\nacme,eu\n"), @r"
    error: the inventory has no column `name`
     --> tenants.csv:1:1
      |
    1 | Name,region
      | ^^^^^^^^^^^ expected a column `name`
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
      | ^^^^^^^^^^^ expected a column `name`
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

    error: the column `direktory.id` does not set a key of a tenant
     --> tenants.csv:1:21
      |
    1 | name,region,app_dta,direktory.id,provider.,region,
      |                     ^^^^^^^^^^^^ expected `provider.…`, `directory.…`, or `labels.…`
      |
      = help: did you mean `directory`?

    error: the column `provider.` does not set a key of a tenant
     --> tenants.csv:1:34
      |
    1 | name,region,app_dta,direktory.id,provider.,region,
      |                                  ^^^^^^^^^ expected a key after every dot

    error: two columns have the name `region`
     --> tenants.csv:1:44
      |
    1 | name,region,app_dta,direktory.id,provider.,region,
      |      ------ first use                      ^^^^^^ second use

    error: a cell is in a column without a name
     --> tenants.csv:2:17
      |
    2 | a,eu,yes,1,2,us,surplus
      |                 ^^^^^^^ expected an empty cell
      |
      = help: name the column in the first row, or clear the cell

    error: 5 errors in the configuration
    ");
}

#[test]
fn colliding_columns() {
    assert_snapshot!(refuse_csv("name,region,domain,provider.domain,directory.a,directory.a.b\na,eu,1,2,3,4\n"), @r"
    error: the column `provider.domain` conflicts with another column
     --> tenants.csv:1:20
      |
    1 | name,region,domain,provider.domain,directory.a,directory.a.b
      |                    ^^^^^^^^^^^^^^^ another column sets this key, or a key above or below it

    error: the column `directory.a.b` conflicts with another column
     --> tenants.csv:1:48
      |
    1 | name,region,domain,provider.domain,directory.a,directory.a.b
      |                                                ^^^^^^^^^^^^^ another column sets this key, or a key above or below it

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
      | - `region` is empty here
      |
      = note: for tenant `d`
      = help: fill in the cell

    error: invalid value `perhaps` for `app_data`
     --> tenants.csv:3:9
      |
    3 | acme,eu,perhaps
      |         ^^^^^^^ expected `true`, `false`, `yes`, or `no`

    error: a tenant has no `name`
     --> tenants.csv:5:1
      |
    5 | ,eu,no
      | ^^^^^^ the `name` cell is empty

    error: `C c` cannot be the name of a tenant
     --> tenants.csv:6:1
      |
    6 | C c,eu,
      | ^^^ expected lowercase letters, digits, `.`, `_`, and `-`
      |
      = help: use a name such as `c-c`

    error: 4 errors in the configuration
    "#);
}

#[test]
fn rows_of_another_length() {
    assert_snapshot!(refuse_csv("name,region\na,eu,1\nb\n"), @r"
    error: the row has 3 cells, but the header has 2
     --> tenants.csv:2:1
      |
    2 | a,eu,1
      | ^^^^^^
      |
      = help: put double quotes around a cell that contains a comma

    error: the row has 1 cell, but the header has 2
     --> tenants.csv:3:1
      |
    3 | b
      | ^
      |
      = help: write a comma for every empty cell

    error: 2 errors in the configuration
    ");
}

#[test]
fn an_open_quote() {
    assert_snapshot!(refuse_csv("name,region\na,\"eu\nb,us\nc,us\n"), @r#"
    error: a cell continues past the end of its line
     --> tenants.csv:2:3
      |
    2 | a,"eu
      |   ^^^ starts here
      |
      = help: close the quote; inside a quoted cell, write a quote twice
    "#);
}

#[test]
fn secrets_in_a_column() {
    assert_snapshot!(refuse_csv("name,okta_token,region,provider.credential\na,\"s3cret,1\",eu,s3cret2\n"), @r"
    error: the column `okta_token` holds plain-text secrets
     --> tenants.csv:1:6
      |
    1 | name,okta_token,region,provider.credential
      |      ^^^^^^^^^^ expected a column such as `provider.credential.file`
      |
      = help: name the file (`….file`) or the variable (`….env`) that holds the secret

    error: the column `provider.credential` holds plain-text secrets
     --> tenants.csv:1:24
      |
    1 | name,okta_token,region,provider.credential
      |                        ^^^^^^^^^^^^^^^^^^^ expected a column such as `provider.credential.file`
      |
      = help: name the file (`….file`) or the variable (`….env`) that holds the secret

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
    error: two tenants have the name `a`
     --> tenants.csv:4:1
      |
    2 | a,eu
      | - first use
    3 | b,eu
    4 | a,us
      | ^ second use
      |
      = help: give each tenant a unique name
    ");
}
