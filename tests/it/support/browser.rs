//! A person at a browser: opens pages, and finds and uses elements by their visible labels. Chromium without a window,
//! controlled through ChromeDriver (W3C WebDriver).

use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use fantoccini::{Client, ClientBuilder, Locator, elements::Element, wd::WebDriverCompatibleCommand};
use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

/// If this variable is set, a missing browser fails the test instead of skipping it.
const REQUIRED: &str = "FLOWSWAP_BROWSER";

/// Longer than any page of the tests takes.
const FOREVER: Duration = Duration::from_secs(30);

/// An open browser. Dropping this ends its processes.
pub(crate) struct Browser {
    driver: Child,
    /// Where the driver listens.
    port: u16,
    /// Kept open, so that the driver can continue writing.
    _talk: BufReader<ChildStdout>,
    client: Client,
    _profile: TempDir,
}

impl Browser {
    /// Opens a browser. Returns `None` if no browser is installed.
    pub(crate) async fn open() -> Option<Self> {
        Self::open_with(true).await
    }

    /// Opens a browser in which scripts of pages run, or do not.
    pub(crate) async fn open_with(scripts: bool) -> Option<Self> {
        let (Some(chromium), Some(driver)) = (find("chromium"), find("chromedriver")) else {
            let why = "skipped: Chromium and ChromeDriver are not installed";
            assert!(env::var_os(REQUIRED).is_none(), "{REQUIRED} is set, and: {why}");
            super::print(why);
            return None;
        };
        let mut driver =
            Command::new(driver).arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (port, talk) = read_port(&mut driver);
        let profile = crate::support::folder();
        let args = [
            "--headless=new",
            "--window-size=1000,1300",
            // Chromium's sandbox does not work for root, and the tests open only their own pages.
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
        // 1 allows scripts, 2 blocks them.
        let preferences = json!({ "profile.managed_default_content_settings.javascript": if scripts { 1 } else { 2 } });
        let options = json!({ "binary": chromium, "args": args, "prefs": preferences });
        let logs = json!({ "browser": "ALL" });
        let capabilities = [("goog:chromeOptions", options), ("goog:loggingPrefs", logs)];
        let capabilities = capabilities.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        Some(Self { driver, port, _talk: talk, client, _profile: profile })
    }

    pub(crate) async fn go(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// Opens a file of this machine.
    pub(crate) async fn open_file(&self, path: &Path) {
        self.go(&format!("file://{}", path.canonicalize().unwrap().display())).await;
    }

    /// The texts of all elements that a CSS selector finds, in order.
    pub(crate) async fn texts(&self, css: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for element in self.client.find_all(Locator::Css(css)).await.unwrap() {
            texts.push(element.text().await.unwrap());
        }
        texts
    }

    /// Runs a script in the page.
    pub(crate) async fn evaluate(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute(script, arguments).await.unwrap()
    }

    /// Runs a script that calls its first argument with the result.
    pub(crate) async fn evaluate_async(&self, script: &str) -> Value {
        self.client.execute_async(script, Vec::new()).await.unwrap()
    }

    /// What the browser wrote to its console since the last call: errors of scripts, and what the page's policy stopped.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let lines = self.issue("se/log", json!({ "type": "browser" })).await;
        let lines = lines.as_array().unwrap().iter();
        lines.map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    }

    /// Shows the page in the theme `light` or `dark`, as for `print`, or again on a `screen`.
    pub(crate) async fn emulate(&self, media: &str) {
        let params = match media {
            "print" | "screen" => json!({ "media": media }),
            theme => json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] }),
        };
        self.issue("goog/cdp/execute", json!({ "cmd": "Emulation.setEmulatedMedia", "params": params })).await;
    }

    /// What a screen reader calls the elements of a role, in order.
    pub(crate) async fn names(&self, role: &str) -> Vec<String> {
        let tree = self.issue("goog/cdp/execute", json!({ "cmd": "Accessibility.getFullAXTree", "params": {} })).await;
        let nodes = tree["nodes"].as_array().unwrap().iter().filter(|node| node["role"]["value"] == role);
        nodes.map(|node| node["name"]["value"].as_str().unwrap().to_owned()).collect()
    }

    /// Clicks the element that a CSS selector finds.
    pub(crate) async fn click(&self, css: &str) {
        self.client.find(Locator::Css(css)).await.unwrap().click().await.unwrap();
    }

    /// Types into the element that a CSS selector finds.
    pub(crate) async fn type_into(&self, css: &str, keys: &str) {
        self.client.find(Locator::Css(css)).await.unwrap().send_keys(keys).await.unwrap();
    }

    /// A command of ChromeDriver that is not part of WebDriver.
    async fn issue(&self, path: &'static str, body: Value) -> Value {
        self.client.issue_cmd(Vendor { path, body }).await.unwrap()
    }

    /// The value beside a label in a part of a run sheet.
    pub(crate) async fn sheet_value(&self, within: &str, label: &str) -> Option<String> {
        self.texts(&format!("{within} code[data-label=\"{label}\"]")).await.into_iter().next()
    }

    /// Follows a link or presses a button by its words. If `row` is given, only in the table row that has a cell with
    /// that text.
    pub(crate) async fn press(&self, words: &str, row: Option<&str>) {
        let within = row.map(|row| format!("//tr[td[normalize-space()='{row}']]")).unwrap_or_default();
        let xpath = format!("{within}//*[self::button or self::a or self::summary][normalize-space()='{words}']");
        self.find(&xpath).await.click().await.unwrap();
    }

    /// Whether the button can be pressed.
    pub(crate) async fn is_enabled(&self, words: &str) -> bool {
        self.find(&format!("//button[normalize-space()='{words}']")).await.is_enabled().await.unwrap()
    }

    /// Chooses the option with this label.
    pub(crate) async fn choose(&self, label: &str) {
        self.labeled(label).await.click().await.unwrap();
    }

    /// Chooses an option of a list.
    pub(crate) async fn select(&self, label: &str, option: &str) {
        self.labeled(label).await.select_by_label(option).await.unwrap();
    }

    /// Ticks or clears the box.
    pub(crate) async fn tick(&self, label: &str, ticked: bool) {
        let element = self.labeled(label).await;
        if element.is_selected().await.unwrap() != ticked {
            element.click().await.unwrap();
        }
    }

    /// Replaces the content of the field.
    pub(crate) async fn enter(&self, label: &str, value: &str) {
        let element = self.labeled(label).await;
        element.clear().await.unwrap();
        element.send_keys(value).await.unwrap();
    }

    /// The content of the field.
    pub(crate) async fn value(&self, label: &str) -> String {
        self.labeled(label).await.prop("value").await.unwrap().unwrap_or_default()
    }

    /// Waits until the page shows these words.
    pub(crate) async fn await_words(&self, words: &str) {
        let xpath = format!("//*[contains(normalize-space(), '{words}')]");
        let found = self.client.wait().at_most(FOREVER).for_element(Locator::XPath(&xpath)).await;
        if found.is_err() {
            panic!("`{words}` did not appear: {}", self.texts("body").await.join("\n"));
        }
    }

    /// A screenshot of the page, as PNG.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        self.client.screenshot().await.unwrap()
    }

    pub(crate) async fn close(self) {
        self.client.clone().close().await.unwrap();
    }

    async fn labeled(&self, label: &str) -> Element {
        let found = self.find(&format!("//label[normalize-space()='{label}']")).await;
        let id =
            found.attr("for").await.unwrap().unwrap_or_else(|| panic!("the label `{label}` belongs to no element"));
        self.client.find(Locator::Id(&id)).await.unwrap()
    }

    /// Waits for an element, because a press that leads to another page may return before that page is loaded.
    async fn find(&self, xpath: &str) -> Element {
        match self.client.wait().at_most(FOREVER).for_element(Locator::XPath(xpath)).await {
            Ok(element) => element,
            Err(error) => panic!("{xpath}: {error}\n{}", self.texts("body").await.join("\n")),
        }
    }
}

/// A command of ChromeDriver, below the address of the session.
#[derive(Debug)]
struct Vendor {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Vendor {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // If ChromeDriver is killed, the browser stays. It ends the browser if it is asked to shut down.
        if shut_down(self.port).is_err() {
            let _ = self.driver.kill();
        }
        let _ = self.driver.wait();
    }
}

/// Asks ChromeDriver to end all browsers and then itself, and waits until it has closed the connection.
fn shut_down(port: u16) -> io::Result<()> {
    let mut connection = TcpStream::connect(("127.0.0.1", port))?;
    connection.set_read_timeout(Some(FOREVER))?;
    write!(connection, "GET /shutdown HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n")?;
    connection.read_to_end(&mut Vec::new()).map(drop)
}

fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.is_file())
}

/// Reads the port from ChromeDriver's output.
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
