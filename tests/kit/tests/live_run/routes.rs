//! Every kind of deployment, into files and into a table.

use keystar_kit::redis::Redis;
use keystar_kit::redis_cluster::Cluster;
use keystar_kit::redis_sentinel::Watched;
use keystar_kit::redis_tls::Certificates;

use crate::job::Job;
use crate::source::{Items, cluster_items, fill, fill_cluster, filled, items};
use crate::target::{World, has_files};

const KEYS: usize = 1800;

/// To files and to a table, each verified by the program and by us. What both jobs need to reach the source is added by
/// `reach`.
fn goes_everywhere(from: &str, expected: &Items, reach: impl Fn(Job) -> Job) {
    let world = World::new();
    let files = reach(world.to_files(from, "files"));
    files.run();
    has_files(&files, expected);
    files.verify();

    let table = reach(world.to_table(from, "target")).with(&["--create-table"]);
    table.run();
    world.has_table("target", expected);
    table.verify();
}

#[test]
fn a_server_with_every_type_in_several_databases() {
    let redis = filled(KEYS);
    let expected = items(&mut redis.connect().unwrap());
    assert_eq!(expected.len(), KEYS);
    goes_everywhere(&redis.url(), &expected, |job| job);
}

#[test]
fn one_database_of_a_server() {
    let redis = filled(KEYS);
    let mut expected = items(&mut redis.connect().unwrap());
    expected.retain(|key, _| key.starts_with("db3:"));
    assert_eq!(expected.len(), KEYS / 10);
    goes_everywhere(&format!("{}/3", redis.url()), &expected, |job| job);
}

#[test]
fn a_server_whose_values_are_asked_for_by_type() {
    let redis = filled(KEYS);
    let connection = &mut redis.connect().unwrap();
    let expected = items(connection);
    connection.command(&["ACL", "SETUSER", "default", "-dump"]).unwrap();
    goes_everywhere(&redis.url(), &expected, |job| job.with(&["--via", "typed"]));
}

#[test]
fn a_server_that_gives_its_snapshot() {
    let redis = filled(KEYS);
    let expected = items(&mut redis.connect().unwrap());
    goes_everywhere(&redis.url(), &expected, |job| job.with(&["--via", "rdb"]));
}

#[test]
fn a_valkey_server() {
    let redis = Redis::valkey().unwrap();
    let connection = &mut redis.connect().unwrap();
    fill(connection, KEYS);
    let expected = items(connection);
    goes_everywhere(&redis.url(), &expected, |job| job);
}

#[test]
fn a_socket() {
    let redis = filled(KEYS);
    let expected = items(&mut redis.connect().unwrap());
    goes_everywhere(&format!("unix://{}", redis.socket().display()), &expected, |job| job);
}

#[test]
fn a_server_with_users_that_wants_certificates() {
    let certificates = Certificates::make().unwrap();
    let redis = certificates.serve("server", true).unwrap();
    let connection = &mut redis.connect().unwrap();
    fill(connection, KEYS);
    let expected = items(connection);
    let user = ["ACL", "SETUSER", "reader", "on", ">open sesame", "~*", "+@read", "+@connection"];
    connection.command(&user).unwrap();
    let rights = ["+dump", "+scan", "+info", "+select", "+cluster|info"];
    connection.command(&[&["ACL", "SETUSER", "reader"], &rights[..]].concat()).unwrap();
    connection.command(&["ACL", "SETUSER", "default", "off"]).unwrap();
    let path = |name: &str| certificates.path(name).display().to_string();
    goes_everywhere(&redis.url(), &expected, |job| {
        job.reach(&["--tls-ca", &path("ca.crt"), "--tls-cert", &path("client.crt")])
            .reach(&["--tls-key", &path("client.key"), "--user", "reader"])
            .reach(&["--password-env", "SESAME"])
            .environment("SESAME", "open sesame")
    });

    // The password may lie in a file, and the user stand in the URL.
    let file = certificates.path("password");
    std::fs::write(&file, "open sesame\n").unwrap();
    let url = redis.url().replace("rediss://", "rediss://reader@");
    goes_everywhere(&url, &expected, |job| {
        job.reach(&["--tls-ca", &path("ca.crt"), "--tls-cert", &path("client.crt")])
            .reach(&["--tls-key", &path("client.key")])
            .reach(&["--password-file", file.to_str().unwrap()])
    });
}

#[test]
fn a_cluster_and_its_replicas() {
    let cluster = Cluster::start(1).unwrap();
    fill_cluster(&cluster, KEYS, true);
    let primaries: Vec<_> = cluster.nodes[..3].iter().collect();
    let expected = cluster_items(&primaries);
    assert_eq!(expected.len(), KEYS);
    goes_everywhere(&cluster.url(), &expected, |job| job);
    goes_everywhere(&cluster.url(), &expected, |job| job.reach(&["--replicas"]));
}

#[test]
fn a_primary_that_sentinels_watch() {
    let watched = Watched::start().unwrap();
    let connection = &mut watched.servers[0].connect().unwrap();
    fill(connection, KEYS);
    let expected = items(connection);
    goes_everywhere(&watched.url(), &expected, |job| job);
}
