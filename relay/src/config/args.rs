//! The typed values of all options, before host names are resolved.

use std::net::SocketAddr;
use std::path::PathBuf;

use engine::Settings;
use store::Bounds;
use tracing::level_filters::LevelFilter;

use super::choice::{Backend, LogFormat, SandboxMode, Shards, TcpMode};
use super::host::Host;
use super::people::DataDir;
use super::token::Token;

/// One field per option of [`super::options::OPTIONS`], which has the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Args {
    pub hosts: Vec<Host>,
    pub port: u16,
    pub settings: Settings,
    pub shards: Shards,
    pub pin: bool,
    pub tcp: TcpMode,
    pub backend: Backend,
    pub receive_buffer: usize,
    pub send_buffer: usize,
    pub metrics_listen: Option<SocketAddr>,
    pub status_token: Option<Token>,
    pub status_token_file: Option<PathBuf>,
    pub data_dir: DataDir,
    pub mail: Bounds,
    pub sandbox: SandboxMode,
    pub log_format: LogFormat,
    pub log_level: LevelFilter,
    pub config: Option<PathBuf>,
    pub check_config: bool,
    pub print_config: bool,
}

impl Args {
    /// A place to parse into; the table's defaults come first.
    pub fn blank() -> Self {
        Self {
            hosts: Vec::new(),
            port: 0,
            settings: Settings::default(),
            shards: Shards::Auto,
            pin: false,
            tcp: TcpMode::Auto,
            backend: Backend::Auto,
            receive_buffer: 0,
            send_buffer: 0,
            metrics_listen: None,
            status_token: None,
            status_token_file: None,
            data_dir: DataDir::Usual,
            mail: Bounds::default(),
            sandbox: SandboxMode::On,
            log_format: LogFormat::Text,
            log_level: LevelFilter::INFO,
            config: None,
            check_config: false,
            print_config: false,
        }
    }
}
