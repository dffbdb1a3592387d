//! The compose file: valid, its files where it looks for them, its services where they look for each other.

use anyhow::{Context, ensure};
use serde_json::Value;

use super::tools::Tools;
use super::{Relay, list, text};

const FOLDER: &str = "deploy/compose";

/// Fails with the first mistake.
pub fn check(tools: &Tools, relay: &Relay) -> anyhow::Result<()> {
    let mut documents = tools.read_yaml(&format!("{FOLDER}/compose.yaml"))?;
    let mut compose = documents.pop().context("compose.yaml is empty")?;
    let services = compose.get("services").and_then(Value::as_object).context("services")?.clone();
    for (name, service) in &services {
        check_files(service).with_context(|| format!("the service {name}"))?;
    }
    relay.accepts_file(&format!("{FOLDER}/relay.toml"))?;
    check_addresses(tools, &compose)?;
    // The schema is from before a project could have a name.
    compose.as_object_mut().context("an object")?.remove("name");
    tools.matches_schema(&compose, "compose/config/compose_spec.json").context("compose.yaml")
}

/// What is mounted from the repository, or built from it, is there.
fn check_files(service: &Value) -> anyhow::Result<()> {
    let mounts = list(service, "/volumes")?.iter().filter_map(Value::as_str);
    let sources = mounts.filter_map(|mount| mount.split(':').next()).filter(|source| source.starts_with('.'));
    let options = list(service, "/security_opt")?.iter().filter_map(Value::as_str);
    let profiles = options.filter_map(|option| option.strip_prefix("seccomp="));
    let mut paths: Vec<String> = sources.chain(profiles).map(|path| format!("{FOLDER}/{path}")).collect();
    if service.get("build").is_some() {
        let context = text(service, "/build/context")?;
        paths.push(format!("{FOLDER}/{context}/{}", text(service, "/build/dockerfile")?));
    }
    for path in paths {
        ensure!(std::path::Path::new(&path).exists(), "{path} is not there");
    }
    Ok(())
}

/// Prometheus listens where Grafana's data source looks, and is asked for its health there.
fn check_addresses(tools: &Tools, compose: &Value) -> anyhow::Result<()> {
    let sources = tools.read_yaml("dashboards/provisioning/datasources/prometheus.yml")?;
    let url = text(&sources[0], "/datasources/0/url")?;
    let address = url.strip_prefix("http://").context("an http:// address")?;
    let words = list(compose, "/services/prometheus/command")?;
    let listens = Value::from(format!("--web.listen-address={address}"));
    ensure!(words.contains(&listens), "Grafana looks for Prometheus at {url}");
    let health = list(compose, "/services/prometheus/healthcheck/test")?;
    ensure!(health.contains(&Value::from(format!("{url}/-/ready"))), "the health check asks elsewhere");
    let provider = tools.read_yaml("dashboards/provisioning/dashboards/relay.yml")?;
    let folder = text(&provider[0], "/providers/0/options/path")?;
    let mounted = |file: &str| Value::from(format!("../../dashboards/{file}:{folder}/{file}:ro"));
    for file in ["relay.json", "loadgen.json"] {
        ensure!(
            list(compose, "/services/grafana/volumes")?.contains(&mounted(file)),
            "{file} is not in {folder}"
        );
    }
    Ok(())
}
