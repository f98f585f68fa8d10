//! A person at a browser: opens pages, finds what bears a visible label, and uses it. Chromium without a window, driven by
//! ChromeDriver (W3C WebDriver).

use std::{
    env,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use fantoccini::{Client, ClientBuilder, Locator, elements::Element};
use serde_json::json;
use tempfile::TempDir;

/// With this set, a browser that is missing is a failure and no reason to skip.
const REQUIRED: &str = "FLOWSWAP_BROWSER";

/// No page of the tests takes as long as this.
const FOREVER: Duration = Duration::from_secs(30);

/// An open browser. Its processes are ended when it is dropped.
pub(crate) struct Browser {
    driver: Child,
    /// Held, so that the driver can go on writing.
    _talk: BufReader<ChildStdout>,
    client: Client,
    _profile: TempDir,
}

impl Browser {
    /// Opens a browser; none where none is installed.
    pub(crate) async fn open() -> Option<Self> {
        let (Some(chromium), Some(driver)) = (find("chromium"), find("chromedriver")) else {
            let why = "skipped: Chromium and ChromeDriver are not installed";
            assert!(env::var_os(REQUIRED).is_none(), "{REQUIRED} is set, and: {why}");
            super::print(why);
            return None;
        };
        let mut driver =
            Command::new(driver).arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (port, talk) = read_port(&mut driver);
        let profile = TempDir::new().unwrap();
        let args = [
            "--headless=new",
            "--window-size=1000,1300",
            // The sandbox of Chromium does not work for root; the pages are our own.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ]
        .map(str::to_owned);
        let profile_arg = format!("--user-data-dir={}", profile.path().display());
        let args: Vec<_> = args.into_iter().chain([profile_arg]).collect();
        let options = json!({ "binary": chromium, "args": args });
        let capabilities = [("goog:chromeOptions".to_owned(), options)].into_iter().collect();
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        Some(Self { driver, _talk: talk, client, _profile: profile })
    }

    pub(crate) async fn go(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// Opens a file of this machine.
    pub(crate) async fn open_file(&self, path: &Path) {
        self.go(&format!("file://{}", path.canonicalize().unwrap().display())).await;
    }

    /// The texts of everything that a CSS selector finds, in order.
    pub(crate) async fn texts(&self, css: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for element in self.client.find_all(Locator::Css(css)).await.unwrap() {
            texts.push(element.text().await.unwrap());
        }
        texts
    }

    /// The value that stands with a label in a part of a run sheet.
    pub(crate) async fn sheet_value(&self, within: &str, label: &str) -> Option<String> {
        self.texts(&format!("{within} code[data-label=\"{label}\"]")).await.into_iter().next()
    }

    /// Follows a link, or presses a button, by its words; within the row of a table that has a cell with these words, if
    /// any are given.
    pub(crate) async fn press(&self, words: &str, row: Option<&str>) {
        let within = row.map(|row| format!("//tr[td[normalize-space()='{row}']]")).unwrap_or_default();
        let xpath = format!("{within}//*[self::button or self::a or self::summary][normalize-space()='{words}']");
        self.find(&xpath).await.click().await.unwrap();
    }

    /// Whether the button can be pressed.
    pub(crate) async fn is_enabled(&self, words: &str) -> bool {
        self.find(&format!("//button[normalize-space()='{words}']")).await.is_enabled().await.unwrap()
    }

    /// Chooses what bears the label.
    pub(crate) async fn choose(&self, label: &str) {
        self.labelled(label).await.click().await.unwrap();
    }

    /// Ticks the box, or clears it.
    pub(crate) async fn tick(&self, label: &str, ticked: bool) {
        let element = self.labelled(label).await;
        if element.is_selected().await.unwrap() != ticked {
            element.click().await.unwrap();
        }
    }

    /// Replaces what the field holds.
    pub(crate) async fn enter(&self, label: &str, value: &str) {
        let element = self.labelled(label).await;
        element.clear().await.unwrap();
        element.send_keys(value).await.unwrap();
    }

    /// What the field holds.
    pub(crate) async fn value(&self, label: &str) -> String {
        self.labelled(label).await.prop("value").await.unwrap().unwrap_or_default()
    }

    /// Waits until these words stand anywhere on the page.
    pub(crate) async fn await_words(&self, words: &str) {
        let xpath = format!("//*[contains(normalize-space(), '{words}')]");
        let found = self.client.wait().at_most(FOREVER).for_element(Locator::XPath(&xpath)).await;
        if found.is_err() {
            panic!("`{words}` did not come up: {}", self.texts("body").await.join("\n"));
        }
    }

    /// What the page looks like, as PNG.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        self.client.screenshot().await.unwrap()
    }

    pub(crate) async fn close(self) {
        self.client.clone().close().await.unwrap();
    }

    async fn labelled(&self, label: &str) -> Element {
        let found = self.find(&format!("//label[normalize-space()='{label}']")).await;
        let id = found.attr("for").await.unwrap().unwrap_or_else(|| panic!("the label `{label}` is of nothing"));
        self.client.find(Locator::Id(&id)).await.unwrap()
    }

    /// Waits for what is to come up: a press that leads to another page may return before it is there.
    async fn find(&self, xpath: &str) -> Element {
        match self.client.wait().at_most(FOREVER).for_element(Locator::XPath(xpath)).await {
            Ok(element) => element,
            Err(error) => panic!("{xpath}: {error}\n{}", self.texts("body").await.join("\n")),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends the browser with itself.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.is_file())
}

/// ChromeDriver says on which port it listens.
fn read_port(driver: &mut Child) -> (u16, BufReader<ChildStdout>) {
    let mut talk = BufReader::new(driver.stdout.take().unwrap());
    let mut line = String::new();
    while talk.read_line(&mut line).unwrap() > 0 {
        if let Some((_, rest)) = line.split_once("started successfully on port ") {
            return (rest.trim().trim_end_matches('.').parse().unwrap(), talk);
        }
        line.clear();
    }
    panic!("ChromeDriver did not say on which port it listens");
}
