//! The `RELAY_*` variables.

use std::ffi::OsString;

use super::options::OPTIONS;
use super::place::{Given, Layer, Place};
use super::problem::{Problem, quote};

/// Reads the options' variables and gives warnings for those that are ignored. Others are none of our business: a
/// cluster injects `RELAY_SERVICE_HOST` and its like. Empty counts as unset.
pub(super) fn read(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<(Layer, Vec<String>), Problem> {
    let mut layer = Layer::new();
    let mut warnings = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with("RELAY_")) else { continue };
        let Some(spec) = OPTIONS.iter().find(|spec| spec.variable() == name) else { continue };
        let place = Place::Environment(name.to_owned());
        let text = match value.into_string() {
            Ok(text) => text,
            Err(bytes) => return Err(Problem::Value { place, complaint: spec.not_utf8(&bytes) }),
        };
        if spec.name == "port" && text.contains("://") {
            // Kubernetes injects it into every pod beside a service that is called relay.
            warnings.push(format!(
                "RELAY_PORT: {} is ignored, it looks like a Kubernetes service link; \
                 set enableServiceLinks: false in the pod, or use --port",
                quote(&text)
            ));
        } else if !text.trim().is_empty() {
            layer.insert(spec.name, Given { text, place });
        }
    }
    Ok((layer, warnings))
}
