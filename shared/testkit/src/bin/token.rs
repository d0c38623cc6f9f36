//! `token --user ada [--admin] [--org acme --role ADMIN] [--plan pro] [--ttl-seconds n]`: writes the directory rows of a person of a
//! local stack and prints a bearer token for them, and nothing else. Tables and the secret come from the functions' variables.

use anyhow::{Context as _, bail};
use domain::plan::{Plan, Role};
use serde::de::DeserializeOwned;
use store::{Store, Tables};
use testkit::people::{self, Wanted};

const USAGE: &str = "token --user NAME [--admin] [--org SLUG --role VIEWER|EDITOR|ADMIN] [--plan free|pro|enterprise] [--ttl-seconds N]";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let wanted = parse(std::env::args().skip(1)).context(USAGE)?;
    let aws = lambda::aws_config().await;
    let tables = Tables {
        integrations: lambda::env::required("INTEGRATIONS_TABLE")?,
        jobs: lambda::env::required("JOBS_TABLE")?,
        records: lambda::env::required("RECORDS_TABLE")?,
        directory: lambda::env::required("DIRECTORY_TABLE")?,
        limits: lambda::env::required("LIMITS_TABLE")?,
    };
    let store = Store::new(aws_sdk_dynamodb::Client::new(&aws), tables);
    let secret = people::read_secret(&lambda::env::required("JWT_SECRET_ARN")?).await?;
    println!("{}", people::mint(&store, &secret, &wanted).await?);
    Ok(())
}

fn parse(arguments: impl Iterator<Item = String>) -> anyhow::Result<Wanted> {
    let (mut user, mut admin, mut org, mut role, mut plan, mut seconds) = (None, false, None, None, None, None);
    let mut arguments = arguments;
    while let Some(name) = arguments.next() {
        if name == "--admin" {
            admin = true;
            continue;
        }
        let value =
            arguments.next().filter(|value| !value.is_empty()).with_context(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--user" => user = Some(value),
            "--org" => org = Some(value),
            "--role" => role = Some(word::<Role>(&value.to_uppercase()).context("--role: VIEWER, EDITOR or ADMIN")?),
            "--plan" => plan = Some(word::<Plan>(&value.to_lowercase()).context("--plan: free, pro or enterprise")?),
            "--ttl-seconds" => seconds = Some(value.parse().context("--ttl-seconds: a number")?),
            _ => bail!("unknown option {name}"),
        }
    }
    let mut wanted = Wanted::user(&user.context("--user is missing")?);
    if admin {
        wanted = wanted.admin();
    }
    wanted = match (org, role) {
        (Some(org), role) => wanted.member_of(&org, role.unwrap_or(Role::Admin)),
        (None, Some(_)) => bail!("--role goes with --org"),
        (None, None) => wanted,
    };
    if let Some(plan) = plan {
        wanted = wanted.plan(plan);
    }
    Ok(seconds.map_or(wanted.clone(), |seconds| wanted.for_seconds(seconds)))
}

fn word<T: DeserializeOwned>(text: &str) -> anyhow::Result<T> {
    Ok(serde_json::from_value(text.into())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Result<(), &str>) {
        let got = parse(line.split_whitespace().map(str::to_owned));
        assert_eq!(got.map(|_| ()).map_err(|error| error.to_string()), expected.map_err(str::to_owned), "{line}");
    }

    #[test]
    fn options_are_read_and_refused_by_name() {
        check("--user ada", Ok(()));
        check("--user ada --admin --org acme --role admin --plan pro --ttl-seconds -5", Ok(()));
        check("--user ada --org acme", Ok(()));
        check("", Err("--user is missing"));
        check("--user", Err("--user needs a value"));
        check("--user ada --role ADMIN", Err("--role goes with --org"));
        check("--user ada --plan gold", Err("--plan: free, pro or enterprise"));
        check("--user ada --org acme --role KING", Err("--role: VIEWER, EDITOR or ADMIN"));
        check("--user ada --colour red", Err("unknown option --colour"));
    }
}
