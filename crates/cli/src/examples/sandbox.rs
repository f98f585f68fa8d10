//! Examples of the commands that need the simulator.

pub(crate) const PLUGINS_CONFORMANCE: &str = r#"Examples:
  # Check a plugin by name
  flowswap plugins conformance okta
  # Check a library that you built
  flowswap plugins conformance ./libflowswap_rest.so"#;

pub(crate) const DEMO: &str = r#"Examples:
  # Migrate twelve simulated tenants
  flowswap demo
  # Migrate a hundred, and keep all files
  flowswap demo --tenants 100 --keep demo"#;

pub(crate) const SIM: &str = r#"Examples:
  # Serve twelve simulated tenants until Ctrl-C
  flowswap sim --dir world
  # Serve two tenants whose swap a person carries out
  flowswap sim --dir world --tenants 2 --directory cie-guided"#;

pub(crate) const SIM_WORLD: &str = r#"Examples:
  # Print the simulated orgs and directories
  flowswap sim world --dir world"#;

pub(crate) const SIM_ADVANCE: &str = r#"Examples:
  # Advance the simulated clock by 90 minutes
  flowswap sim advance --dir world 90m
  # Rehearse what happens in a month
  flowswap sim advance --dir world 30d"#;

pub(crate) const SIM_FAULT: &str = r#"Examples:
  # Let one org refuse to create clients
  flowswap sim fault --dir world acme --on 'POST /integrations/api/v1/api-services' --answer refuse
  # Let two orgs hang
  flowswap sim fault --dir world acme globex --answer hang"#;

pub(crate) const SIM_MEND: &str = r#"Examples:
  # Let all orgs answer again
  flowswap sim mend --dir world"#;
