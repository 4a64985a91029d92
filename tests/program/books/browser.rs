//! Chromium without a window, driven through chromedriver (W3C WebDriver).

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use data_encoding::BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::films::{on_path, program};
use crate::run::{PATIENCE, until};

/// As a key on a keyboard.
pub const ENTER: &str = "\u{e007}";

/// The name under which WebDriver hands out elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A Chromium that runs.
pub struct Browser {
    driver: Child,
    /// Of the session.
    url: String,
    client: reqwest::Client,
    runtime: Runtime,
    _profile: TempDir,
}

impl Browser {
    pub fn start() -> Browser {
        let chromium = on_path("chromium")
            .expect("chromium is not installed: `make test` installs it, or apt-get install chromium");
        let mut driver = program("chromedriver", "chromium-driver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let mut lines = BufReader::new(driver.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            let number = line.split("started successfully on port ").nth(1)?;
            number.trim_end_matches('.').parse::<u16>().ok()
        });
        let port = port.expect("chromedriver says where it listens");
        // What it says later is of no interest, but must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let profile = TempDir::new().expect("a temporary folder");
        let mut args = vec![
            "--headless=new".to_owned(),
            format!("--user-data-dir={}", profile.path().display()),
            "--window-size=1100,900".into(),
            "--no-first-run".into(),
            "--no-proxy-server".into(),
            "--disable-gpu".into(),
            "--disable-dev-shm-usage".into(),
            "--disable-background-networking".into(),
            "--disable-component-update".into(),
            "--autoplay-policy=no-user-gesture-required".into(),
        ];
        if rustix::process::geteuid().is_root() {
            // Its sandbox is none where root runs it, and it says so by not starting.
            args.push("--no-sandbox".into());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        let mut browser =
            Browser { driver, url: format!("http://127.0.0.1:{port}"), client, runtime, _profile: profile };
        let session = browser.asks(
            "session",
            &json!({"capabilities": {"alwaysMatch": {
                "browserName": "chrome",
                "goog:chromeOptions": {"binary": chromium, "args": args},
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
                "timeouts": {"pageLoad": 40_000, "script": 40_000, "implicit": 0},
            }}}),
        );
        let id = session["sessionId"].as_str().expect("a session has an id");
        browser.url = format!("{}/session/{id}", browser.url);
        browser
    }

    /// Opens a page; comes back when all that it needs is there.
    pub fn goes_to(&self, url: &str) {
        self.asks("url", &json!({"url": url}));
    }

    /// The page's address.
    pub fn is_at(&self) -> String {
        self.runs("return location.href").as_str().expect("a URL").to_owned()
    }

    /// What a script returns.
    #[track_caller]
    pub fn runs(&self, script: &str) -> Value {
        self.asks("execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits until a script returns something that is true, and gives it.
    #[track_caller]
    pub fn sees(&self, script: &str) -> Value {
        until(|| {
            let seen = self.runs(script);
            let nothing =
                matches!(seen, Value::Null | Value::Bool(false)) || seen == json!("") || seen == json!(0);
            (!nothing).then_some(seen)
        })
    }

    /// Clicks on the first element of a CSS selector as a person would: it must be to be seen.
    #[track_caller]
    pub fn clicks(&self, selector: &str) {
        let element = self.element(selector);
        self.asks(&format!("element/{element}/click"), &json!({}));
    }

    /// Types into it.
    #[track_caller]
    pub fn types(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.asks(&format!("element/{element}/value"), &json!({"text": text}));
    }

    /// Waits until there is one.
    #[track_caller]
    fn element(&self, selector: &str) -> String {
        self.sees(&format!("return !!document.querySelector({})", json!(selector)));
        let found = self.asks("element", &json!({"using": "css selector", "value": selector}));
        found[ELEMENT].as_str().expect("an element").to_owned()
    }

    /// Writes what is to be seen to `target/tmp/NAME.png`.
    pub fn is_pictured(&self, name: &str) -> PathBuf {
        let picture = self.tells("screenshot");
        let bytes = BASE64.decode(picture.as_str().expect("text").as_bytes()).expect("base64");
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name).with_extension("png");
        std::fs::write(&path, bytes).expect("writes");
        println!("{}", path.display());
        path
    }

    pub fn has_size(&self, width: u32, height: u32) {
        self.asks("window/rect", &json!({"width": width, "height": height}));
    }

    /// What stands in the console since the last call: errors, warnings, refusals.
    pub fn complains(&self) -> Vec<String> {
        let log = self.asks("se/log", &json!({"type": "browser"}));
        let lines = log.as_array().expect("lines").iter();
        lines.map(|line| format!("{}: {}", line["level"], line["message"])).collect()
    }

    /// The addresses of everything that pages asked the network for since the last call.
    pub fn asked_for(&self) -> Vec<String> {
        let log = self.asks("se/log", &json!({"type": "performance"}));
        let lines = log.as_array().expect("lines").iter();
        let requests = lines.filter_map(|line| {
            let event: Value = serde_json::from_str(line["message"].as_str()?).ok()?;
            let event = &event["message"];
            let is_asked = event["method"] == "Network.requestWillBeSent";
            is_asked.then(|| event["params"]["request"]["url"].as_str().unwrap_or_default().to_owned())
        });
        // What a page has in itself, and what the browser shows before, are of no network.
        requests
            .filter(|url| !["data:", "blob:", "about:", "chrome:"].iter().any(|own| url.starts_with(own)))
            .collect()
    }

    #[track_caller]
    fn asks(&self, what: &str, body: &Value) -> Value {
        self.says(self.client.post(format!("{}/{what}", self.url)).body(body.to_string()), what)
    }

    #[track_caller]
    fn tells(&self, what: &str) -> Value {
        self.says(self.client.get(format!("{}/{what}", self.url)), what)
    }

    #[track_caller]
    fn says(&self, request: reqwest::RequestBuilder, what: &str) -> Value {
        let request = request.header("content-type", "application/json");
        let said = self.runtime.block_on(async { request.send().await?.bytes().await });
        let said = said.unwrap_or_else(|error| panic!("chromedriver, {what}: {error}"));
        let mut said: Value = serde_json::from_slice(&said).expect("JSON");
        assert!(said["value"]["error"].is_null(), "chromedriver, {what}: {}", said["value"]);
        said["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The end of the session is the end of Chromium; the end of chromedriver alone would be none of its children.
        let bye = self.client.delete(&self.url).timeout(Duration::from_secs(10));
        let _ = self.runtime.block_on(async { bye.send().await });
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
