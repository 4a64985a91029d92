//! Where it is served, and under which URLs.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use anyhow::Context;

use super::Session;
use super::face::Face;
use crate::app::exit::{Exit, Failure, OrExit};
use crate::cli::ServerFlags;
use crate::events::Event;
use crate::http::route::path_of;
use crate::http::{self, HttpError, Server, ServerConfig};
use crate::read::Files;

impl Session {
    /// Starts to serve, before it is known what. Gives the URL.
    pub(in crate::app) async fn listen(&mut self, flags: &ServerFlags) -> Result<String, Failure> {
        let (net, contents) = (self.net.clone(), Arc::new(self.lineup.clone()));
        let url =
            self.listen_with(flags, |config| http::serve(contents, config, |at| net.tcp_listen(at))).await?;
        self.teller.tell(&Event::Listening {
            url: url.clone(),
            playlist: playlist_of(&url),
            port: self.server.as_ref().map_or(0, |server| server.address().port()),
        });
        Ok(url)
    }

    /// Has `serve` start what answers at the address of these flags. Gives the URL.
    pub(in crate::app) async fn listen_with(
        &mut self,
        flags: &ServerFlags,
        serve: impl FnOnce(ServerConfig) -> Result<Server, HttpError>,
    ) -> Result<String, Failure> {
        let otherwise = ServerConfig::default();
        let mut config = ServerConfig {
            hostname: flags.hostname.clone(),
            port: flags.port.unwrap_or(otherwise.port),
            ..otherwise
        };
        if let Some(name) = flags.hostname.as_deref().filter(|name| name.parse::<IpAddr>().is_err()) {
            let found = self.net.resolve(name, config.port).await;
            let found = found.with_context(|| format!("{name} has no address")).or_exit(Exit::Address)?;
            config.addresses = found.into_iter().map(|address| address.ip()).collect();
        }
        let server = serve(config).or_exit(Exit::Address)?;
        if let (Some(taken), Some(_)) = (server.taken_port(), flags.port) {
            self.say(&format!("port {taken} is taken: {} it is", server.address().port()));
        }
        let url = server.url();
        if server.address().ip().is_unspecified()
            && let Some(own) = self.own_address().await
        {
            self.say(&format!("other computers may connect, at http://{own}:{}/", server.address().port()));
        }
        self.server = Some(server);
        self.url = Some(url.clone());
        Ok(url)
    }

    /// The address by which this computer reaches others. Nothing is sent to find that out.
    async fn own_address(&self) -> Option<IpAddr> {
        let socket = self.net.udp_bind((Ipv4Addr::UNSPECIFIED, 0).into()).ok()?;
        // Any address beyond this network would do; this one is for documents (RFC 5737).
        socket.connect((Ipv4Addr::new(203, 0, 113, 1), 9)).await.ok()?;
        socket.local_addr().ok().map(|address| address.ip())
    }

    /// The URL of a file.
    pub(in crate::app) fn url_of(&self, files: &Files, index: usize) -> Option<String> {
        let file = files.files.get(index)?;
        Some(url_of(self.url_of_files()?, index, file.name()))
    }

    /// Where files are served by their numbers: a folder and a site have paths instead.
    pub(super) fn url_of_files(&self) -> Option<&str> {
        self.url.as_deref().filter(|_| matches!(self.face, Face::Films))
    }
}

/// Players remember by the URL how far a film was watched, so each film has its own, and not the server's plain `/`.
pub(super) fn url_of(server: &str, index: usize, name: &str) -> String {
    format!("{}{}", server.trim_end_matches('/'), path_of(index, name))
}

pub(super) fn playlist_of(server: &str) -> String {
    format!("{}/.m3u", server.trim_end_matches('/'))
}
