//! Who may import whom, and in which room each AWS client may appear. A new arrow is the most expensive kind of change:
//! it goes into this table, and into ARCHITECTURE.md, in a pull request of its own.

use crate::Complaint;
use crate::project::Package;

/// Which rooms a room of `shared/` may import.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("providers", &["domain"]),
    ("content", &["domain"]),
    ("store", &["domain"]),
    ("vault", &["domain"]),
    ("queue", &["domain"]),
    ("sink", &["domain"]),
    ("web", &["domain", "store"]),
    ("lambda", &["domain", "queue"]),
    ("connections", &["domain", "providers", "store", "vault"]),
    ("integrations", &["domain", "providers", "store", "queue", "sink", "connections"]),
    (
        "testkit",
        &[
            "connections",
            "content",
            "domain",
            "integrations",
            "lambda",
            "providers",
            "queue",
            "sink",
            "store",
            "vault",
            "web",
        ],
    ),
];

/// Which packages may use which AWS client, besides `testkit`.
const CLIENTS: &[(&str, &[&str])] = &[
    ("aws-sdk-dynamodb", &["store"]),
    ("aws-sdk-kms", &["vault"]),
    ("aws-sdk-sqs", &["queue"]),
    ("aws-sdk-s3", &["sink"]),
    ("aws-sdk-eventbridge", &["sink"]),
    ("aws-sdk-secretsmanager", &["connections"]),
];

/// What `domain` may never need: it has no I/O.
const NOT_IN_DOMAIN: &[&str] = &["aws-config", "axum", "http", "lambda_http", "lambda_runtime", "reqwest", "tokio"];

/// Complains about imports that are not in the table.
#[must_use]
pub fn check(packages: &[Package]) -> Vec<Complaint> {
    packages.iter().flat_map(|package| check_one(package, packages)).collect()
}

fn check_one(package: &Package, all: &[Package]) -> Vec<Complaint> {
    let ours = |name: &String| all.iter().find(|other| &other.name == name);
    let mut complaints = Vec::new();
    for dependency in &package.dependencies {
        if let Some(other) = ours(dependency)
            && !may_import(package, other)
        {
            complaints.push(format!("{} may not import {dependency}", package.name));
        }
        if let Some((client, users)) = CLIENTS.iter().find(|(client, _)| client == dependency)
            && !users.contains(&package.name.as_str())
            && package.name != "testkit"
        {
            complaints.push(format!("{} may not use {client}, only {} may", package.name, users.join(", ")));
        }
        if package.name == "domain" && NOT_IN_DOMAIN.contains(&dependency.as_str()) {
            complaints.push(format!("domain has no I/O, so it cannot need {dependency}"));
        }
    }
    if package.name == "sandbox" {
        let shared = package.test_dependencies.iter().filter(|name| ours(name).is_some());
        complaints
            .extend(shared.map(|name| format!("sandbox must not share {name}'s reading of an API, not even in tests")));
    }
    complaints
}

fn may_import(package: &Package, other: &Package) -> bool {
    match package.room.as_str() {
        "shared" => {
            let row = ARROWS.iter().find(|(name, _)| *name == package.name);
            row.is_some_and(|(_, imports)| imports.contains(&other.name.as_str()))
        }
        // Any room of `shared/`; never another function, and test equipment does not ship.
        "functions" => other.room == "shared" && other.name != "testkit",
        "tests" => package.name != "sandbox" && other.room == "shared",
        _ => false,
    }
}

/// Complains about rooms of `shared/` that the table does not know, and rows without a room.
#[must_use]
pub fn check_table(packages: &[Package]) -> Vec<Complaint> {
    let rooms: Vec<&str> =
        packages.iter().filter(|package| package.room == "shared").map(|package| package.name.as_str()).collect();
    let unknown = rooms.iter().filter(|name| ARROWS.iter().all(|(row, _)| row != *name));
    let gone = ARROWS.iter().filter(|(row, _)| !rooms.contains(row));
    unknown
        .map(|name| format!("shared/{name} has no row in the table of arrows"))
        .chain(gone.map(|(row, _)| format!("the table of arrows has a row for {row}, which is gone")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert_none;

    fn package(room: &str, name: &str, dependencies: &[&str]) -> Package {
        Package {
            name: name.to_owned(),
            room: room.to_owned(),
            dependencies: dependencies.iter().map(ToString::to_string).collect(),
            test_dependencies: Vec::new(),
        }
    }

    fn complaints(room: &str, name: &str, dependencies: &[&str]) -> Vec<Complaint> {
        let others = ["store", "vault", "domain", "testkit", "connections"].map(|name| package("shared", name, &[]));
        let functions = [package("functions", "webhook", &[])];
        let all: Vec<_> = others.into_iter().chain(functions).collect();
        let all: Vec<_> = std::iter::once(package(room, name, dependencies))
            .chain(all.into_iter().filter(|p| p.name != name))
            .collect();
        check(&all)
    }

    #[test]
    fn the_project_keeps_to_the_arrows() {
        let packages = crate::project::packages().unwrap();
        assert_none(&check(&packages));
        assert_none(&check_table(&packages));
    }

    #[test]
    fn an_arrow_outside_the_table_is_refused() {
        assert_eq!(complaints("shared", "store", &["domain"]), Vec::<String>::new());
        assert_eq!(complaints("shared", "store", &["vault"]), ["store may not import vault"]);
        assert_eq!(complaints("shared", "domain", &["store"]), ["domain may not import store"]);
        assert_eq!(complaints("shared", "newcomer", &["domain"]), ["newcomer may not import domain"]);
    }

    #[test]
    fn functions_import_neither_each_other_nor_test_equipment() {
        assert_eq!(complaints("functions", "api", &["connections", "store"]), Vec::<String>::new());
        assert_eq!(complaints("functions", "api", &["webhook"]), ["api may not import webhook"]);
        assert_eq!(complaints("functions", "api", &["testkit"]), ["api may not import testkit"]);
    }

    #[test]
    fn the_sandbox_shares_nothing_even_in_its_tests() {
        assert_eq!(complaints("tests", "e2e", &["domain"]), Vec::<String>::new());
        assert_eq!(complaints("tests", "sandbox", &["domain"]), ["sandbox may not import domain"]);
        let sandbox = Package { test_dependencies: vec!["domain".to_owned()], ..package("tests", "sandbox", &[]) };
        assert_eq!(check(&[sandbox, package("shared", "domain", &[])]).len(), 1);
    }

    #[test]
    fn each_aws_client_stays_in_its_room() {
        assert_eq!(complaints("shared", "store", &["aws-sdk-dynamodb"]), Vec::<String>::new());
        assert_eq!(complaints("shared", "testkit", &["aws-sdk-dynamodb"]), Vec::<String>::new());
        assert_eq!(complaints("functions", "api", &["aws-sdk-kms"]), ["api may not use aws-sdk-kms, only vault may"]);
    }

    #[test]
    fn domain_has_no_io() {
        assert_eq!(complaints("shared", "domain", &["tokio"]), ["domain has no I/O, so it cannot need tokio"]);
    }

    #[test]
    fn the_table_and_the_rooms_agree() {
        let complaints = check_table(&[package("shared", "newcomer", &[])]);
        assert!(complaints.contains(&"shared/newcomer has no row in the table of arrows".to_owned()));
        assert!(complaints.contains(&"the table of arrows has a row for domain, which is gone".to_owned()));
    }
}
