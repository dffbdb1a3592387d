//! How numbers leave: a bounded HTTP server, and metrics in the Prometheus text format.

mod crowd;
mod http;
pub mod limits;
mod metric;
pub mod process;
pub mod text;

pub use http::{metrics_at, serve, serve_with_chore};
pub use metric::{Kind, Metric, reference};
