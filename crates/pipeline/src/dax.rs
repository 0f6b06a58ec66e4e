//! The cache that may stand in front of the table: its definition, for the user to deploy.

/// A CloudFormation template of a DAX cluster for a table, and, in its head, what changes for the
/// clients. Nothing is created.
///
/// ```
/// let template = keystar_pipeline::dax_template("users");
/// assert!(template.contains("AWS::DAX::Cluster"));
/// assert!(template.contains("Default: \"users\""));
/// ```
pub fn dax_template(table: &str) -> String {
    include_str!("dax.yaml").replace("{table}", table)
}
